#include "tests/lockstep/report.h"

#include <capstone/capstone.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/state.h"
#include "cpu/insn.h"

enum { MEMORY_SHOWN = 16 };

/* --- the instruction --- */

/* Bytes of code at rip, as many as are mapped. */
static size_t code_at_rip(struct pc *pc, uint8_t bytes[INSN_MAX_LEN])
{
    struct cpu *cpu = &pc->cpu;
    bool code64 = cpu->mode & MODE_CODE64;
    size_t n = 0;
    paddr pa;

    for (; n < INSN_MAX_LEN; n++) {
        laddr la = cpu->rip + n;

        if (!code64)
            la = (uint32_t)(la + cpu->seg[CS].base);
        if (!mmu_debug_translate(&cpu->mmu, la, &pa))
            break;
        bytes[n] = (uint8_t)physmem_read(&pc->mem, pa, 1);
    }
    return n;
}

static cs_mode capstone_mode(const struct cpu *cpu)
{
    if (cpu->mode & MODE_CODE64)
        return CS_MODE_64;
    return cpu->mode & MODE_CODE32 ? CS_MODE_32 : CS_MODE_16;
}

void report_insn(struct pc *pc)
{
    uint8_t bytes[INSN_MAX_LEN];
    size_t size = code_at_rip(pc, bytes), n = 0;
    cs_insn *insn = NULL;
    csh cs;

    printf("  %04x:%016" PRIx64 "  ", pc->cpu.seg[CS].sel, pc->cpu.rip);
    if (cs_open(CS_ARCH_X86, capstone_mode(&pc->cpu), &cs) == CS_ERR_OK) {
        n = cs_disasm(cs, bytes, size, pc->cpu.rip, 1, &insn);
        if (n) {
            printf("%s %s", insn->mnemonic, insn->op_str);
            size = insn->size;
            cs_free(insn, n);
        }
        cs_close(&cs);
    }
    printf("%s   ;", n ? "" : size ? "?" : "(not mapped)");
    for (size_t i = 0; i < size; i++)
        printf(" %02x", bytes[i]);
    putchar('\n');
}

/* --- the states --- */

/* A dump as text; the caller frees it. */
static char *dump(const struct cpu *cpu)
{
    char *text = NULL;
    size_t size;
    FILE *f = open_memstream(&text, &size);

    if (!f)
        return NULL;
    state_dump(cpu_state, cpu, f);
    fclose(f);
    return text;
}

/* The lines of two dumps have the same names in the same order. */
static void print_lines(char *a, char *b)
{
    char *save_a, *save_b;
    char *line_a = strtok_r(a, "\n", &save_a);
    char *line_b = strtok_r(b, "\n", &save_b);

    while (line_a && line_b) {
        if (strcmp(line_a, line_b))
            printf("! jit    %s\n! interp %s\n", line_a, line_b);
        else
            printf("         %s\n", line_a);
        line_a = strtok_r(NULL, "\n", &save_a);
        line_b = strtok_r(NULL, "\n", &save_b);
    }
}

static void print_memory(const struct ram *a, const struct ram *b)
{
    unsigned shown = 0;

    for (uint64_t at = 0; at < a->size && shown < MEMORY_SHOWN; at += 8) {
        uint64_t v = load64(a->mem.rw + at), w = load64(b->mem.rw + at);

        if (v == w)
            continue;
        printf("! memory %#" PRIx64 ": jit %016" PRIx64 " interp %016" PRIx64
               "\n",
               at, v, w);
        shown++;
    }
}

void report_states(struct pair *p)
{
    char *a = dump(&p->jit.pc.cpu), *b = dump(&p->interp.pc.cpu);

    if (a && b)
        print_lines(a, b);
    free(a);
    free(b);
    print_memory(&p->jit.pc.mem.ram, &p->interp.pc.mem.ram);
}
