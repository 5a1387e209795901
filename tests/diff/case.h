#ifndef TESTS_DIFF_CASE_H
#define TESTS_DIFF_CASE_H

/*
 * A test case: the state before, a program, and what is in memory.  It depends
 * on nothing but a seed, a number and the set of features, so that it can be
 * made again anywhere.
 */

#include <stdbool.h>
#include <stdint.h>

#include "cpu/regs.h"

/* How the code is run: CS, and what the other segments are. */
enum code_kind {
    CODE_64,
    CODE_32,     /* flat, as Linux runs 32-bit programs */
    CODE_32_LDT, /* a segment with an odd base */
    CODE_16,     /* LDT */
    CODE_KINDS,
};

/* x87, SSE and AVX state in the format of XSAVE (SDM vol. 1, 13.4). */
struct xarea {
    uint8_t legacy[512];
    uint64_t xstate_bv, xcomp_bv;
    uint8_t reserved[48];
    uint8_t ymm_high[16][16];
} __attribute__((aligned(64)));

enum { /* offsets in xarea.legacy (SDM vol. 1, table 10-2) */
    X_FCW = 0, X_FSW = 2, X_FTW = 4, X_FOP = 6, X_FIP = 8, X_FDP = 16,
    X_MXCSR = 24, X_MXCSR_MASK = 28, X_ST = 32, X_XMM = 160,
};

struct state {
    struct xarea x;
    uint64_t gpr[GPR_COUNT];
    uint64_t rip; /* linear if CS is flat, else an offset */
    uint64_t fs_base, gs_base; /* 64-bit code */
    uint32_t eflags;
    uint16_t sel[SEG_COUNT];
};

/* How it ended. */
enum { END_NORMAL = -1, END_LOST = -2 /* did not come back by itself */ };

struct outcome {
    struct state state;
    int vector; /* or END_* */
    uint32_t error;
    uint64_t cr2;
};

enum { PROGRAM_MAX = 40, ITEM_BYTES = 15, ITEM_NO_TARGET = 0xff };

struct item {
    uint8_t bytes[ITEM_BYTES];
    uint8_t len;
    uint16_t row;    /* enum insn_id */
    uint8_t target;  /* a branch goes to this item; `count`: to the end */
    uint8_t rel;     /* bytes of the branch's displacement, 0: none */
    uint16_t offset; /* in the code, once laid out */
    uint32_t unsure; /* flags without a defined value before it */
};

enum { PATCHES = 12, PATCH_SIZE = 64, CODE_ROOM = 640 };

/* Bytes of memory that are not as in the base image. */
struct patch {
    uint32_t at; /* address */
    uint8_t bytes[PATCH_SIZE];
};

struct test_case {
    uint64_t seed, number;
    uint64_t code_id; /* cases of one program have the same; 0: none other */
    enum code_kind kind;
    uint16_t row; /* the row that it is about */
    bool native;  /* the host CPU can run it */
    bool mutant;  /* not an instruction: #UD is what is expected */
    uint8_t count;
    struct item item[PROGRAM_MAX];
    uint32_t unsure_end; /* like item.unsure, at the end */
    uint32_t code_at;    /* linear address */
    uint16_t code_size;
    uint8_t code[CODE_ROOM];
    struct state in;
    /* What other states for the same program must keep. */
    uint16_t kept_gprs;
    bool kept_memory, kept_vectors;
    uint8_t patch_count;
    struct patch patch[PATCHES];
};

/* The base of the code segment. */
uint64_t case_cs_base(enum code_kind kind);
const char *case_kind_name(enum code_kind kind);

/* Puts the items one after the other, with the way out behind them, and
 * resolves branches.  False if a branch does not reach. */
bool case_lay_out(struct test_case *c);

/* The item at offset `at` of the code; count: the end. */
unsigned case_item_at(const struct test_case *c, uint64_t at);

/* The contents of the data pages before any patch. */
void case_base_image(uint8_t image[][0x1000]);

#endif
