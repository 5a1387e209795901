#include "cpu/simd_host.h"

/* Neither looks at MXCSR (SDM vol. 2, RCPSS, RSQRTSS). */
#define RUN(name)                                                   \
    bool simd_host_##name(uint32_t *v)                              \
    {                                                               \
        __asm__("movd %0, %%xmm0\n\t" #name "ss %%xmm0, %%xmm0\n\t" \
                "movd %%xmm0, %0"                                   \
                : "+r"(*v)                                          \
                :                                                   \
                : "xmm0");                                          \
        return true;                                                \
    }

RUN(rcp)
RUN(rsqrt)
