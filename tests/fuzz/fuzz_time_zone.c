/* A time zone file of any bytes: refused, or a zone whose answers are consistent. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/time_zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(const struct time_zone *zone, int64_t second) {
  struct time_zone_span span;
  time_zone_span(zone, second, &span);
  if (span.from > second || (span.to <= second && span.to != INT64_MAX)) abort();
  if (strlen(span.abbreviation) > 300) abort();
  int64_t local = time_zone_from_local(zone, second, NULL);
  if (second < INT64_MAX && time_zone_from_local(zone, second + 1, NULL) < local) abort();
  char text[TIME_TEXT_MAX];
  if (time_format_zoned(second, TIME_S, zone, text) >= (int)TIME_TEXT_MAX) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct mem_account account;
  mem_account_init(&account, "fuzz", NULL, 0);
  struct time_zone *zone = NULL;
  if (size >= 8 && time_zone_parse(&account, STR("Fuzz"), (struct str){(const char *)data, size},
                                   &zone, NULL) == 0) {
    check(zone, load_i64(data + size - 8));
    check(zone, 0);
    check(zone, INT64_MIN);
    check(zone, INT64_MAX);
    for (int64_t second = -5000000000; second < 20000000000; second += 1234567891)
      check(zone, second);
  }
  time_zone_destroy(zone);
  mem_account_deinit(&account);
  return 0;
}
