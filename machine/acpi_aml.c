#include "machine/acpi_aml.h"

#include <string.h>

#include "base/bytes.h"

enum {
    OP_NAME = 0x08,
    OP_BYTE = 0x0a,
    OP_WORD = 0x0b,
    OP_DWORD = 0x0c,
    OP_SCOPE = 0x10,
    OP_BUFFER = 0x11,
    OP_PACKAGE = 0x12,
    OP_METHOD = 0x14,
    OP_DUAL_NAME = 0x2e,
    OP_MULTI_NAME = 0x2f,
    OP_EXTENDED = 0x5b, /* the next byte is the operation */
    EXT_REGION = 0x80,
    EXT_FIELD = 0x81,
    EXT_DEVICE = 0x82,
    OP_STORE = 0x70,
    OP_AND = 0x7b,
    OP_OR = 0x7d,
    OP_DWORD_FIELD = 0x8a,
    OP_IF = 0xa0,
    OP_RETURN = 0xa4,
};

enum {
    LENGTH_SIZE = 3, /* every length is written in the three-byte form */
    NAME_SIZE = 4,
    SPACE_PCI_CONFIG = 2,
    FIELD_BYTES = 1, /* byte access, no lock, preserve */
    BUFFER_SIZE_SIZE = 3, /* of a buffer, as a word constant */
};

static void put(struct aml *a, const void *from, size_t size)
{
    if (a->full || size > a->room - a->size) {
        a->full = true;
        return;
    }
    memcpy(a->bytes + a->size, from, size);
    a->size += size;
}

static void put8(struct aml *a, unsigned v)
{
    uint8_t byte = (uint8_t)v;

    put(a, &byte, 1);
}

static void put16(struct aml *a, unsigned v)
{
    uint8_t bytes[2];

    store16(bytes, (uint16_t)v);
    put(a, bytes, sizeof(bytes));
}

static void put32(struct aml *a, uint32_t v)
{
    uint8_t bytes[4];

    store32(bytes, v);
    put(a, bytes, sizeof(bytes));
}

/* --- terms with a length --- */

static size_t open_length(struct aml *a)
{
    size_t at = a->size;

    put(a, (const uint8_t[LENGTH_SIZE]){0}, LENGTH_SIZE);
    return at;
}

/* 20 bits: four in the first byte, whose bits 7:6 count the others. */
void aml_close(struct aml *a, size_t opened)
{
    size_t length = a->size - opened;

    if (a->full)
        return;
    a->bytes[opened] = (uint8_t)(0x80 | (length & 0xf));
    a->bytes[opened + 1] = (uint8_t)(length >> 4);
    a->bytes[opened + 2] = (uint8_t)(length >> 12);
}

size_t aml_scope(struct aml *a, const char *path)
{
    put8(a, OP_SCOPE);

    size_t at = open_length(a);

    aml_path(a, path);
    return at;
}

size_t aml_device(struct aml *a, const char *name)
{
    put8(a, OP_EXTENDED);
    put8(a, EXT_DEVICE);

    size_t at = open_length(a);

    aml_path(a, name);
    return at;
}

size_t aml_method(struct aml *a, const char *name, unsigned arguments)
{
    put8(a, OP_METHOD);

    size_t at = open_length(a);

    aml_path(a, name);
    put8(a, arguments);
    return at;
}

size_t aml_package(struct aml *a, unsigned elements)
{
    put8(a, OP_PACKAGE);

    size_t at = open_length(a);

    put8(a, elements);
    return at;
}

size_t aml_if_set(struct aml *a, const char *path, unsigned mask)
{
    put8(a, OP_IF);

    size_t at = open_length(a);

    put8(a, OP_AND);
    aml_path(a, path);
    aml_integer(a, mask);
    put8(a, 0); /* the result goes nowhere else */
    return at;
}

size_t aml_resources(struct aml *a)
{
    put8(a, OP_BUFFER);

    size_t at = open_length(a);

    put8(a, OP_WORD);
    put16(a, 0);
    return at;
}

void aml_close_resources(struct aml *a, size_t opened)
{
    put8(a, 0x79);
    put8(a, 0); /* no checksum */
    if (!a->full) {
        size_t start = opened + LENGTH_SIZE + BUFFER_SIZE_SIZE;

        store16(a->bytes + start - 2, (uint16_t)(a->size - start));
    }
    aml_close(a, opened);
}

/* --- names and data --- */

void aml_path(struct aml *a, const char *path)
{
    size_t names;

    while (*path == '\\' || *path == '^')
        put8(a, (uint8_t)*path++);
    names = (strlen(path) + 1) / (NAME_SIZE + 1);
    if (names == 2)
        put8(a, OP_DUAL_NAME);
    if (names > 2) {
        put8(a, OP_MULTI_NAME);
        put8(a, (unsigned)names);
    }
    for (; names; names--, path += NAME_SIZE + 1)
        put(a, path, NAME_SIZE);
}

void aml_name(struct aml *a, const char *name)
{
    put8(a, OP_NAME);
    aml_path(a, name);
}

void aml_integer(struct aml *a, uint32_t v)
{
    if (v <= 1) { /* operations of their own, ZeroOp and OneOp */
        put8(a, v);
    } else if (v <= 0xff) {
        put8(a, OP_BYTE);
        put8(a, v);
    } else if (v <= 0xffff) {
        put8(a, OP_WORD);
        put16(a, v);
    } else {
        put8(a, OP_DWORD);
        put32(a, v);
    }
}

static uint32_t hex_digit(char c)
{
    return (uint32_t)(c <= '9' ? c - '0' : c - 'A' + 10);
}

/* Three letters of five bits and four digits, high byte first (6.1.5). */
void aml_eisa_id(struct aml *a, const char *id)
{
    uint32_t v = 0;

    for (unsigned i = 0; i < 3; i++)
        v = v << 5 | (uint32_t)(id[i] - '@');
    for (unsigned i = 3; i < 7; i++)
        v = v << 4 | hex_digit(id[i]);
    aml_integer(a, __builtin_bswap32(v));
}

void aml_config_bytes(struct aml *a, const char *region, unsigned offset,
                      const char *const fields[4])
{
    put8(a, OP_EXTENDED);
    put8(a, EXT_REGION);
    aml_path(a, region);
    put8(a, SPACE_PCI_CONFIG);
    aml_integer(a, offset);
    aml_integer(a, 4);

    put8(a, OP_EXTENDED);
    put8(a, EXT_FIELD);

    size_t at = open_length(a);

    aml_path(a, region);
    put8(a, FIELD_BYTES);
    for (unsigned i = 0; i < 4; i++) {
        aml_path(a, fields[i]);
        put8(a, 8); /* bits, as a length of one byte */
    }
    aml_close(a, at);
}

/* --- statements --- */

void aml_return(struct aml *a)
{
    put8(a, OP_RETURN);
}

void aml_store(struct aml *a, const char *from, const char *to)
{
    put8(a, OP_STORE);
    aml_path(a, from);
    aml_path(a, to);
}

static void store_operation(struct aml *a, unsigned operation,
                            const char *from, unsigned mask, const char *to)
{
    put8(a, operation);
    aml_path(a, from);
    aml_integer(a, mask);
    aml_path(a, to);
}

void aml_store_and(struct aml *a, const char *from, unsigned mask,
                   const char *to)
{
    store_operation(a, OP_AND, from, mask, to);
}

void aml_store_or(struct aml *a, const char *from, unsigned mask,
                  const char *to)
{
    store_operation(a, OP_OR, from, mask, to);
}

void aml_dword_of_arg(struct aml *a, unsigned offset, const char *name)
{
    put8(a, OP_DWORD_FIELD);
    put8(a, AML_ARG0);
    aml_integer(a, offset);
    aml_path(a, name);
}

void aml_dword_of(struct aml *a, const char *path, unsigned offset,
                  const char *name)
{
    put8(a, OP_DWORD_FIELD);
    aml_path(a, path);
    aml_integer(a, offset);
    aml_path(a, name);
}

/* --- resources --- */

enum {
    RES_IO = 0x47,
    RES_IRQ = 0x22,
    RES_WORD_SPACE = 0x88,
    RES_DWORD_SPACE = 0x87,
    RES_INTERRUPT = 0x89,
    SPACE_MEMORY = 0, /* types of address space */
    SPACE_IO = 1,
    SPACE_BUS = 2,
    SPACE_FIXED = 0x0c,     /* both ends are fixed; produced, not consumed */
    IO_ENTIRE_RANGE = 3,
    MEMORY_WRITABLE = 1,
    INTERRUPT_SHARED = 0x09, /* level, active high, shared, consumed */
};

void aml_io(struct aml *a, unsigned port, unsigned count)
{
    put8(a, RES_IO);
    put8(a, 1); /* 16 address lines are decoded */
    put16(a, port);
    put16(a, port);
    put8(a, 1); /* alignment */
    put8(a, count);
}

void aml_irq(struct aml *a, unsigned irq)
{
    put8(a, RES_IRQ);
    put16(a, 1u << irq);
}

void aml_interrupts(struct aml *a, const uint8_t *gsi, unsigned count)
{
    put8(a, RES_INTERRUPT);
    put16(a, 2 + count * 4);
    put8(a, INTERRUPT_SHARED);
    put8(a, count);
    for (unsigned i = 0; i < count; i++)
        put32(a, gsi[i]);
}

static void word_space(struct aml *a, unsigned type, unsigned flags,
                       unsigned first, unsigned last)
{
    put8(a, RES_WORD_SPACE);
    put16(a, 13);
    put8(a, type);
    put8(a, SPACE_FIXED);
    put8(a, flags);
    put16(a, 0); /* granularity */
    put16(a, first);
    put16(a, last);
    put16(a, 0); /* translation */
    put16(a, last - first + 1);
}

void aml_bus_numbers(struct aml *a, unsigned first, unsigned last)
{
    word_space(a, SPACE_BUS, 0, first, last);
}

void aml_io_window(struct aml *a, unsigned first, unsigned last)
{
    word_space(a, SPACE_IO, IO_ENTIRE_RANGE, first, last);
}

void aml_memory_window(struct aml *a, uint32_t first, uint32_t last)
{
    put8(a, RES_DWORD_SPACE);
    put16(a, 23);
    put8(a, SPACE_MEMORY);
    put8(a, SPACE_FIXED);
    put8(a, MEMORY_WRITABLE);
    put32(a, 0);
    put32(a, first);
    put32(a, last);
    put32(a, 0);
    put32(a, last - first + 1);
}
