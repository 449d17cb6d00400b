/* Time literals and durations: what parses prints, and comes back. */
#include <stdlib.h>

#include "base/err.h"
#include "base/time.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds) {
  if (!holds) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct str text = str_of(data, size);
  struct err err = {.offset = -1};
  __int128 ns, back;
  if (time_parse(text, &ns, &err) == ERR_OK) {
    char printed[TIME_TEXT_MAX];
    int length = time_format_ns(ns, printed);
    check(length > 0 && length < TIME_TEXT_MAX && printed[length] == '\0');
    int64_t seconds = time_from_ns_floor(ns, TIME_S);
    if (seconds == INT64_MAX)
      check(ns >= time_to_ns(seconds, TIME_S));
    else if (seconds == INT64_MIN)
      check(ns < time_to_ns(seconds + 1, TIME_S));
    else
      check(time_to_ns(seconds, TIME_S) <= ns && time_to_ns(seconds + 1, TIME_S) > ns);
    /* An offset may push a date of twelve digits over its last year. */
    if (time_parse(str_of(printed, (size_t)length), &back, NULL) == ERR_OK)
      check(back == ns);
    else
      check(length >= 29);
  } else {
    check(err.code != ERR_OK && err.column >= 1 && (size_t)err.column <= size + 1);
  }
  int64_t duration, again;
  err_reset(&err);
  if (duration_parse(text, &duration, &err) == ERR_OK) {
    char printed[DURATION_TEXT_MAX];
    int length = duration_format(duration, printed);
    check(duration_parse(str_of(printed, (size_t)length), &again, NULL) == ERR_OK);
    check(again == duration);
    duration_format_go(duration, printed);
  } else {
    check(err.column >= 1 && (size_t)err.column <= size + 1);
  }
  return 0;
}
