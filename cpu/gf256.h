#ifndef CPU_GF256_H
#define CPU_GF256_H

/*
 * The field of 256 elements of AES and of GFNI: bytes are polynomials over one
 * bit, modulo x^8 + x^4 + x^3 + x + 1 (FIPS 197, 4).
 */

#include <stdint.h>

extern const uint8_t gf_inverse[256]; /* that of 0 is 0 */

uint8_t gf_multiply(uint8_t a, uint8_t b);

/* matrix * x: bit i of the result is the parity of x with byte 7 - i of the
 * matrix (SDM vol. 2, GF2P8AFFINEQB). */
uint8_t gf_transform(uint64_t matrix, uint8_t x);

#endif
