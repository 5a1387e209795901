/* Interrupts from outside: when they are taken, what holds them back. */

#include "kernel.h"
#include "tests.h"

enum { IRQ0 = 0x20, MASTER_MASK = 0x21, TAKEN = EVENT(IRQ0, 0) };

/* Leaves the timer's request pending at the interrupt controller. */
static void pend(void)
{
    outb(MASTER_MASK, 0xff);
    outb(0x43, 0x30); /* counter 0, mode 0 */
    outb(0x40, 1);
    outb(0x40, 0);
    for (unsigned i = 0; i < 1000000; i++) {
        outb(0x20, 0x0a);
        if (inb(0x20) & 1)
            break;
    }
    outb(MASTER_MASK, 0xfe);
}

static void settle(void)
{
    outb(MASTER_MASK, 0xff);
    outb(0x20, 0x0a);
    outb(0x20, 0x20);
}

static void expect_at(const char *what, uint32_t want, unsigned ip,
                      word flags)
{
    in.flags |= flags;
    pend();
    CHECK_RUN(want, "%s", what);
    if (want == TAKEN)
        check(out.ip, (word)CODE_AT + ip, "%s: IP", what);
    settle();
}

static void push(word v)
{
    in.gpr[SP] -= sizeof(word);
    *(word *)in.gpr[SP] = v;
}

void test_shadows(void)
{
    group("interrupts and shadows", "SDM vol. 3, 6.8; vol. 2, STI, MOV, POP");
    PROGRAM(0x90);
    ready(0);
    expect_at("IF clear", OK, 0, 0);
    ready(0);
    expect_at("IF set", TAKEN, 0, F_IF);
    ready(3);
    expect_at("IF set, level 3", TAKEN, 0, F_IF);
    /* STI lets one more instruction be done. */
    PROGRAM(0xfb, 0x90, 0x90);
    ready(0);
    expect_at("sti; nop", TAKEN, 2, 0);
    PROGRAM(0xfb, 0xfa, 0x90);
    ready(0);
    expect_at("sti; cli", OK, 0, 0);
    PROGRAM(0xfb, 0x40 | (LONG ? 0x50 : 0), 0x90);
    ready(0);
    expect_at("sti; another", TAKEN, 2, 0);
    /* It holds nothing back if IF was set. */
    PROGRAM(0x9d, 0x90, 0x90);
    ready(0);
    push(2 | F_IF);
    expect_at("popf sets IF", TAKEN, 1, 0);
    /* HLT after STI ends at once. */
    PROGRAM(0xfb, 0xf4, 0x90);
    ready(0);
    expect_at("sti; hlt", TAKEN, 2, 0);
    PROGRAM(0xfb, 0x8e, 0xd8, 0x90);
    ready(0);
    in.gpr[AX] = SEL_DATA;
    expect_at("sti; mov ds", TAKEN, 3, 0);
    PROGRAM(0xfb, 0xeb, 0x00, 0x90);
    ready(0);
    expect_at("sti; jmp", TAKEN, 3, 0);
    /* A fault in the shadow comes first. */
    PROGRAM(0xfb, 0x0f, 0x0b);
    ready(0);
    expect_at("sti; ud2", EVENT(UD, 0), 0, 0);
    /* A breakpoint or step of the instruction comes before the interrupt
     * (table 6-2). */
    PROGRAM(0xfb, 0x90, 0x90);
    ready(0);
    expect_at("sti; nop with TF", EVENT(DB, 0), 0, F_TF);
    machine_restore();
}
