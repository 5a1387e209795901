#include "cpu/trace.h"

#include <inttypes.h>

#include "base/compiler.h"
#include "cpu/cpu.h"

static const char gpr_name[GPR_COUNT][4] = {
    "RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
    "R8",  "R9",  "R10", "R11", "R12", "R13", "R14", "R15",
};

static const char seg_name[SEG_COUNT][3] = {
    [ES] = "ES", [CS] = "CS", [SS] = "SS",
    [DS] = "DS", [FS] = "FS", [GS] = "GS",
};

static const char *mode_name(const struct cpu *cpu)
{
    if (cpu->eflags & FLAG_VM)
        return "virtual-8086";
    if (!(cpu->cr0 & CR0_PE))
        return "real";
    return cpu_long(cpu) && !cpu_code64(cpu) ? "compatibility"
           : cpu_long(cpu)                   ? "long"
                                             : "protected";
}

static unsigned code_bits(const struct cpu *cpu)
{
    if (cpu_code64(cpu))
        return 64;
    return cpu->mode & MODE_CODE32 ? 32 : 16;
}

static void write_segment(const char *name, const struct segment *s)
{
    log_trace("%-4s%04x %016" PRIx64 " %08x %05x\n", name, s->sel, s->base,
              s->limit, s->attr);
}

static void write_gprs(const struct cpu *cpu)
{
    for (unsigned r = 0; r < GPR_COUNT; r++)
        log_trace("%-3s=%016" PRIx64 "%c", gpr_name[r], cpu->gpr[r],
                  r % 4 == 3 ? '\n' : ' ');
    log_trace("RIP=%016" PRIx64 " RFL=%08x CPL=%u%s\n", cpu->rip,
              cpu_eflags(cpu), cpu->cpl, cpu->halted ? " HLT" : "");
}

static void write_registers(const struct cpu *cpu)
{
    write_gprs(cpu);
    for (unsigned s = 0; s < SEG_COUNT; s++)
        write_segment(seg_name[s], &cpu->seg[s]);
    write_segment("LDT", &cpu->ldtr);
    write_segment("TR", &cpu->tr);
    log_trace("GDT %016" PRIx64 " %04x  IDT %016" PRIx64 " %04x\n",
              cpu->gdtr.base, cpu->gdtr.limit, cpu->idtr.base,
              cpu->idtr.limit);
    log_trace("CR0=%08" PRIx64 " CR2=%016" PRIx64 " CR3=%016" PRIx64
              " CR4=%08" PRIx64 " EFER=%04" PRIx64 "\n",
              cpu->cr0, cpu->cr2, cpu->cr3, cpu->cr4, cpu->efer);
}

void trace_write(const struct cpu *cpu)
{
    if (log_on(LOG_EXEC))
        log_trace("exec %04x:%016" PRIx64 " %s %u-bit cpl %u\n",
                  cpu->seg[CS].sel, cpu->rip, mode_name(cpu), code_bits(cpu),
                  cpu->cpl);
    if (log_on(LOG_CPU))
        write_registers(cpu);
}
