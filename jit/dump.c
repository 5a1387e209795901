#include "jit/dump.h"

#include <capstone.h>
#include <inttypes.h>

#include "base/log.h"
#include "cpu/cpu.h"

static void list(csh cs, const uint8_t *code, size_t size, uint64_t at)
{
    cs_insn *insn;
    size_t n = cs_disasm(cs, code, size, at, 0, &insn);

    for (size_t k = 0; k < n; k++)
        log_trace("  %#10" PRIx64 "  %s %s\n", insn[k].address,
                  insn[k].mnemonic, insn[k].op_str);
    if (n)
        cs_free(insn, n);
}

static void dump_guest(const struct ir_block *b)
{
    cs_mode mode = b->mode & MODE_CODE64   ? CS_MODE_64
                   : b->mode & MODE_CODE32 ? CS_MODE_32
                                           : CS_MODE_16;
    csh cs;

    if (cs_open(CS_ARCH_X86, mode, &cs) != CS_ERR_OK)
        return;
    log_trace("IN: mode %#x\n", b->mode);
    for (unsigned k = 0; k < b->insn_count; k++)
        list(cs, b->insn[k].bytes, b->insn[k].len, b->ip[k]);
    cs_close(&cs);
}

static void dump_host(const struct jit_out *out)
{
    csh cs;

#if defined(__x86_64__)
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &cs) != CS_ERR_OK)
        return;
#else
    if (cs_open(CS_ARCH_ARM64, CS_MODE_ARM, &cs) != CS_ERR_OK)
        return;
#endif
    log_trace("OUT: %zu bytes\n", out->size);
    list(cs, out->rw + out->at, out->size, out->at);
    cs_close(&cs);
}

void jit_dump(const struct ir_block *b, const struct jit_out *out)
{
    if (log_on(LOG_IN_ASM))
        dump_guest(b);
    if (log_on(LOG_OP))
        ir_print(b, log_file());
    if (log_on(LOG_OUT_ASM))
        dump_host(out);
}
