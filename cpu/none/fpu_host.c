#include "cpu/fpu_host.h"

bool fpu_host_run(struct fpu *fpu, uint8_t modrm)
{
    (void)fpu, (void)modrm;
    return false;
}

bool fpu_host_comi_keeps_c1(void)
{
    return true;
}
