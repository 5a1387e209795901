#include "cpu/simd_host.h"

bool simd_host_rcp(uint32_t *v)
{
    (void)v;
    return false;
}

bool simd_host_rsqrt(uint32_t *v)
{
    (void)v;
    return false;
}
