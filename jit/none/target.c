/* A host that no backend generates code for: the interpreter runs. */

#include "jit/backend.h"

#include <stddef.h>

const struct jit_backend *jit_backend_host(void)
{
    return NULL;
}
