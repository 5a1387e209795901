#ifndef DEVICES_PIC_H
#define DEVICES_PIC_H

/*
 * The PC's interrupt controller: two 8259A, the second on input 2 of the
 * first, with the edge/level registers of the PIIX3.
 * Intel 8259A data sheet (231468); PIIX3 data sheet (290550), 3.7.
 *
 *   base    offset
 *   master  0       write ICW1, OCW2, OCW3; read IRR, ISR or a poll
 *           1       write ICW2-4, OCW1 (mask); read the mask
 *   slave   0, 1    the same for IRQ 8-15
 *   elcr    0, 1    a bit per IRQ, 1: level triggered.  IRQ 0, 1, 2, 8 and 13
 *                   are always edge triggered
 *
 * As in the PIIX3, ELCR replaces ICW1's LTIM bit.  An input that falls before
 * it was acknowledged withdraws its request; an acknowledge without a request
 * gives the spurious vector, IRQ 7 or 15, which sets no in-service bit.
 * The MCS-80 modes are not there: vectors are always those of the 8086 mode.
 */

#include <stdbool.h>
#include <stdint.h>

#include "devices/device.h"
#include "devices/line.h"
#include "mem/space.h"

enum { PIC_IRQS = 16, PIC_CASCADE = 2 };

/* One 8259A.  Only bytes: it is saved as a buffer. */
struct pic_chip {
    uint8_t pins;  /* level of the eight inputs */
    uint8_t edges; /* edge-triggered requests not yet acknowledged */
    uint8_t isr, imr, elcr;
    uint8_t icw2; /* vector of input 0 */
    uint8_t icw3; /* master: inputs with a slave; slave: its number */
    uint8_t icw4;
    uint8_t single;      /* ICW1 SNGL: no cascade */
    uint8_t needs_icw4;  /* ICW1 IC4 */
    uint8_t expects;     /* next ICW, 2-4; 0 when initialised */
    uint8_t lowest;      /* the input with the lowest priority */
    uint8_t rotate_aeoi; /* rotate in automatic EOI mode */
    uint8_t special_mask;
    uint8_t read_isr; /* offset 0 reads the ISR, not the IRR */
    uint8_t poll;     /* the next read is a poll */
};

struct pic {
    struct device dev;
    struct pic_chip chip[2]; /* master, slave */
    struct line intr;        /* INT of the master */
};

/* intr goes to the CPU's INTR or the local APIC's LINT0. */
void pic_init(struct pic *pic, struct space *io, uint16_t master,
              uint16_t slave, uint16_t elcr, struct line intr);

/* Input irq, 0-15 except 2. */
struct line pic_line(struct pic *pic, unsigned irq);

/* The CPU's interrupt acknowledge cycles: returns the vector.  `pic` is a
 * struct pic; untyped because the CPU holds it as a callback's owner. */
uint8_t pic_ack(void *pic);

/* Level of INT: true while a request waits that the CPU should take. */
bool pic_pending(const struct pic *pic);

#endif
