/* Strings as symbols, as what they do not share, as words: against the columns they were made from,
 * whole and in part, and damaged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"
#include "codec/compare.h"
#include "codec/fsst.h"
#include "columnar/builder.h"

enum { SEED = 20201 };

static uint64_t random_state;
static uint64_t random_u64(void) { /* splitmix64 */
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
static uint64_t random_below(uint64_t limit) { return random_u64() % limit; }

static struct mem_account account;
static struct arena arena;
static struct buffer buffer;

static int set_up(void **state) {
  (void)state;
  random_state = SEED;
  printf("seed %d\n", SEED);
  mem_account_init(&account, "test", NULL, 0);
  arena_init(&arena, &account, 65536);
  buffer_init(&buffer, &account);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  buffer_deinit(&buffer);
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}

/* ---- kinds of strings ---- */

enum kind { UUIDS, LOGS, SORTED, SORTED_LONG, BINARY, ENDS, RUNS, HOSTS, LONG, KIND_COUNT };

static uint64_t place;
static size_t make(enum kind kind, uint32_t i, char text[600]) {
  static const char *const verbs[] = {"GET", "POST", "DELETE"};
  size_t size = 0;
  switch (kind) {
  case UUIDS:
    return (size_t)snprintf(text, 600, "%08x-%04x-4%03x-%012llx", (unsigned)random_u64(),
                            (unsigned)random_below(65536), (unsigned)random_below(4096),
                            (unsigned long long)(random_u64() >> 16));
  case LOGS:
    return (size_t)snprintf(text, 600, "%s /api/v2/users/%u?token=%llx took %u ms",
                            verbs[random_below(3)], (unsigned)random_below(90000),
                            (unsigned long long)random_u64(), (unsigned)random_below(900));
  case SORTED:
    place = i ? place + random_below(90000) : 0;
    return (size_t)snprintf(text, 600, "sensor/%010llu", (unsigned long long)place);
  case SORTED_LONG: /* each has the one before in front, within 500 bytes */
    for (; size < i % 500; size++)
      text[size] = (char)('a' + size % 26);
    for (uint32_t digit = 1000000; i >= 500 && digit; digit /= 10)
      text[size++] = (char)('0' + i / digit % 10);
    return size;
  case BINARY: /* NULs, invalid UTF-8, escapes of the code, and some order so that it pays */
    size = random_below(30);
    for (size_t b = 0; b < size; b++)
      text[b] = (char)"\0\xff\xfe\xc0\x80\0\0\x41"[random_below(8)];
    return size;
  case ENDS: /* of sizes 0 to 3 of two bytes: matches at the ends */
    size = random_below(4);
    for (size_t b = 0; b < size; b++)
      text[b] = (char)random_below(2);
    if (i % 64 == 0) text[size++] = (char)random_u64();
    return size;
  case RUNS: /* few distinct, many in a row */
    return (size_t)snprintf(text, 600, "the state of the machine is now number %u", i / 60 % 40);
  case HOSTS:
    return (size_t)snprintf(text, 600, "host_%u.example.org", (unsigned)random_below(200));
  default:
    size = 200 + random_below(300);
    for (size_t b = 0; b < size; b++)
      text[b] = "etaoin shrdlu"[random_below(13)];
    return size;
  }
}

static void fill(struct builder *builder, enum kind kind, uint32_t rows, unsigned nulls) {
  char text[600];
  for (uint32_t i = 0; i < rows; i++) {
    size_t size = make(kind, i, text);
    if (nulls && random_below(nulls) == 0)
      builder_append_null(builder);
    else
      builder_append_str(builder, str_of(text, size));
  }
}

static void assert_part(const struct column *want, const struct codec_image *image, uint32_t from,
                        uint32_t count, enum kind kind) {
  struct column got;
  struct err err;
  int code = codec_decode(image, from, count, &arena, &got, &err);
  if (code) fail_msg("kind %d: %s", kind, err.message);
  for (uint32_t i = 0; i < count; i++) {
    bool present = column_is_valid(want, from + i);
    assert_int_equal(column_is_valid(&got, i), present);
    if (present && !str_equal(column_str(&got, i), column_str(want, from + i)))
      fail_msg("kind %d: row %u of %lld differs (%s)", kind, from + i, (long long)want->length,
               codec_name(image->codec));
  }
}

static int round_trip(const struct column *column, enum codec_level level, enum kind kind) {
  struct codec_image image;
  struct err err;
  buffer_reset(&buffer);
  assert_int_equal(codec_encode(column, level, NULL, &buffer, &err), ERR_OK);
  size_t size = buffer.size;
  uint8_t *bytes = malloc(size); /* of exactly this size */
  memcpy(bytes, buffer.data, size);
  int code = codec_open(bytes, size, column->type, (uint32_t)column->length, &image, &err);
  if (code) fail_msg("kind %d: %s", kind, err.message);
  uint32_t rows = image.rows;
  assert_part(column, &image, 0, rows, kind);
  for (int i = 0; i < 3; i++) {
    uint32_t from = (uint32_t)random_below(rows);
    assert_part(column, &image, from, (uint32_t)random_below(rows - from + 1), kind);
  }
  if (level != CODEC_FAST) { /* what is told of all ways agrees */
    struct codec_trial trials[CODEC_TRIALS_MAX];
    size_t count, chosen = SIZE_MAX;
    assert_int_equal(codec_compare(column, level, &account, trials, &count, &err), ERR_OK);
    for (size_t i = 0; i < count; i++)
      if (trials[i].codec == image.codec) chosen = trials[i].bytes;
    if (chosen != size)
      fail_msg("kind %d: %s takes %zu, told are %zu", kind, codec_name(image.codec), size, chosen);
  }
  arena_reset(&arena);
  free(bytes);
  return image.codec;
}

static int round_trip_of(enum kind kind, uint32_t rows, unsigned nulls, enum codec_level level) {
  struct builder builder;
  builder_init(&builder, rows % 2 ? TYPE_STRING : TYPE_BYTES, &account);
  fill(&builder, kind, rows, nulls);
  struct column column = builder_view(&builder);
  int codec = round_trip(&column, level, kind);
  builder_deinit(&builder);
  return codec;
}

/* ---- tests ---- */

static void test_lengths(void **state) {
  (void)state;
  for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
    for (uint32_t rows = 1; rows <= 70; rows++)
      round_trip_of(kind, rows, rows % 3 ? 0 : 4, rows % 2 ? CODEC_HOT : CODEC_COLD);
    static const uint32_t others[] = {1000, 1023, 1024, 1025, 2047, 2048, 2049, 4097, 8191, 8192};
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
      round_trip_of(kind, others[i], i % 4 == 3 ? 9 : 0, i % 2 ? CODEC_HOT : CODEC_COLD);
  }
  for (uint32_t rows = 71; rows < CODEC_ROWS_MAX; rows += 97)
    round_trip_of((enum kind)(rows % LONG), rows, 0, CODEC_HOT);
}

static void test_what_is_chosen(void **state) {
  (void)state;
  assert_int_equal(round_trip_of(UUIDS, 4000, 0, CODEC_HOT), CODEC_FSST);
  assert_int_equal(round_trip_of(SORTED, 4000, 0, CODEC_HOT), CODEC_FRONT);
  assert_int_equal(round_trip_of(SORTED, 4000, 0, CODEC_COLD), CODEC_FRONT);
  assert_int_equal(round_trip_of(SORTED_LONG, 500, 0, CODEC_HOT), CODEC_FRONT);
  assert_int_equal(round_trip_of(HOSTS, 8000, 0, CODEC_HOT), CODEC_DICTIONARY);
  assert_int_equal(round_trip_of(RUNS, 8000, 0, CODEC_COLD), CODEC_WORDS);
  assert_int_equal(round_trip_of(LONG, 4000, 0, CODEC_COLD), CODEC_ZSTD);
}

/* What symbols take of UUIDs is near to two digits a byte. */
static void test_sizes(void **state) {
  (void)state;
  struct builder builder;
  builder_init(&builder, TYPE_STRING, &account);
  fill(&builder, UUIDS, 8000, 0);
  struct column column = builder_view(&builder);
  assert_int_equal(codec_encode(&column, CODEC_HOT, NULL, &buffer, NULL), ERR_OK);
  assert_in_range(buffer.size, 1, (size_t)(column.offsets[8000] * 0.62));
  builder_deinit(&builder);
}

static void test_damage(void **state) {
  (void)state;
  for (int round = 0; round < 120; round++) {
    enum kind kind = (enum kind)(round % KIND_COUNT);
    uint32_t rows = 1 + (uint32_t)random_below(1500);
    struct builder builder;
    builder_init(&builder, TYPE_STRING, &account);
    fill(&builder, kind, rows, 0);
    struct column column = builder_view(&builder), got;
    buffer_reset(&buffer);
    assert_int_equal(codec_encode(&column, round % 2 ? CODEC_HOT : CODEC_COLD, NULL, &buffer, NULL),
                     ERR_OK);
    for (int change = 0; change < 30; change++) {
      size_t size = change % 3 ? buffer.size : random_below(buffer.size);
      uint8_t *bytes = malloc(size + 1);
      memcpy(bytes, buffer.data, size);
      for (int n = 0; size && n < 1 + change % 3; n++)
        bytes[random_below(random_below(2) ? size : size < 96 ? size : 96)] = (uint8_t)random_u64();
      struct codec_image image;
      struct err err;
      int code = codec_open(bytes, size, TYPE_STRING, rows, &image, &err);
      if (size < buffer.size) assert_int_not_equal(code, ERR_OK);
      if (!code) code = codec_decode(&image, 0, rows, &arena, &got, &err);
      if (code)
        assert_true(code == ERR_CORRUPTION || code == ERR_BAD_VERSION ||
                    code == ERR_LIMIT_EXCEEDED);
      arena_reset(&arena);
      free(bytes);
    }
    builder_deinit(&builder);
  }
}

/* Without memory for a table strings are stored in another way. */
static void test_no_memory_for_a_table(void **state) {
  (void)state;
  struct builder builder;
  builder_init(&builder, TYPE_STRING, &account);
  fill(&builder, UUIDS, 1000, 0);
  struct column column = builder_view(&builder);
  bool fired = true, whole = false;
  for (int countdown = 1; fired; countdown++) {
    buffer_deinit(&buffer);
    buffer_init(&buffer, &account);
    atomic_store(&account.fail_countdown, countdown);
    int code = codec_encode(&column, CODEC_HOT, NULL, &buffer, NULL);
    fired = atomic_load(&account.fail_countdown) <= 0;
    atomic_store(&account.fail_countdown, 0);
    if (code) assert_int_equal(buffer.size, 0);
    whole |= fired && !code;
  }
  assert_true(whole);
  builder_deinit(&builder);
}

static void test_symbols(void **state) {
  (void)state;
  void *scratch = malloc(fsst_scratch());
  for (int round = 0; round < 200; round++) {
    size_t size = random_below(round % 10 ? 3000 : 60000), taken;
    uint8_t *bytes = malloc(size + 1), *codes = malloc(2 * size + 1);
    uint8_t *back = malloc(size + FSST_SLACK);
    unsigned letters = 1 + (unsigned)random_below(round % 3 ? 8 : 256);
    for (size_t i = 0; i < size; i++)
      bytes[i] = i > 20 && random_below(4) ? bytes[i - 1 - random_below(20)]
                                           : (uint8_t)(random_below(letters) * 37);
    struct fsst_table table, loaded;
    fsst_build(bytes, size, scratch, &table);
    size_t stored_size = fsst_stored_size(&table);
    uint8_t *stored = malloc(stored_size + 1);
    fsst_store(&table, stored);
    assert_true(fsst_load(stored, stored_size, table.count, &loaded, &taken));
    assert_int_equal(taken, stored_size);
    if (stored_size) assert_false(fsst_load(stored, stored_size - 1, table.count, &loaded, &taken));
    assert_true(fsst_load(stored, stored_size, table.count, &loaded, &taken));
    struct fsst_piece piece = {bytes, size, codes, 0};
    fsst_encode(scratch, &piece, 1);
    size_t encoded = piece.stored;
    assert_in_range(encoded, 0, 2 * size);
    assert_true(fsst_decode(&loaded, codes, encoded, back, size));
    assert_memory_equal(bytes, back, size);
    if (size) assert_false(fsst_decode(&loaded, codes, encoded, back, size - 1));
    free(stored);
    free(back);
    free(codes);
    free(bytes);
  }
  free(scratch);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_lengths, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_what_is_chosen, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_sizes, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_damage, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_no_memory_for_a_table, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_symbols, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
