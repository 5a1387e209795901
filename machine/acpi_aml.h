#ifndef MACHINE_ACPI_AML_H
#define MACHINE_ACPI_AML_H

/*
 * Writes ACPI machine language (ACPI specification 2.0, chapter 17.2) into a
 * buffer, one term a call.  Terms with a length are opened and closed; calls
 * between nest.  When the buffer is full, `full` is set and nothing written.
 *
 * Paths are as in ASL with all four characters of a name: "\\_SB_.PCI0".
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct aml {
    uint8_t *bytes;
    size_t size, room;
    bool full;
};

/* Expressions of one byte. */
enum aml_byte { AML_LOCAL0 = 0x60, AML_ARG0 = 0x68 };

/* Each returns what aml_close takes. */
size_t aml_scope(struct aml *a, const char *path);
size_t aml_device(struct aml *a, const char *name);
size_t aml_method(struct aml *a, const char *name, unsigned arguments);
size_t aml_package(struct aml *a, unsigned elements);
size_t aml_if_set(struct aml *a, const char *path, unsigned mask);
size_t aml_resources(struct aml *a);
void aml_close(struct aml *a, size_t opened);
/* Adds the end tag and the buffer's size. */
void aml_close_resources(struct aml *a, size_t opened);

void aml_name(struct aml *a, const char *name); /* an object follows */
void aml_path(struct aml *a, const char *path);
void aml_integer(struct aml *a, uint32_t v);
void aml_eisa_id(struct aml *a, const char *id); /* "PNP0A03" */

/* Four bytes of a function's configuration space from `offset` on, as fields
 * of a byte each, in a region called `region`. */
void aml_config_bytes(struct aml *a, const char *region, unsigned offset,
                      const char *const fields[4]);

/* --- statements --- */

void aml_return(struct aml *a);                  /* an expression follows */
void aml_store(struct aml *a, const char *from, const char *to);
void aml_store_and(struct aml *a, const char *from, unsigned mask,
                   const char *to);
void aml_store_or(struct aml *a, const char *from, unsigned mask,
                  const char *to);
/* Names 32 bits at an offset in the buffer that is argument 0, or `path`. */
void aml_dword_of_arg(struct aml *a, unsigned offset, const char *name);
void aml_dword_of(struct aml *a, const char *path, unsigned offset,
                  const char *name);

/* --- resources (6.4) --- */

void aml_io(struct aml *a, unsigned port, unsigned count);
void aml_irq(struct aml *a, unsigned irq); /* edge, not shared */
/* Level, active high, shared: any of the ones given. */
void aml_interrupts(struct aml *a, const uint8_t *gsi, unsigned count);
void aml_bus_numbers(struct aml *a, unsigned first, unsigned last);
void aml_io_window(struct aml *a, unsigned first, unsigned last);
void aml_memory_window(struct aml *a, uint32_t first, uint32_t last);

#endif
