/* The I/O permission bitmap: level, IOPL, each bit, sizes, limits. */

#include "kernel.h"
#include "tests.h"

enum { MAP = 104, PORT = 0xf100 }; /* nothing answers at that port */

static void set_tss_limit(unsigned limit, unsigned type)
{
    gdt_set(SEL_TSS, segment((uint32_t)(word)&tss, limit, type, 0, true, 0));
    load_tr(SEL_TSS);
}

static void fill_map(uint8_t v)
{
    memset(tss.map, v, sizeof(tss.map));
    tss.at[25] = (uint32_t)MAP << 16;
}

static void set_bit(unsigned port, bool closed)
{
    uint8_t *byte = &tss.map[port / 8];

    *byte = (uint8_t)(closed ? *byte | 1u << port % 8
                             : *byte & ~(1u << port % 8));
}

/* IN and OUT of 1, 2 and 4 bytes; INS and OUTS. */
struct port_op {
    const char *name;
    uint8_t bytes[3], n, size;
};

static const struct port_op ops[] = {
    {"in al, dx", {0xec}, 1, 1},        {"in ax, dx", {0x66, 0xed}, 2, 2},
    {"in eax, dx", {0xed}, 1, 4},       {"out dx, al", {0xee}, 1, 1},
    {"out dx, ax", {0x66, 0xef}, 2, 2}, {"out dx, eax", {0xef}, 1, 4},
    {"insb", {0x6c}, 1, 1},             {"outsb", {0x6e}, 1, 1},
    {"insd", {0x6d}, 1, 4},             {"outsw", {0x66, 0x6f}, 2, 2},
};

enum { OPS = sizeof(ops) / sizeof(ops[0]) };

static void set_program(const struct port_op *op)
{
    code_at(CODE_AT);
    code_bytes(op->bytes, op->n);
    CODE_DONE();
}

static void ready_port(unsigned cpl, unsigned iopl, unsigned port)
{
    ready(cpl);
    in.flags |= (word)iopl << 12;
    in.gpr[DX] = port;
    in.gpr[SI] = in.gpr[DI] = DATA_AT;
}

/* SDM vol. 1, 19.5.1: CPL <= IOPL needs no map. */
static void levels(const struct port_op *op)
{
    for (unsigned n = 0; n < 32; n++) {
        unsigned cpl = n & 3, iopl = n >> 2 & 3;
        bool open = n >> 4;

        fill_map(open ? 0 : 0xff);
        ready_port(cpl, iopl, PORT);
        CHECK_RUN(cpl <= iopl || open ? OK : EVENT(GP, 0),
                  "%s cpl %u iopl %u, map %s", op->name, cpl, iopl,
                  open ? "open" : "closed");
    }
}

/* 19.5.2: all bits of the ports of one access must be clear, also where they
 * lie in two bytes of the map. */
static void bits(const struct port_op *op)
{
    for (unsigned first = 0; first < 8; first++) {
        for (unsigned closed = 0; closed < 16; closed++) {
            bool hit = closed >= first && closed < first + op->size;

            fill_map(0);
            set_bit(PORT + closed, true);
            ready_port(3, 0, PORT + first);
            CHECK_RUN(hit ? EVENT(GP, 0) : OK,
                      "%s at port +%u, closed is +%u", op->name, first,
                      closed);
        }
    }
    for (unsigned first = 0; first < 8; first++) {
        for (unsigned open = 1; open < 5; open++) {
            fill_map(0xff);
            for (unsigned i = 0; i < open; i++)
                set_bit(PORT + first + i, false);
            ready_port(3, 0, PORT + first);
            CHECK_RUN(open >= op->size ? OK : EVENT(GP, 0),
                      "%s at port +%u, %u are open", op->name, first, open);
        }
    }
}

/* Two bytes of the map are read for each access, and both must lie within the
 * limit; no map at all if its base does not. */
static void map_limits(void)
{
    unsigned need = MAP + PORT / 8 + 1;

    set_program(&ops[0]);
    fill_map(0);
    for (unsigned limit = need - 2; limit < need + 2; limit++) {
        set_tss_limit(limit, T_TSS32);
        ready_port(3, 0, PORT);
        CHECK_RUN(limit >= need ? OK : EVENT(GP, 0), "TSS limit %x, needs %x",
                  limit, need);
    }
    set_tss_limit(103, T_TSS32);
    for (unsigned base = 100; base < 110; base++) {
        tss.at[25] = base << 16;
        ready_port(3, 0, 0);
        CHECK_RUN(base + 1 <= 103 ? OK : EVENT(GP, 0),
                  "map at %u, TSS limit 103", base);
    }
    tss.at[25] = 0xffffu << 16;
    set_tss_limit(sizeof(tss) - 1, T_TSS32);
    ready_port(3, 0, PORT);
    CHECK_RUN(EVENT(GP, 0), "map base ffff");
}

/* A 16-bit TSS has no map. */
static void small_tss(void)
{
    if (LONG)
        return;
    fill_map(0);
    set_tss_limit(sizeof(tss) - 1, T_TSS16);
    for (unsigned cpl = 1; cpl < 4; cpl++) {
        set_program(&ops[0]);
        /* The stack for the fault comes from a 16-bit TSS: SP0, SS0. */
        tss.at[0] = 0x3000u << 16;
        tss.at[1] = SEL_TEST;
        gdt_set(SEL_TEST, segment(INNER_AT, 0xffff, T_DATA_RW, 0, true, D_B));
        ready_port(cpl, 0, PORT);
        CHECK_RUN(EVENT(GP, 0), "16-bit TSS, cpl %u", cpl);
    }
    machine_restore();
}

void test_ports(void)
{
    group("I/O permission", "SDM vol. 1, 19.5");
    set_tss_limit(sizeof(tss) - 1, T_TSS32);
    for (unsigned i = 0; i < OPS; i++) {
        set_program(&ops[i]);
        levels(&ops[i]);
        bits(&ops[i]);
    }
    map_limits();
    machine_restore();
    small_tss();
}

/* Virtual-8086 mode always asks the map, also with IOPL 3 (19.5.2). */
void test_ports_v86(void)
{
    group("V86: ports", "SDM vol. 3, 20.2.8");
    set_tss_limit(sizeof(tss) - 1, T_TSS32);
    code_at(CODE16_AT);
    CODE(0xec, 0xcc);
    for (unsigned n = 0; n < 16; n++) {
        bool open = n & 1;

        fill_map(open ? 0 : 0xff);
        ready_port(0, 0, PORT + (n >> 3));
        in.flags = 2 | F_VM | (word)(n >> 1 & 3) << 12;
        in.cs = CODE16_AT >> 4;
        in.ss = STACK16_AT >> 4;
        in.ip = 0;
        in.gpr[SP] = 0x1000;
        CHECK_RUN(open ? EVENT(BP_, 0) : EVENT(GP, 0), "V86 in, iopl %u, %s",
                  n >> 1 & 3, open ? "open" : "closed");
    }
    machine_restore();
}
