#include "cpu/interp.h"

#include <string.h>

#include "cpu/decode.h"
#include "cpu/fault.h"
#include "cpu/segment.h"

/*
 * Instruction fetch of one instruction.  Limit and page faults come exactly
 * when a byte is needed, and a register window is not read beyond the
 * instruction: so what lies in the first page is decoded at once if it is RAM,
 * and everything else byte by byte.
 */

static laddr code_linear(const struct cpu *cpu, uint64_t ip)
{
    return cpu_code64(cpu) ? ip : (uint32_t)(cpu->seg[CS].base + ip);
}

/* SDM vol. 3, 5.3: beyond the limit, or not canonical: #GP(0). */
static void check_ip(struct cpu *cpu, uint64_t ip)
{
    if (cpu_code64(cpu) ? !laddr_is_canonical(ip) : ip > cpu->seg[CS].limit)
        cpu_raise_error(cpu, EXC_GP, 0);
}

/* The byte at ip, in RAM or not. */
static uint8_t fetch_byte(struct cpu *cpu, uint64_t ip)
{
    laddr la = code_linear(cpu, ip);
    uint64_t ram_at;
    paddr pa = 0;

    check_ip(cpu, ip);
    if (!mmu_fetch_page(&cpu->mmu, la, &ram_at))
        cpu_raise_page_fault(cpu);
    if (ram_at != UINT64_MAX)
        return cpu->mmu.pm->ram.mem.rw[ram_at];
    if (!mmu_debug_translate(&cpu->mmu, la, &pa))
        return 0xff;
    return (uint8_t)physmem_read(cpu->mmu.pm, pa, 1);
}

/* Copies what lies in the first page and within the limit; 0 if not in RAM. */
static unsigned fetch_page(struct cpu *cpu, uint8_t bytes[INSN_MAX_LEN])
{
    laddr la = code_linear(cpu, cpu->rip);
    uint64_t size = PAGE_SIZE - la % PAGE_SIZE, ram_at;

    check_ip(cpu, cpu->rip);
    if (!mmu_fetch_page(&cpu->mmu, la, &ram_at))
        cpu_raise_page_fault(cpu);
    if (ram_at == UINT64_MAX)
        return 0;
    if (size > INSN_MAX_LEN)
        size = INSN_MAX_LEN;
    if (!cpu_code64(cpu) && size - 1 > cpu->seg[CS].limit - cpu->rip)
        size = cpu->seg[CS].limit - cpu->rip + 1;
    memcpy(bytes, cpu->mmu.pm->ram.mem.rw + ram_at, size);
    return (unsigned)size;
}

void interp_fetch(struct cpu *cpu, struct insn *in)
{
    uint8_t bytes[INSN_MAX_LEN];
    unsigned n = fetch_page(cpu, bytes);
    enum decode_result result = decode(bytes, n, cpu->mode, cpu->features, in);

    while (result == DECODE_MORE && n < INSN_MAX_LEN) {
        bytes[n] = fetch_byte(cpu, cpu->rip + n);
        n++;
        result = decode(bytes, n, cpu->mode, cpu->features, in);
    }
    if (result == DECODE_UD)
        cpu_raise(cpu, EXC_UD);
    if (result != DECODE_OK)
        cpu_raise_error(cpu, EXC_GP, 0);
}
