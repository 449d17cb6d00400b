#!/usr/bin/env python3
"""Writes src/base/number_pow10.inc: the leading 128 bits, rounded down, of every power of ten that
parsing (10^-342 .. 10^308) and printing (10^-292 .. 10^324) of doubles need.

Entry q holds floor(10^q * 2^s) for the s that puts it into [2^127, 2^128). Run it from the root of
the tree:  tools/gen_pow10.py > src/base/number_pow10.inc
"""

FIRST, LAST = -342, 324


def leading_128_bits(q):
    if q >= 0:
        power = 10**q
        shift = power.bit_length() - 128
        return power >> shift if shift >= 0 else power << -shift
    power = 10**-q
    # 2^b / 10^-q with b chosen so that the quotient has 128 bits; the power is never a power of two
    return (1 << (power.bit_length() + 127)) // power


print("/* Made by tools/gen_pow10.py; do not edit. {high, low} of 10^%d .. 10^%d. */" % (FIRST, LAST))
for q in range(FIRST, LAST + 1):
    bits = leading_128_bits(q)
    assert bits.bit_length() == 128
    high, low = bits >> 64, bits & (2**64 - 1)
    assert low != 2**64 - 1, "users add one without a carry"
    print("{UINT64_C(0x%016x), UINT64_C(0x%016x)}," % (high, low))
