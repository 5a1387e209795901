/* Loads, stores, chains of pointers and copies. */
#include <string.h>

#include "bench.h"

#define SMALL 16384u
#define LINE 64u
#define BLOCK 4096u

static void fill_random(unsigned char *arena)
{
    uint64_t x = 88172645463325252u;

    for (size_t at = 0; at < SMALL; at += sizeof(x)) {
        x = xorshift(x);
        memcpy(arena + at, &x, sizeof(x));
    }
}

static uint64_t run_sum(unsigned char *arena, unsigned count)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < count; i++)
        for (size_t at = 0; at < SMALL / 8; at++)
            sum += ((volatile uint64_t *)arena)[at];
    return sum;
}

static uint64_t run_fill(unsigned char *arena, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        for (size_t at = 0; at < SMALL / 8; at++)
            ((volatile uint64_t *)arena)[at] = i;
    return run_sum(arena, 1);
}

/* Links every cache line of the first bytes into one ring of random order
 * (Sattolo's shuffle). */
static void link_ring(unsigned char *arena, size_t bytes)
{
    size_t lines = bytes / LINE;
    uint64_t x = 88172645463325252u;

    for (size_t i = 0; i < lines; i++)
        *(void **)(arena + i * LINE) = arena + i * LINE;
    for (size_t i = lines - 1; i > 0; i--) {
        void **one = (void **)(arena + i * LINE), **other, *old;

        x = xorshift(x);
        other = (void **)(arena + x % i * LINE);
        old = *one;
        *one = *other;
        *other = old;
    }
}

static void link_8(unsigned char *arena)
{
    link_ring(arena, 8 * PAGE);
}

static void link_512(unsigned char *arena)
{
    link_ring(arena, 512 * PAGE);
}

static void link_all(unsigned char *arena)
{
    link_ring(arena, ARENA_BYTES);
}

static uint64_t run_chase(unsigned char *arena, unsigned count)
{
    void *at = arena;

    for (unsigned i = 0; i < count; i++)
        at = *(void **)at;
    return (uint64_t)((unsigned char *)at - arena);
}

static uint64_t run_memcpy(unsigned char *arena, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        arena[0] = (unsigned char)i;
        memcpy(arena + SMALL, arena, BLOCK);
        __asm__ volatile("" ::: "memory");
    }
    return run_sum(arena + SMALL, 1);
}

static uint64_t run_byte_loop(unsigned char *arena, unsigned count)
{
    volatile unsigned char *to = arena + SMALL;

    for (unsigned i = 0; i < count; i++)
        for (size_t at = 0; at < BLOCK; at++)
            to[at] = arena[at];
    return run_sum(arena + SMALL, 1);
}

static uint64_t run_movsb(unsigned char *arena, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned char *to = arena + SMALL, *from = arena;
        size_t left = BLOCK;

        arena[0] = (unsigned char)i;
        __asm__ volatile("rep movsb"
                         : "+D"(to), "+S"(from), "+c"(left)
                         :
                         : "memory");
    }
    return run_sum(arena + SMALL, 1);
}

static uint64_t run_stosq(unsigned char *arena, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned char *to = arena;
        size_t left = BLOCK / 8;

        __asm__ volatile("rep stosq"
                         : "+D"(to), "+c"(left)
                         : "a"((uint64_t)i)
                         : "memory");
    }
    return run_sum(arena, 1);
}

/* String instructions without REP, as compilers of old and unpackers use
 * them. */
static uint64_t run_string_steps(unsigned char *arena, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        unsigned char *to = arena + SMALL, *from = arena;
        size_t left = BLOCK / 4;

        __asm__ volatile("1: lodsb\n\t"
                         "xor %b[key], %%al\n\t"
                         "stosb\n\t"
                         "scasb\n\t"
                         "movsw\n\t"
                         "dec %[left]\n\t"
                         "jnz 1b"
                         : "+D"(to), "+S"(from), [left] "+r"(left)
                         : [key] "q"(i)
                         : "memory", "cc", "rax");
    }
    return run_sum(arena + SMALL, 1);
}

const struct row memory_rows[] = {
    {"sum-16k", fill_random, run_sum, 100000},
    {"fill-16k", NULL, run_fill, 100000},
    {"chase-8-pages", link_8, run_chase, 60000007},
    {"chase-512-pages", link_512, run_chase, 6000007},
    {"chase-16m", link_all, run_chase, 1500007},
    {"memcpy-4k", fill_random, run_memcpy, 1500000},
    {"byte-loop-4k", fill_random, run_byte_loop, 60000},
    {"string-steps", fill_random, run_string_steps, 20000},
    {"rep-movsb-4k", fill_random, run_movsb, 200000},
    {"rep-stosq-4k", NULL, run_stosq, 500000},
    {NULL, NULL, NULL, 0},
};
