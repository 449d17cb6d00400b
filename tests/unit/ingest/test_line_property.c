/* Properties of line protocol over drawn bodies: what a body means does not depend on how it was
 * cut or on what the cache knew; lines are cut where a character-by-character reading cuts them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <time.h>

#include "engine_fixture.h"
#include "table/write.h"

static uint64_t random_state;
static uint64_t draw(uint64_t below) {
  random_state ^= random_state << 13;
  random_state ^= random_state >> 7;
  random_state ^= random_state << 17;
  return random_state % below;
}

#define PICK(list) ((list)[draw(sizeof(list) / sizeof *(list))])

static const char *const measurements[] = {"m", "n", "m\\ x", "m\\,y", "\"q\""};
static const char *const tag_names[] = {"a", "b", "c\\=d", "\xc3\xa9", "\"t\""};
static const char *const tag_values[] = {"x",     "y\\,z", "\"q\"", "\"r",
                                         "s\\\\", "u\\ v", "w\\w",  "1"};
static const char *const strings[] = {"\"\"",        "\"text\"",  "\"a,b c=d\"", "\"a\nb\"",
                                      "\"\\\"\"",    "\"\\\\\"",  "\"#\"",       "\"\xc3\xa9\"",
                                      "\"a\n#b\n\"", "\"a\\nb\"", "\"=\\\"\""};
static const char *const floats[] = {"1", "-1.5", "1e3", ".5", "2.", "+3", "1e400", "0x1", "NaN"};
static const char *const integers[] = {"1i",   "-2i", "0i", "9223372036854775807i",
                                       "1.5i", "ii",  "3u"};
static const char *const booleans[] = {"t", "F", "true", "False", "tru"};
static const char *const times[] = {
    " 1", " 20", "", " -3", "  40  ", " 5x", " 60", " 7", " 8", "\t9", " 9223372036854775807"};
static const char mutations[] = ", =\"\\\n#\ta1\r";

static size_t put(char *out, size_t at, const char *text) {
  size_t size = strlen(text);
  memcpy(out + at, text, size);
  return at + size;
}

static size_t put_field(char *out, size_t at) {
  uint64_t kind = draw(4), type = draw(12) ? kind : draw(4);
  static const char *const names[] = {"f", "g\\ h", "s", "b"};
  at = put(out, at, names[kind]);
  at = put(out, at, "=");
  if (type == 0) return put(out, at, PICK(floats));
  if (type == 1) return put(out, at, PICK(integers));
  return put(out, at, type == 2 ? PICK(strings) : PICK(booleans));
}

/* A body of a few lines, most of them good and much alike. */
static void draw_body(char *out) {
  size_t at = 0;
  for (uint64_t lines = 1 + draw(30); lines; lines--) {
    if (draw(12) == 0) at = put(out, at, draw(2) ? "# a comment \"=\"\n" : " \t# b=\"\n");
    if (draw(12) == 0) at = put(out, at, draw(2) ? "  " : "\n\r\n");
    at = put(out, at, draw(3) ? "m" : PICK(measurements));
    for (uint64_t tags = draw(3); tags; tags--) {
      at = put(out, at, ",");
      at = put(out, at, PICK(tag_names));
      at = put(out, at, "=");
      at = put(out, at, PICK(tag_values));
    }
    at = put(out, at, draw(20) ? " " : "  ");
    for (uint64_t fields = 1 + draw(3); fields; fields--) {
      at = put_field(out, at);
      if (fields > 1) at = put(out, at, ",");
    }
    at = put(out, at, PICK(times));
    at = put(out, at, draw(10) ? "\n" : "\r\n");
  }
  for (uint64_t changes = draw(3) ? 0 : draw(4); changes; changes--)
    out[draw(at)] = mutations[draw(sizeof mutations - 1)];
  out[at] = 0;
}

/* ---- the same rows whatever the cache knows ---- */

static void write_cold(struct fixture *fixture, const char *database, const char *text,
                       struct fixture_answer *answer) {
  *answer = (struct fixture_answer){0};
  struct table_write_options options = {.database = str_from(database)};
  struct ingest_options ingest = {.precision = TIME_NS, .now_ns = INT64_C(1500000000000000000)};
  struct table_write *write;
  if (table_write_begin(fixture->engine, &options, &write, &answer->error))
    fixture_fail("begin", &answer->error);
  struct str rest = str_from(text);
  uint32_t before = 0;
  for (uint32_t p = 0; rest.size; p++) { /* a piece and a cache for each line */
    size_t size = ingest_line_protocol_cut(rest, 1);
    struct table_piece *piece;
    struct ingest_cache *cache;
    uint32_t lines;
    if (table_write_piece(write, p, &piece, &answer->error) ||
        ingest_cache_create(&fixture->account, &cache, &answer->error))
      fixture_fail("piece", &answer->error);
    table_piece_line_base(piece, before);
    if (ingest_line_protocol(piece, cache, str_of(rest.data, size), &ingest, &lines,
                             &answer->error))
      fixture_fail("parse", &answer->error);
    ingest_cache_destroy(cache);
    before += lines;
    rest = str_of(rest.data + size, rest.size - size);
  }
  os_mutex_init(&answer->lock, fixture->os);
  os_cond_init(&answer->cond, fixture->os);
  table_write_commit(write, fixture_done, answer);
  os_cond_deinit(&answer->cond);
  os_mutex_deinit(&answer->lock);
}

static char cold_rows[1 << 17], warm_rows[1 << 17];

/* Every table of a database, by name. */
struct all_tables {
  struct fixture *fixture;
  const char *database;
  char *out;
  size_t size;
};
static int dump_table(void *context, struct catalog_table *table) {
  struct all_tables *all = context;
  size_t used = strlen(all->out);
  char name[64];
  snprintf(name, sizeof name, "%.*s", STR_ARG(table->name));
  used += (size_t)snprintf(all->out + used, all->size - used, "[%s]\n", name);
  fixture_dump(all->fixture, all->database, name, all->out + used, all->size - used);
  return 0;
}
static int text_order(const void *a, const void *b) {
  return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Ids of series, and so the order of rows, may follow from the cuts: lines are compared in order.
 */
static void sort_lines(char *text, size_t size) {
  static char copy[1 << 17], *lines[1 << 14];
  size_t count = 0, at = 0;
  memcpy(copy, text, strlen(text) + 1);
  for (char *line = copy, *line_end; (line_end = strchr(line, '\n')); line = line_end + 1) {
    *line_end = 0;
    lines[count++] = line;
  }
  qsort(lines, count, sizeof *lines, text_order);
  for (size_t i = 0; i < count; i++)
    at += (size_t)snprintf(text + at, size - at, "%s\n", lines[i]);
}

static void dump_all(struct fixture *fixture, const char *database, char *out, size_t size) {
  out[0] = 0;
  struct all_tables all = {fixture, database, out, size};
  assert_int_equal(catalog_table_list(table_engine_catalog(fixture->engine), str_from(database),
                                      (struct str){0}, dump_table, &all, NULL),
                   0);
  sort_lines(out, size);
}

static void compare(const char *what, uint64_t seed, const char *body,
                    const struct fixture_answer *cold, const struct fixture_answer *warm) {
  if (strcmp(cold_rows, warm_rows) || cold->result.rows_rejected != warm->result.rows_rejected ||
      cold->result.rows_written != warm->result.rows_written ||
      cold->error.line != warm->error.line || cold->error.column != warm->error.column) {
    print_error("%s, seed %llu, body:\n", what, (unsigned long long)seed);
    fputs(body, stderr);
    print_error("line by line: %llu rejected, first %d: %s\n",
                (unsigned long long)cold->result.rows_rejected, cold->error.line,
                cold->error.message);
    fputs(cold_rows, stderr);
    print_error("not so: %llu rejected, first %d: %s\n",
                (unsigned long long)warm->result.rows_rejected, warm->error.line,
                warm->error.message);
    fputs(warm_rows, stderr);
    fail();
  }
}

static void test_cuts_and_caches_change_nothing(void **state) {
  (void)state;
  uint64_t seed = getenv("NILO_TEST_SEED") ? strtoull(getenv("NILO_TEST_SEED"), NULL, 10)
                                           : (uint64_t)time(NULL);
  print_message("seed %llu\n", (unsigned long long)seed);
  static char body[1 << 14];
  for (int round = 0; round < 300; round++, seed++) {
    random_state = seed * 0x9e3779b97f4a7c15 + 1;
    struct fixture fixture;
    fixture_begin(&fixture);
    fixture_database(&fixture, "cold");
    fixture_database(&fixture, "warm");
    draw_body(body);
    struct fixture_answer cold, warm;
    write_cold(&fixture, "cold", body, &cold);
    dump_all(&fixture, "cold", cold_rows, sizeof cold_rows);
    /* In one or more pieces; then again, when the cache has seen every line. */
    for (uint32_t times_written = 0; times_written < 3; times_written++) {
      fixture_write_pieces(&fixture, "warm", body, 1 + (uint32_t)draw(3), &warm);
      dump_all(&fixture, "warm", warm_rows, sizeof warm_rows);
      compare(times_written ? "written again" : "written once", seed, body, &cold, &warm);
    }
    fixture_end(&fixture);
  }
}

/* ---- where lines end ---- */

/* The bytes of the first line with its line end, read one by one. */
static size_t line_size(const char *text, size_t size) {
  enum { START, KEY, FIELDS, STRING } state = START;
  size_t newline = size;
  for (size_t i = 0; i < size && newline == size; i++)
    if (text[i] == '\n') newline = i;
  bool equals = false, comment = false;
  for (size_t i = 0; i < size; i++) {
    char c = text[i];
    if (c == '\n' && state != STRING) return i + 1;
    if (comment) continue;
    if (state == START && (c == ' ' || c == '\t')) continue;
    if (state == START) {
      comment = c == '#';
      state = KEY;
    }
    bool escapes = c == '\\' && i + 1 < size && (text[i + 1] != '\n' || state == STRING);
    if (escapes) {
      i++;
      equals = false;
      continue;
    }
    if (state == STRING) {
      if (c == '"') state = FIELDS;
      equals = false;
      continue;
    }
    if (state == KEY && c == ' ')
      state = FIELDS;
    else if (state == FIELDS && c == '"' && equals)
      state = STRING;
    equals = c == '=';
  }
  /* A quote that nothing closes takes one line with it. */
  if (state == STRING) return newline < size ? newline + 1 : size;
  return size;
}

static void test_cuts_are_line_ends(void **state) {
  (void)state;
  uint64_t seed = getenv("NILO_TEST_SEED") ? strtoull(getenv("NILO_TEST_SEED"), NULL, 10)
                                           : (uint64_t)time(NULL);
  print_message("seed %llu\n", (unsigned long long)seed);
  static char body[1 << 14];
  for (int round = 0; round < 3000; round++, seed++) {
    random_state = seed * 0x9e3779b97f4a7c15 + 1;
    draw_body(body);
    size_t size = strlen(body);
    for (size_t target = 1; target < size; target += 1 + draw(60)) {
      size_t cut = ingest_line_protocol_cut(str_of(body, size), target), at = 0;
      while (at < cut)
        at += line_size(body + at, size - at);
      if (at != cut || cut < target)
        fail_msg("seed %llu, target %zu: cut at %zu, lines end at %zu in\n%s",
                 (unsigned long long)seed, target, cut, at, body);
    }
  }
}

static const struct {
  const char *name, *text;
  size_t first; /* bytes of the first line with its end */
} lines[] = {
    {"plain", "m f=1\nm f=2", 6},
    {"a newline in a string", "m f=\"a\nb\"\nm f=2", 10},
    {"blanks before a tag with a quote", "  m,t=\"a f=1\nm,t=\"b f=2\n", 13},
    {"a key that ends in two backslashes", "m,t=a\\\\ f=\"x\ny\" 5\nn f=1\n", 18},
    {"an escaped equals sign before a quote", "m f\\=\"=1\nm g=\"x\"\n", 9},
    {"a quote that nothing closes", "m f=\"a\nm f=1\n", 7},
    {"a comment with a quote", " # =\"\nm f=\"x\"\n", 6},
    {"an escaped quote", "m f=\"\\\"\n\"\nm f=1\n", 10},
};

static void test_line_ends(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
    struct str text = str_from(lines[i].text);
    size_t cut = ingest_line_protocol_cut(text, 1);
    if (cut != lines[i].first || line_size(text.data, text.size) != lines[i].first)
      fail_msg("%s: cut at %zu, reference %zu", lines[i].name, cut,
               line_size(text.data, text.size));
  }
}

/* ---- large lines ---- */

static char text[1 << 18];
static size_t text_at;

__attribute__((format(printf, 1, 2))) static void append(const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  text_at += (size_t)vsnprintf(text + text_at, sizeof text - text_at, format, arguments);
  va_end(arguments);
}

static void test_long_lines_and_many_shapes(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_begin(&fixture);
  fixture_database(&fixture, "db");
  enum { FIELDS = 1000 };
  for (int rounds = 0; rounds < 2; rounds++) { /* two lines of a thousand fields, one field twice */
    text_at = 0;
    for (int line = 1; line <= 2; line++) {
      append("wide f0=0");
      for (int f = 1; f < FIELDS; f++)
        append(",f%d=%d", f, f * line);
      append(",f7=%d %d\n", 70 * line, line);
    }
    fixture_write(&fixture, "db", text);
  }
  struct catalog_table *table = catalog_table_find(table_engine_catalog(fixture.engine), STR("db"),
                                                   (struct str){0}, STR("wide"));
  const struct catalog_column *const *columns;
  assert_int_equal(catalog_table_columns(table, &columns), FIELDS);
  catalog_table_release(table);
  /* Every line another shape. */
  text_at = 0;
  for (int line = 0; line < 2000; line++) {
    append("shapes v=%d", line);
    for (int bit = 0; bit < 11; bit++)
      if (line >> bit & 1) append(",b%d=1i", bit);
    append(" %d\n", line);
  }
  for (int rounds = 0; rounds < 2; rounds++)
    fixture_write(&fixture, "db", text);
  static char rows[1 << 18];
  fixture_dump(&fixture, "db", "shapes", rows, sizeof rows);
  assert_non_null(strstr(rows, "\n1025 v=1025 b0=1i b10=1i\n"));
  assert_non_null(strstr(rows, "\n1999 v=1999 "));
  fixture_end(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_cuts_and_caches_change_nothing),
      cmocka_unit_test(test_cuts_are_line_ends),
      cmocka_unit_test(test_line_ends),
      cmocka_unit_test(test_long_lines_and_many_shapes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
