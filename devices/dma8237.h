#ifndef DEVICES_DMA8237_H
#define DEVICES_DMA8237_H

/*
 * The AT's DMA: two 8237A controllers and their page registers.
 * Intel 8237A data sheet (231466); IBM AT Technical Reference, "DMA".
 *
 *   low    16 byte ports     channels 0-3, byte transfers
 *   high   16 ports at even  channels 4-7, word transfers; 4 is the cascade
 *          addresses
 *   page   16 byte ports     address bits 23-16 of the channels; the rest is
 *                            storage
 *
 * Ports of a controller, in its own numbering:
 *   0-7  address and count of channels 0-3, low byte then high byte, steered
 *        by one flip-flop
 *   8    read status (clears the terminal counts), write command
 *   9    request        a  mask one channel     b  mode
 *   c    clear the flip-flop                    d  read temporary, master clear
 *   e    clear the mask f  write (or read) the whole mask
 *
 * A device on the bus gets a struct dma_channel and hands it bytes; only RAM
 * is reached.  Memory-to-memory transfers are not there, as on an AT.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "devices/device.h"
#include "mem/physmem.h"
#include "mem/space.h"

enum { DMA_CONTROLLERS = 2, DMA_CHANNELS = 4, DMA_PAGES = 16 };

struct dma8237_chip {
    uint16_t base_address[DMA_CHANNELS], base_count[DMA_CHANNELS];
    uint16_t address[DMA_CHANNELS], count[DMA_CHANNELS];
    uint8_t mode[DMA_CHANNELS];
    uint8_t command, mask, request;
    uint8_t status;    /* bits 3-0: terminal count reached */
    uint8_t high_byte; /* the flip-flop */
    uint8_t reserved[3];
};

struct dma8237 {
    struct device dev;
    struct physmem *pm;
    struct dma8237_chip chip[DMA_CONTROLLERS];
    uint8_t page[DMA_PAGES];
};

/* DREQ and DACK of one channel, as a device holds them. */
struct dma_channel {
    struct dma8237 *ctl;
    unsigned number; /* 0-7 except 4 */
};

void dma8237_init(struct dma8237 *d, struct space *io, uint16_t low,
                  uint16_t high, uint16_t page, struct physmem *pm);

struct dma_channel dma8237_channel(struct dma8237 *d, unsigned number);

/*
 * Moves up to size bytes between `data` and memory, in the direction that the
 * guest programmed: a write transfer goes to memory, a read transfer comes
 * from it, a verify transfer moves nothing but counts.  Stops at the terminal
 * count and then sets *tc.  Returns how many bytes were dealt with, 0 if the
 * channel is masked; size must be even on channels 5-7.
 */
size_t dma8237_transfer(const struct dma_channel *c, uint8_t *data, size_t size,
                        bool *tc);

#endif
