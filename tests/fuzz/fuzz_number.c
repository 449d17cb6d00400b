/* Number parsing against the C library, and printing back. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/number.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
  if (!holds) abort();
}

static void check_float(const char *text, size_t size) {
  const char *at = text;
  double value = 0;
  enum number_result result = number_parse_f64(&at, text + size, &value);
  check(at >= text && at <= text + size);
  if (result == NUMBER_SYNTAX) return;
  size_t used = (size_t)(at - text);
  char *copy = malloc(used + 1);
  memcpy(copy, text, used);
  copy[used] = '\0';
  char *stop;
  double expected = strtod(copy, &stop);
  check(stop == copy + used && f64_bits(value) == f64_bits(expected));
  check((result == NUMBER_RANGE) == (isinf(expected) != 0));
  free(copy);
  char printed[NUMBER_PLAIN_TEXT_MAX];
  const char *end = number_print_f64_plain(value, printed);
  if (!isfinite(value)) return;
  at = printed;
  double back;
  check(number_parse_f64(&at, end, &back) == NUMBER_OK && at == end);
  check(f64_bits(back) == f64_bits(value));
}

static void check_integers(const char *text, size_t size) {
  const char *at = text, *end = text + size;
  int64_t value;
  uint64_t magnitude;
  enum number_result result = number_parse_i64(&at, end, &value);
  check(at >= text && at <= end);
  char printed[NUMBER_TEXT_MAX];
  if (result == NUMBER_OK) {
    const char *stop = number_print_i64(value, printed), *next = printed;
    int64_t back;
    check(number_parse_i64(&next, stop, &back) == NUMBER_OK && next == stop && back == value);
  }
  at = text;
  if (number_parse_u64(&at, end, &magnitude) == NUMBER_OK && magnitude <= INT64_MAX)
    check(result == NUMBER_OK && value == (int64_t)magnitude);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  check_float((const char *)data, size);
  check_integers((const char *)data, size);
  if (size < 8) return 0;
  double value = load_f64(data);
  if (!isfinite(value)) return 0;
  char printed[NUMBER_TEXT_MAX];
  const char *end = number_print_f64(value, printed), *at = printed;
  double back;
  check(number_parse_f64(&at, end, &back) == NUMBER_OK && at == end);
  check(f64_bits(back) == f64_bits(value));
  return 0;
}
