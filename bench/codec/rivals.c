/* What floats would take in the published ways, computed from the papers' formulas: sizes of packed
 * fields, exceptions and headers per vector of 1,024, nothing written.
 *
 * ALP and ALP-RD: Afroozeh, Kuffó and Boncz, SIGMOD 2024. A vector has an exponent e and a factor
 * f; a value is the integer round(v * 10^e * 10^-f), minus the least of them, or an exception of 64
 * + 16 bits. ALP-RD cuts a value at one place for the column: low bits as they are, high ones as
 * one of eight in a dictionary, or an exception of 16 + 16 bits. Decimal delta: integers v * 10^k,
 * zigzag differences packed, exceptions as in ALP. */
#include <math.h>
#include <string.h>

#include "bench_codec.h"

enum { VECTOR = 1024, SAMPLES = 32, HEADER_BITS = 64 + 8 + 8 + 8 + 16, EXCEPTION_BITS = 80 };

static double power(int exponent) {
  static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,
                                  1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19};
  return powers[exponent];
}
static double tenth(int exponent) {
  static const double tenths[] = {1e0,   1e-1,  1e-2,  1e-3,  1e-4,  1e-5,  1e-6,
                                  1e-7,  1e-8,  1e-9,  1e-10, 1e-11, 1e-12, 1e-13,
                                  1e-14, 1e-15, 1e-16, 1e-17, 1e-18, 1e-19};
  return tenths[exponent];
}

static unsigned width_of(uint64_t value) {
  return value ? 64 - (unsigned)__builtin_clzll(value) : 0;
}

/* The integer of a value, if it leads back to it. */
static bool alp_integer(double value, int e, int f, int64_t *integer) {
  double scaled = rint(value * power(e) * tenth(f));
  if (!(fabs(scaled) < 0x1p62)) return false;
  *integer = (int64_t)scaled;
  double back = (double)*integer * power(f) * tenth(e);
  return memcmp(&back, &value, sizeof back) == 0;
}

/* Bits of values under one pair, every `step`th of them. */
static double alp_bits(const double *values, size_t count, size_t step, int e, int f) {
  int64_t least = INT64_MAX, most = INT64_MIN;
  size_t taken = 0, exceptions = 0;
  for (size_t i = 0; i < count; i += step, taken++) {
    int64_t integer;
    if (!alp_integer(values[i], e, f, &integer)) {
      exceptions++;
      continue;
    }
    least = integer < least ? integer : least;
    most = integer > most ? integer : most;
  }
  unsigned width = most >= least ? width_of((uint64_t)most - (uint64_t)least) : 0;
  return (double)taken * width + (double)exceptions * EXCEPTION_BITS;
}

static double alp(const double *values, size_t count) {
  double bits = 0;
  for (size_t at = 0; at < count; at += VECTOR) {
    size_t size = count - at < VECTOR ? count - at : VECTOR;
    size_t step = size / SAMPLES ? size / SAMPLES : 1;
    double least = INFINITY;
    int best_e = 0, best_f = 0;
    for (int e = 0; e <= 18; e++) {
      for (int f = 0; f <= e; f++) {
        double found = alp_bits(values + at, size, step, e, f);
        if (found >= least) continue;
        least = found;
        best_e = e;
        best_f = f;
      }
    }
    bits += HEADER_BITS + alp_bits(values + at, size, 1, best_e, best_f);
  }
  return bits / (double)count;
}

static int by_number(const void *a, const void *b) {
  uint16_t x = *(const uint16_t *)a, y = *(const uint16_t *)b;
  return (x > y) - (x < y);
}

/* How many of sorted numbers are none of the eight most frequent. */
static size_t outside_dictionary(const uint16_t *sorted, size_t count) {
  size_t top[8] = {0}, inside = 0;
  for (size_t i = 0, run; i < count; i += run) {
    for (run = 1; i + run < count && sorted[i + run] == sorted[i];)
      run++;
    size_t left = run;
    for (int k = 0; k < 8; k++) {
      if (top[k] >= left) continue;
      size_t swap = top[k];
      top[k] = left;
      left = swap;
    }
  }
  for (int k = 0; k < 8; k++)
    inside += top[k];
  return count - inside;
}

static double alp_rd(const uint64_t *values, size_t count) {
  double best = INFINITY;
  uint16_t *high = malloc(count * sizeof *high);
  if (!high) abort();
  for (int cut = 48; cut < 64; cut++) {
    for (size_t i = 0; i < count; i++)
      high[i] = (uint16_t)(values[i] >> cut);
    qsort(high, count, sizeof *high, by_number);
    double exceptions = (double)outside_dictionary(high, count);
    best = fmin(best, cut + 3 + 32 * exceptions / (double)count);
  }
  free(high);
  return best + 16.0 / VECTOR;
}

static bool decimal_integer(double value, int k, int64_t *integer) {
  double shifted = rint(value * power(k)), back = shifted / power(k);
  *integer = fabs(shifted) < 0x1p53 ? (int64_t)shifted : 0;
  return fabs(shifted) < 0x1p53 && memcmp(&back, &value, sizeof back) == 0;
}

/* One exponent for the column: the one that costs least. */
static double decimal_delta(const double *values, size_t count) {
  double best = INFINITY;
  for (int k = 0; k <= 18; k++) {
    double bits = 0;
    for (size_t at = 0; at < count; at += VECTOR) {
      size_t size = count - at < VECTOR ? count - at : VECTOR, exceptions = 0;
      int64_t previous = 0, integer;
      unsigned width = 0;
      for (size_t i = 0, known = 0; i < size; i++) {
        if (!decimal_integer(values[at + i], k, &integer)) {
          exceptions++;
          continue;
        }
        int64_t d = known++ ? integer - previous : 0;
        unsigned needed = width_of((uint64_t)d << 1 ^ (uint64_t)(d >> 63));
        width = needed > width ? needed : width;
        previous = integer;
      }
      bits += HEADER_BITS + (double)size * width + (double)exceptions * EXCEPTION_BITS;
    }
    best = fmin(best, bits / (double)count);
  }
  return best;
}

double rivals_measure(const struct column *column) {
  const double *values = (const double *)(const void *)column->u64;
  size_t count = (size_t)column->length;
  double a = alp(values, count), rd = alp_rd(column->u64, count),
         delta = decimal_delta(values, count);
  printf("  ALP %.3f, ALP-RD %.3f, decimal delta %.3f bits, computed\n", a, rd, delta);
  return fmin(a, fmin(rd, delta));
}
