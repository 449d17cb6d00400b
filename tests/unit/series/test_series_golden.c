/* The formats of docs/format/series.md: bytes that were written once are written still, and read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/err.h"
#include "os/sim.h"
#include "series/series_private.h"

enum { SERIES = 3000, STORE = 100, FIRST_ID = 7 };
static const char *const golden_path = "tests/golden/series/v1_section.bin";
static struct buffer golden;

/* Series i: host by number, rack for every third, a third tag that nobody has. */
static uint64_t id_of(uint32_t i) { return FIRST_ID + i + (i > 1000 ? 100 : 0); }
static struct str host_of(uint32_t i, char out[32]) {
  return str_of(out, (size_t)snprintf(out, 32, "host-%u", i));
}
static struct str rack_of(uint32_t i) {
  return i % 3   ? STR("")
         : i % 2 ? STR("r\xc3\xa4"
                       "ck 1")
                 : STR("rack 2");
}

static void make_section(struct mem_account *account, struct buffer *out) {
  struct arena arena;
  arena_init(&arena, account, 65536);
  uint64_t *ids = ARENA_ARRAY(&arena, uint64_t, SERIES);
  struct section_source_column columns[2] = {{.id = 9}, {.id = 1}};
  for (int c = 0; c < 2; c++) {
    columns[c].codes = ARENA_ARRAY(&arena, uint32_t, SERIES);
    columns[c].values = ARENA_ARRAY(&arena, struct str, SERIES);
  }
  for (uint32_t i = 0; i < SERIES; i++) {
    char text[32];
    ids[i] = id_of(i);
    columns[1].values[columns[1].value_count++] = arena_copy(&arena, host_of(i, text));
    columns[1].codes[i] = columns[1].value_count;
    if (rack_of(i).size == 0) continue;
    columns[0].values[columns[0].value_count++] = rack_of(i);
    columns[0].codes[i] = columns[0].value_count;
  }
  assert_int_equal(series__section_write(ids, SERIES, columns, 2, &arena, out, NULL), ERR_OK);
  arena_deinit(&arena);
}

static int describe_golden(void *context, uint64_t store, const uint64_t *series, size_t count,
                           struct store_part *const *sources, size_t source_count,
                           struct buffer *out, struct err *err) {
  (void)context, (void)store, (void)series, (void)count, (void)sources, (void)source_count;
  buffer_append_str(out, buffer_str(&golden));
  return buffer_check(out, err);
}

/* Rows of all series, flushed with the golden section beside them. */
static void write_part(struct store_shard *shard) {
  static uint64_t ids[SERIES];
  static int64_t keys[SERIES];
  for (uint32_t i = 0; i < SERIES; i++)
    ids[i] = id_of(i);
  struct store_column column = {.id = 2,
                                .column = {.type = TYPE_INT64, .length = SERIES, .i64 = keys}};
  struct store_rows rows = {.store = STORE,
                            .policy = STORE_NEWEST_COLUMN,
                            .rows = SERIES,
                            .series = ids,
                            .keys = keys,
                            .columns = &column,
                            .column_count = 1};
  assert_int_equal(store_write(shard, &rows, 1, NULL, NULL), ERR_OK);
  assert_int_equal(store_flush(shard, 0, NULL), ERR_OK);
}

static void read_section(struct series_registry *registry, struct mem_account *account) {
  struct series_index *index = series_index_of(registry, STORE);
  struct arena arena;
  arena_init(&arena, account, 4096);
  struct buffer tags;
  buffer_init(&tags, account);
  static uint64_t ids[SERIES];
  for (uint32_t i = 0; i < SERIES; i++) {
    char text[32];
    ids[i] = id_of(i);
    buffer_reset(&tags);
    buffer_append_varint(&tags, 1);
    buffer_append_sized(&tags, host_of(i, text));
    if (rack_of(i).size) buffer_append_varint(&tags, 9);
    if (rack_of(i).size) buffer_append_sized(&tags, rack_of(i));
    uint64_t id;
    if (i % 17) continue;
    assert_int_equal(series_find(index, buffer_str(&tags), &id, NULL), ERR_OK);
    assert_int_equal(id, id_of(i));
  }
  struct column out[2];
  const uint32_t columns[] = {1, 9};
  assert_int_equal(series_tags(index, NULL, ids, SERIES, columns, 2, &arena, out, NULL, NULL),
                   ERR_OK);
  for (uint32_t i = 0; i < SERIES; i++) {
    char text[32];
    assert_true(str_equal(column_str(out[0].dictionary, out[0].i32[i]), host_of(i, text)));
    assert_true(str_equal(column_str(out[1].dictionary, out[1].i32[i]), rack_of(i)));
  }
  buffer_deinit(&tags);
  arena_deinit(&arena);
  series_index_release(index);
}

static void test_section(void **state) {
  (void)state;
  struct mem_account account;
  mem_account_init(&account, "test", NULL, 0);
  struct buffer made;
  buffer_init(&made, &account);
  buffer_init(&golden, &account);
  make_section(&account, &made);
  if (getenv("NILO_GOLDEN_WRITE")) {
    FILE *file = fopen(golden_path, "wb");
    assert_non_null(file);
    fwrite(made.data, 1, made.size, file);
    fclose(file);
  }
  FILE *file = fopen(golden_path, "rb");
  assert_non_null(file);
  char bytes[4096];
  for (size_t got; (got = fread(bytes, 1, sizeof bytes, file));)
    buffer_append(&golden, bytes, got);
  fclose(file);
  assert_int_equal(made.size, golden.size);
  assert_memory_equal(made.data, golden.data, made.size);

  struct os *os;
  struct series_registry *registry;
  struct store_shard *shard;
  struct os_sim_options sim = {.seed = 1};
  assert_int_equal(os_sim_create(&sim, &os, NULL), ERR_OK);
  assert_int_equal(series_registry_create(os, &account, 1 << 20, &registry, NULL), ERR_OK);
  struct store_hooks hooks = series_store_hooks;
  hooks.describe = describe_golden;
  struct store_options options;
  store_options_default(&options);
  options.path = "/data";
  options.os = os;
  options.account = &account;
  options.background = false;
  options.hooks = &hooks;
  options.hooks_context = registry;
  assert_int_equal(store_shard_open(&options, &shard, NULL), ERR_OK);
  write_part(shard);
  read_section(registry, &account);
  store_shard_close(shard);
  series_registry_destroy(registry);
  os_destroy(os);
  buffer_deinit(&made);
  buffer_deinit(&golden);
  mem_account_deinit(&account);
}

/* A note: id, size of the tag set, per tag column id, size, bytes. */
static void test_note(void **state) {
  (void)state;
  static const char note[] = "\x07\x0c\x01\x06host-1\xac\x02\x01x" /* 7: host-1, 300: x */
                             "\x08\x00"                            /* 8: no tags */
                             "\xac\x02\x03\x01\x01y";              /* 300: y */
  struct mem_account account;
  mem_account_init(&account, "test", NULL, 0);
  struct os *os;
  struct series_registry *registry;
  struct os_sim_options sim = {.seed = 1};
  assert_int_equal(os_sim_create(&sim, &os, NULL), ERR_OK);
  assert_int_equal(series_registry_create(os, &account, 1 << 20, &registry, NULL), ERR_OK);
  struct str whole = str_of(note, sizeof note - 1);
  struct err err;
  assert_int_equal(series_store_hooks.replay(registry, STORE, 5, whole, &err), ERR_OK);
  struct series_index *index = series_index_of(registry, STORE);
  static const struct {
    const char *tags;
    size_t size;
    uint64_t id;
  } series[] = {{note + 2, 12, 7}, {"", 0, 8}, {"\x01\x01y", 3, 300}, {"\x01\x01z", 3, 0}};
  for (size_t i = 0; i < sizeof series / sizeof *series; i++) {
    uint64_t id;
    assert_int_equal(series_find(index, str_of(series[i].tags, series[i].size), &id, &err), ERR_OK);
    assert_int_equal(id, series[i].id);
  }
  /* Cut anywhere but between entries, it is corruption. */
  for (size_t size = 1; size < whole.size; size++) {
    bool between = size == 14 || size == 16;
    int code = series_store_hooks.replay(registry, STORE + size, 5, str_of(note, size), &err);
    assert_int_equal(code, between ? ERR_OK : ERR_CORRUPTION);
  }
  static const struct {
    const char *name, *bytes;
    size_t size;
  } bad[] = {{"id 0", "\x00\x00", 2},
             {"column 0", "\x01\x03\x00\x01x", 5},
             {"an empty value", "\x01\x02\x01\x00", 4},
             {"columns out of order", "\x01\x06\x02\x01x\x01\x01x", 8},
             {"a column twice", "\x01\x06\x01\x01x\x01\x01x", 8},
             {"a value longer than the set", "\x01\x03\x01\x09x", 5}};
  for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
    if (series_store_hooks.replay(registry, STORE, 6, str_of(bad[i].bytes, bad[i].size), &err) !=
        ERR_CORRUPTION)
      fail_msg("%s: not refused", bad[i].name);
  series_index_release(index);
  series_registry_destroy(registry);
  os_destroy(os);
  mem_account_deinit(&account);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_section), cmocka_unit_test(test_note)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
