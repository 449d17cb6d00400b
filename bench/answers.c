/* answers: rows to JSON and CSV, for `make bench`.
 *
 *   answers [--kind TEXT] [--runs N]
 *
 * Batches as a scan gives them, 8,192 rows of a time in whole seconds, a tag and ten fields, are
 * written by server/answer.h into a buffer, as `SELECT *` is answered. The fields are all integers
 * of two digits, integers of nine, floats of two decimals (as a scan of decimals has them, and such
 * as nothing is known of), or random floats.
 *
 * One thread; prints bytes written per second of CPU, the best of some runs. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/time.h"
#include "server/answer.h"

enum { FIELDS = 10, COLUMNS = FIELDS + 2, ROWS = LIMIT_BLOCK_ROWS, HOSTS = 100, BATCHES = 24 };

enum kind { INTEGERS, WIDE_INTEGERS, DECIMALS, FLOATS, RANDOM_FLOATS, KINDS };
static const char *const names[KINDS] = {"integers", "integers, nine digits",
                                         "two decimals, scanned", "two decimals, computed",
                                         "random floats"};

static uint64_t random_next(uint64_t *state) { /* splitmix64 */
  uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
  z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
  return z ^ z >> 31;
}

static double cpu(void) {
  struct timespec time;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

struct rows {
  int64_t times[ROWS];
  int32_t codes[ROWS];
  int32_t offsets[HOSTS + 1];
  char texts[HOSTS * 8];
  struct column hosts;
  int64_t values[FIELDS][ROWS];
  struct column columns[COLUMNS];
};

static void fill_fields(struct rows *rows, enum kind kind) {
  uint64_t state = 7;
  for (int f = 0; f < FIELDS; f++) {
    bool integers = kind == INTEGERS || kind == WIDE_INTEGERS;
    struct column *column = &rows->columns[f + 2];
    *column = (struct column){.type = integers ? TYPE_INT64 : TYPE_FLOAT64, .length = ROWS};
    column->i64 = rows->values[f];
    column->decimals = kind == DECIMALS ? 1 + 2 : 0;
    for (int i = 0; i < ROWS; i++) {
      uint64_t r = random_next(&state);
      double value =
          kind == RANDOM_FLOATS ? (double)(r >> 11) * 0x1p-53 * 100 : (double)(r % 10000) / 100;
      if (kind == INTEGERS)
        rows->values[f][i] = (int64_t)(r % 100);
      else if (kind == WIDE_INTEGERS)
        rows->values[f][i] = (int64_t)(r % 900000000 + 100000000);
      else
        memcpy(&rows->values[f][i], &value, 8);
    }
  }
}

static void fill(struct rows *rows, enum kind kind) {
  for (int i = 0; i < HOSTS; i++) {
    rows->offsets[i + 1] =
        rows->offsets[i] + snprintf(rows->texts + rows->offsets[i], 8, "host_%d", i);
  }
  rows->hosts = (struct column){.type = TYPE_STRING, .length = HOSTS};
  rows->hosts.offsets = rows->offsets;
  rows->hosts.data = rows->texts;
  for (int i = 0; i < ROWS; i++) {
    rows->times[i] = (INT64_C(1451606400) + i * 10) * NS_PER_SECOND;
    rows->codes[i] = i / 100 % HOSTS;
  }
  rows->columns[0] = (struct column){.type = TYPE_TIMESTAMP(TIME_NS), .length = ROWS};
  rows->columns[0].i64 = rows->times;
  rows->columns[1] = (struct column){.type = {PHYSICAL_INT32, 0, 0}, .length = ROWS};
  rows->columns[1].i32 = rows->codes;
  rows->columns[1].dictionary = &rows->hosts;
  fill_fields(rows, kind);
}

static void check(int code, const struct err *err) {
  char text[1024];
  if (!code) return;
  err_format(err, text, sizeof text);
  fprintf(stderr, "answers: %s\n", text);
  exit(1);
}

/* Bytes a second of CPU. */
static double run(struct rows *rows, bool csv) {
  static const struct str column_names[COLUMNS] = {
      {"time", 4}, {"hostname", 8}, {"f0", 2}, {"f1", 2}, {"f2", 2}, {"f3", 2},
      {"f4", 2},   {"f5", 2},       {"f6", 2}, {"f7", 2}, {"f8", 2}, {"f9", 2}};
  struct mem_account account;
  struct buffer out;
  struct answer answer;
  struct err err;
  mem_account_init(&account, "answers", NULL, INT64_MAX);
  buffer_init(&out, &account);
  answer_init(&answer, &out, &account);
  answer.csv = csv;
  struct query_event event = {.kind = QUERY_STATEMENT};
  int64_t row = 0;
  uint64_t bytes = 0;
  double seconds = 0;
  answer_begin(&answer);
  check(answer_event(&answer, &event, &row, SIZE_MAX, &err), &err);
  event = (struct query_event){.kind = QUERY_SERIES,
                               .name = {"cpu", 3},
                               .column_names = column_names,
                               .column_count = COLUMNS,
                               .has_time = true};
  check(answer_event(&answer, &event, &row, SIZE_MAX, &err), &err);
  event = (struct query_event){.kind = QUERY_ROWS, .batch = {ROWS, COLUMNS, rows->columns}};
  for (int i = 0; i <= BATCHES; i++) { /* the first one warms up */
    double start = cpu();
    for (row = 0; row < ROWS;) {
      check(answer_event(&answer, &event, &row, 65536, &err), &err);
      bytes += i ? out.size : 0;
      buffer_reset(&out);
    }
    seconds += i ? cpu() - start : 0;
  }
  answer_deinit(&answer);
  buffer_deinit(&out);
  mem_account_deinit(&account);
  return (double)bytes / seconds;
}

int main(int argc, char **argv) {
  static struct rows rows;
  const char *wanted = NULL;
  int runs = 9;
  for (int i = 1; i + 1 < argc; i += 2) {
    if (strcmp(argv[i], "--kind") == 0) wanted = argv[i + 1];
    if (strcmp(argv[i], "--runs") == 0) runs = (int)strtol(argv[i + 1], NULL, 10);
  }
  for (int kind = 0; kind < KINDS; kind++) {
    if (wanted && !strstr(names[kind], wanted)) continue;
    fill(&rows, (enum kind)kind);
    for (int csv = 0; csv < 2; csv++) {
      double best = 0;
      for (int i = 0; i < runs; i++) {
        double rate = run(&rows, csv);
        best = rate > best ? rate : best;
      }
      printf("%-24s %-4s %8.0f MB/s\n", names[kind], csv ? "CSV" : "JSON", best / 1e6);
    }
  }
  return 0;
}
