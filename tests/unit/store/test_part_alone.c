/* Parts as a store opened alone makes them: payloads and names from the log through memory, flush
 * and merge; manifest.json exact after each; a range read from the frames that hold it. */
#include "shard_fixture.h"

#include "base/checksum.h"
#include "store/part.h"

enum { STORE = 1, TAG = 5, PER_COMMIT = 600, SERIES = 3 };

static int name_of(void *context, uint64_t store, uint32_t column, struct buffer *out,
                   struct err *err) {
  (void)context;
  (void)err;
  assert_int_equal(store, STORE);
  assert_int_equal(column, TAG);
  buffer_append_text(out, "http/status");
  return ERR_OK;
}

/* Bytes that nothing compresses. */
static void payload_of(uint64_t series, int64_t key, char out[32]) {
  for (uint64_t i = 0; i < 4; i++) {
    uint64_t word = hash_mix(series << 40 ^ (uint64_t)key << 8 ^ i);
    memcpy(out + 8 * i, &word, 8);
  }
}

/* Rows of all series with keys [from, from + PER_COMMIT). */
static void write_rows(struct fixture *fixture, int64_t from) {
  enum { ROWS = SERIES * PER_COMMIT };
  static uint64_t series[ROWS];
  static int64_t keys[ROWS], tags[ROWS];
  static int32_t offsets[ROWS + 1];
  static char data[ROWS * 32];
  for (int i = 0; i < ROWS; i++) {
    series[i] = 1 + (uint64_t)i / PER_COMMIT;
    keys[i] = from + i % PER_COMMIT;
    tags[i] = 200 + keys[i] % 5;
    offsets[i + 1] = offsets[i] + 32;
    payload_of(series[i], keys[i], data + offsets[i]);
  }
  struct store_column columns[2] = {
      {TAG, {.type = TYPE_INT64, .length = ROWS, .i64 = tags}},
      {STORE_COLUMN_PAYLOAD,
       {.type = TYPE_BYTES, .length = ROWS, .offsets = offsets, .data = data}}};
  struct store_rows rows = {.store = STORE,
                            .policy = STORE_KEEP_ALL,
                            .rows = ROWS,
                            .series = series,
                            .keys = keys,
                            .columns = columns,
                            .column_count = 2};
  struct err err;
  err_reset(&err);
  if (store_write(fixture->shard, &rows, 1, NULL, &err)) fail_err(&err, "write");
}

/* Reads keys [from, to] of every series and checks each row; returns the bytes read. */
static uint64_t read_rows(struct fixture *fixture, int64_t from, int64_t to) {
  const uint32_t wanted[] = {TAG, STORE_COLUMN_PAYLOAD};
  struct store_scan_spec spec = {.store = STORE,
                                 .series_max = UINT64_MAX,
                                 .key_min = from,
                                 .key_max = to,
                                 .columns = wanted,
                                 .column_count = 2,
                                 .account = &fixture->account};
  struct store_snapshot *snapshot;
  struct store_scan *scan;
  struct store_chunk chunk;
  struct store_scan_figures figures;
  struct err err;
  uint64_t count = 0;
  err_reset(&err);
  assert_int_equal(store_snapshot_acquire(fixture->shard, &snapshot, &err), ERR_OK);
  assert_int_equal(store_scan_open(snapshot, &spec, &scan, &err), ERR_OK);
  for (;;) {
    if (store_scan_next(scan, &chunk, &err)) fail_err(&err, "scan");
    if (chunk.rows == 0) break;
    if (store_scan_load(scan, &chunk, true, UINT64_MAX, &err)) fail_err(&err, "load");
    for (uint32_t i = 0; i < chunk.run_count; i++)
      for (uint32_t row = chunk.runs[i].row; row < chunk.runs[i].row + chunk.runs[i].rows; row++) {
        char expected[32];
        payload_of(chunk.runs[i].series, chunk.keys[row], expected);
        struct str payload = column_str(&chunk.columns[1], row);
        assert_int_equal(payload.size, 32);
        assert_memory_equal(payload.data, expected, 32);
        assert_int_equal(chunk.columns[0].i64[row], 200 + chunk.keys[row] % 5);
        assert_int_equal(chunk.keys[row], from + (int64_t)(count++ % (uint64_t)(to - from + 1)));
      }
  }
  store_scan_figures(scan, &figures);
  store_scan_close(scan);
  store_snapshot_release(snapshot);
  assert_int_equal(count, SERIES * (uint64_t)(to - from + 1));
  return figures.bytes_read;
}

static int64_t number_in(const char *json, const char *name) {
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\": ", name);
  const char *at = strstr(json, quoted);
  assert_non_null(at);
  return strtoll(at + strlen(quoted), NULL, 10);
}

static uint64_t file_size(struct fixture *fixture, const char *folder, const char *name,
                          char *text) {
  char path[200];
  uint64_t size;
  struct os_file *file;
  snprintf(path, sizeof path, "%s/%s", folder, name);
  assert_int_equal(os_file_open(fixture->os, path, OS_READ, &file, NULL), ERR_OK);
  assert_int_equal(os_file_size(file, &size, NULL), ERR_OK);
  if (text) {
    assert_int_equal(os_file_read_exact(file, 0, text, size, NULL), ERR_OK);
    text[size] = 0;
  }
  os_file_close(file);
  return size;
}

/* manifest.json of every part says what its files and rows are; returns the number of parts. */
static size_t check_manifests(struct fixture *fixture, int64_t rows) {
  static const char *const files[] = {
      "primary.bin",         "keys.bin", "data.bin", "meta.bin", "tag_http%2Fstatus.td",
      "tag_http%2Fstatus.tm"};
  struct store_part *const *parts;
  struct store_snapshot *snapshot;
  int64_t total = 0;
  assert_int_equal(store_snapshot_acquire(fixture->shard, &snapshot, NULL), ERR_OK);
  size_t count = store_snapshot_parts(snapshot, STORE, &parts);
  for (size_t i = 0; i < count; i++) {
    struct store_part_facts facts;
    char folder[100], json[1000];
    uint64_t bytes = 0;
    const uint32_t *ids;
    const struct type *types;
    store_part_facts(parts[i], &facts);
    fixture_part_path(fixture, facts.id >> 20, folder, sizeof folder);
    file_size(fixture, folder, "manifest.json", json);
    for (size_t j = 0; j < sizeof files / sizeof files[0]; j++)
      bytes += file_size(fixture, folder, files[j], NULL);
    int64_t part_rows = number_in(json, "totalCount");
    int64_t keys = number_in(json, "maxKey") - number_in(json, "minKey") + 1;
    assert_int_equal(number_in(json, "compressedSizeBytes"), bytes);
    assert_int_equal(number_in(json, "uncompressedSizeBytes"), part_rows * (8 + 8 + 4 + 32));
    assert_int_equal(part_rows, SERIES * keys);
    assert_int_equal(number_in(json, "maxCommit") - number_in(json, "minCommit") + 1,
                     keys / PER_COMMIT);
    assert_int_equal(number_in(json, "blocksCount"), facts.blocks);
    assert_int_equal(number_in(json, "id"), facts.id >> 20);
    assert_int_equal(store_part_columns(parts[i], &ids, &types), 2);
    assert_true(str_equal(store_part_column_name(parts[i], 0), STR("http/status")));
    assert_int_equal(store_part_column_name(parts[i], 1).size, 0);
    assert_int_equal(part_verify(parts[i], NULL), ERR_OK);
    total += part_rows;
  }
  assert_int_equal(total, rows);
  store_snapshot_release(snapshot);
  return count;
}

static void test_p5_p6_from_the_log_to_merged_parts(void **state) {
  (void)state;
  static const struct store_hooks hooks = {.column_name = name_of};
  struct fixture fixture;
  fixture_init(&fixture, 77);
  fixture.options.form = STORE_FORM_ALONE;
  fixture.options.hooks = &hooks;
  fixture_open(&fixture);
  int64_t keys = 0;
  for (int round = 0; round < 4; round++) {
    for (int i = 0; i < 3; i++, keys += PER_COMMIT)
      write_rows(&fixture, keys);
    read_rows(&fixture, 0, keys - 1);
    fixture_reopen(&fixture);
    read_rows(&fixture, 0, keys - 1);
    assert_int_equal(store_flush(fixture.shard, 0, NULL), ERR_OK);
    read_rows(&fixture, 0, keys - 1);
    assert_int_equal(check_manifests(&fixture, SERIES * keys), round + 1);
  }
  assert_int_equal(store_merge(fixture.shard, 0, NULL), ERR_OK);
  assert_int_equal(check_manifests(&fixture, SERIES * keys), 1);
  uint64_t all = read_rows(&fixture, 0, keys - 1);
  /* 100 of 7,200 keys of each series: the frames of the vector of 1,024 rows that they lie in, and
   * the keys and tags of their blocks. */
  uint64_t few = read_rows(&fixture, 1100, 1199);
  assert_true(few * 5 < all);
  fixture_reopen(&fixture);
  assert_int_equal(check_manifests(&fixture, SERIES * keys), 1);
  assert_int_equal(read_rows(&fixture, 1100, 1199), few);
  fixture_deinit(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_p5_p6_from_the_log_to_merged_parts),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
