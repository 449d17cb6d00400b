/* Parts in files: bundles, files that go with their last part, reads and writes that fail at every
 * operation, damaged files. On the simulated machine. */
#include "part_fixture.h"

#include "base/buffer.h"
#include "codec/codec.h"
#include "os/os.h"
#include "os/sim.h"
#include "store/part_ahead.h"

enum { SEED = 20240720, SERIES_BYTES = 1200000 };

static struct os *os;
static struct mem_account handles_account;
static struct part_handles *handles;
static char *series_section;

/* Two stores in one file: where each image is. */
struct bundle {
  struct fixture fixtures[2];
  uint64_t offset[2], size[2];
};

static void make_rows(struct bundle *bundle) {
  for (int i = 0; i < 2; i++) {
    struct fixture *fixture = &bundle->fixtures[i];
    fixture_init(fixture, SEED + (uint64_t)i);
    fixture->options.store = 40 + (uint64_t)i;
    fixture->options.id = 9 << 20 | i;
    fixture_all_types(fixture);
  }
  fixture_run(&bundle->fixtures[0], 4, 30, 10);
  for (uint64_t i = 1; i < 20; i++)
    fixture_run(&bundle->fixtures[1], i * 7, i * 900 % 9001, 10);
}

static void free_rows(struct bundle *bundle) {
  fixture_deinit(&bundle->fixtures[0]);
  fixture_deinit(&bundle->fixtures[1]);
}

/* Writes both images to the file of epoch 9, the second behind the first. */
static int write_bundle(struct bundle *bundle, struct err *err) {
  struct os_file *file;
  int code =
      os_file_open(os, "/0000000000000009.part", OS_WRITE | OS_CREATE | OS_TRUNCATE, &file, err);
  if (code) return code;
  uint64_t offset = 0;
  for (int i = 0; i < 2 && !code; i++) {
    struct fixture *fixture = &bundle->fixtures[i];
    struct part_writer *writer = NULL;
    struct part_ending ending = {.commit_min = 1, .commit_max = 8};
    if (i) ending.series = str_of(series_section, SERIES_BYTES);
    bundle->offset[i] = offset;
    code = part_writer_create(&fixture->options, &fixture->account, file, offset, &writer, err);
    if (!code) code = fixture_append_all(fixture, writer, 3000, err);
    if (!code) code = part_writer_finish(writer, &ending, &bundle->size[i], NULL, err);
    part_writer_destroy(writer);
    offset += bundle->size[i];
  }
  if (!code) code = os_file_sync(file, err);
  os_file_close(file);
  if (!code) code = os_dir_sync(os, "/", err);
  return code;
}

/* Opens both parts, reads all of them. */
static int read_bundle(struct bundle *bundle, bool verify, struct err *err) {
  struct part_file *file;
  struct mem_account *account = &bundle->fixtures[0].account;
  int code = part_file_open(handles, account, "", 9, &file, err);
  if (code) return code;
  for (int i = 0; i < 2 && !code; i++) {
    struct fixture *fixture = &bundle->fixtures[i];
    struct store_part *part;
    code = part_open_file(file, bundle->offset[i], bundle->size[i], &fixture->account, &part, err);
    if (code) break;
    code = fixture_compare(fixture, part, err);
    if (!code && verify) code = part_verify(part, err);
    char bytes[100];
    if (!code && i) {
      code = store_part_series_read(part, 700001, bytes, sizeof bytes, err);
      if (!code) assert_memory_equal(bytes, series_section + 700001, sizeof bytes);
    }
    part_release(part);
  }
  part_file_release(file);
  return code;
}

static void test_bundle(void *context) {
  (void)context;
  struct bundle bundle;
  struct err err;
  err_reset(&err);
  make_rows(&bundle);
  assert_ok(write_bundle(&bundle, &err), &err);
  assert_int_equal(bundle.size[0] % 8, 0);
  assert_ok(read_bundle(&bundle, true, &err), &err);
  free_rows(&bundle);
}

/* A file leaves the disk with its last user, and only if it is doomed. */
static void test_s1_doomed_file(void *context) {
  (void)context;
  struct bundle bundle;
  struct err err;
  err_reset(&err);
  make_rows(&bundle);
  struct mem_account *account = &bundle.fixtures[0].account;
  assert_ok(write_bundle(&bundle, &err), &err);
  for (int doomed = 0; doomed < 2; doomed++) {
    struct part_file *file;
    struct store_part *parts[2];
    assert_ok(part_file_open(handles, account, "", 9, &file, &err), &err);
    for (int i = 0; i < 2; i++)
      assert_ok(part_open_file(file, bundle.offset[i], bundle.size[i], account, &parts[i], &err),
                &err);
    char text[200];
    part_describe(parts[1], text, sizeof text);
    assert_non_null(strstr(text, "0000000000000009.part"));
    atomic_store(&file->doomed, doomed);
    part_file_release(file);
    part_release(parts[0]);
    assert_true(os_path_exists(os, "/0000000000000009.part"));
    struct store_part_facts facts;
    store_part_facts(parts[1], &facts);
    assert_int_equal(facts.id, 9 << 20 | 1);
    assert_false(facts.in_memory);
    part_release(parts[1]);
    assert_int_equal(os_path_exists(os, "/0000000000000009.part"), !doomed);
  }
  struct part_file *file;
  assert_int_equal(part_file_open(handles, account, "", 9, &file, &err), ERR_NO_FILE);
  free_rows(&bundle);
}

/* Every operation of writing and of reading fails once. */
static void test_failing_disk(void *context) {
  (void)context;
  struct bundle bundle;
  struct err err;
  err_reset(&err);
  make_rows(&bundle);
  int code = ERR_IO;
  uint64_t failed = 0;
  for (uint64_t i = 1; code; i++) {
    os_sim_fail_at(os, os_sim_operations(os) + i, i % 2 ? ERR_IO : ERR_DISK_FULL);
    code = write_bundle(&bundle, &err);
    if (!code) code = read_bundle(&bundle, false, &err);
    os_sim_fail_at(os, 0, 0);
    if (code && code != (i % 2 ? ERR_IO : ERR_DISK_FULL)) assert_ok(code, &err);
    failed += code != ERR_OK;
    assert_true(i < 5000);
  }
  print_message("%llu operations\n", (unsigned long long)failed);
  assert_true(failed > 10);
  free_rows(&bundle);
}

static void test_r4_damaged_file(void *context) {
  (void)context;
  struct bundle bundle;
  struct err err;
  err_reset(&err);
  make_rows(&bundle);
  assert_ok(write_bundle(&bundle, &err), &err);
  uint64_t end = bundle.offset[1] + bundle.size[1], harmless = 0, count = 0;
  for (uint64_t at = 0; at < end; at += at < bundle.size[0] ? 37 : 19997, count++) {
    uint64_t bit = at * 8 + at % 8;
    assert_ok(os_sim_flip_bit(os, "/0000000000000009.part", bit, NULL), &err);
    int code = read_bundle(&bundle, true, &err);
    if (code) {
      assert_int_equal(code, ERR_CORRUPTION);
      assert_non_null(strstr(err.detail, "0000000000000009.part"));
    }
    harmless += code == ERR_OK;
    assert_ok(os_sim_flip_bit(os, "/0000000000000009.part", bit, NULL), &err);
  }
  assert_true(harmless < count / 20 + 2); /* padding */
  struct os_file *file;
  assert_ok(os_file_open(os, "/0000000000000009.part", OS_WRITE, &file, &err), &err);
  static const uint64_t cuts[] = {1, 60, 5000, 300000, 1300000};
  for (size_t i = 0; i < sizeof cuts / sizeof cuts[0]; i++) {
    if (cuts[i] >= end) break;
    assert_ok(os_file_truncate(file, end - cuts[i], &err), &err);
    assert_int_equal(read_bundle(&bundle, false, &err), ERR_CORRUPTION);
  }
  os_file_close(file);
  free_rows(&bundle);
}

/* Several threads read one part whose metadata none of them has loaded yet. */
struct reader_thread {
  struct bundle *bundle;
  struct store_part *part;
  struct os_thread *thread;
};
static void read_part(void *context) {
  struct reader_thread *reader = context;
  struct err err;
  err_reset(&err);
  assert_ok(fixture_compare(&reader->bundle->fixtures[1], reader->part, &err), &err);
  part_release(reader->part);
}

static void test_concurrent_readers(void *context) {
  (void)context;
  enum { READERS = 5 };
  struct bundle bundle;
  struct err err;
  err_reset(&err);
  make_rows(&bundle);
  assert_ok(write_bundle(&bundle, &err), &err);
  struct part_file *file;
  struct store_part *part;
  struct reader_thread readers[READERS];
  struct mem_account *account = &bundle.fixtures[1].account;
  assert_ok(part_file_open(handles, account, "", 9, &file, &err), &err);
  assert_ok(part_open_file(file, bundle.offset[1], bundle.size[1], account, &part, &err), &err);
  part_file_release(file);
  for (int i = 0; i < READERS; i++) {
    readers[i] = (struct reader_thread){.bundle = &bundle, .part = part};
    part_retain(part);
    assert_ok(os_thread_create(os, "reader", read_part, &readers[i], &readers[i].thread, &err),
              &err);
  }
  part_release(part);
  for (int i = 0; i < READERS; i++)
    os_thread_join(readers[i].thread);
  free_rows(&bundle);
}

static enum os_sim_verdict count_reads(void *context, const struct os_sim_event *event, int *code) {
  (void)code;
  *(uint64_t *)context += strcmp(event->call, "read") == 0;
  return OS_SIM_GO;
}

/* Opens the image of keys (column 0) or of a column; asks for the units of a block from the last to
 * the first. Every second block, or all of them. */
static uint64_t walk_images(struct store_part *part, struct part_ahead *ahead, uint32_t step,
                            struct arena *arena, struct buffer *bytes) {
  struct err err;
  const uint32_t *ids;
  const struct type *types;
  uint64_t reads = 0;
  uint32_t columns = part_columns(part, &ids, &types);
  os_sim_watch(os, count_reads, &reads);
  for (uint32_t block = 0; block < part_block_count(part); block += step) {
    for (uint32_t c = columns + 1; c-- > 0;) {
      struct codec_image image;
      struct column_statistics statistics;
      if (c)
        assert_ok(
            part_read_image(part, block, ids[c - 1], ahead, arena, &image, &statistics, NULL, &err),
            &err);
      else
        assert_ok(part_read_keys_image(part, block, ahead, arena, &image, NULL, &err), &err);
      if (image.rows) buffer_append(bytes, image.bytes, image.size);
    }
  }
  os_sim_watch(os, NULL, NULL);
  return reads;
}

/* Where all units of blocks are wanted, and they lie together, blocks come with one read, several
 * small ones too; the same bytes come without reading ahead, and out of order. */
static void test_reading_ahead(void *context) {
  (void)context;
  struct bundle bundle;
  struct err err;
  struct arena arena;
  struct buffer alone, ahead_bytes;
  err_reset(&err);
  make_rows(&bundle);
  assert_ok(write_bundle(&bundle, &err), &err);
  struct part_file *file;
  struct store_part *part;
  struct mem_account *account = &bundle.fixtures[1].account;
  assert_ok(part_file_open(handles, account, "", 9, &file, &err), &err);
  assert_ok(part_open_file(file, bundle.offset[1], bundle.size[1], account, &part, &err), &err);
  assert_ok(part_load_blocks(part, &err), &err);
  arena_init(&arena, account, 65536);
  buffer_init(&alone, account);
  buffer_init(&ahead_bytes, account);
  uint32_t blocks = part_block_count(part);
  assert_true(blocks > 5);
  walk_images(part, NULL, 1, &arena, &alone); /* now metadata is there */
  for (uint32_t step = 1; step <= 2; step++) {
    buffer_reset(&alone);
    buffer_reset(&ahead_bytes);
    uint64_t units = walk_images(part, NULL, step, &arena, &alone);
    struct part_ahead ahead = {
        .account = account, .until = blocks, .most = 4 << 20, .together = true};
    uint64_t reads = walk_images(part, &ahead, step, &arena, &ahead_bytes);
    assert_true(units > 3 * blocks / step);
    /* The first unit by itself, then what there is room for; of each block that is jumped to, too.
     */
    assert_true(step == 1 ? reads < blocks : reads <= blocks + 1);
    assert_int_equal(alone.size, ahead_bytes.size);
    assert_memory_equal(alone.data, ahead_bytes.data, alone.size);
    part_ahead_deinit(&ahead);
  }
  /* One unit of each block: after the first blocks they are read by themselves. */
  struct part_ahead few = {.account = account, .until = blocks, .most = 1, .together = true};
  uint64_t bytes_read = 0;
  for (uint32_t block = 0; block < blocks; block++) {
    struct codec_image image;
    assert_ok(part_read_keys_image(part, block, &few, &arena, &image, &bytes_read, &err), &err);
  }
  assert_false(few.together);
  part_ahead_deinit(&few);
  buffer_deinit(&alone);
  buffer_deinit(&ahead_bytes);
  arena_deinit(&arena);
  part_release(part);
  part_file_release(file);
  free_rows(&bundle);
}

static void begin_handles(void) {
  mem_account_init(&handles_account, "handles", NULL, 0);
  assert_int_equal(part_handles_create(os, &handles_account, 0, &handles, NULL), ERR_OK);
}

static void end_handles(void) {
  part_handles_destroy(handles);
  mem_account_deinit(&handles_account);
}

static void run(void (*test)(void *context)) {
  struct os_sim_options options = {.seed = SEED, .number_reads = true};
  assert_int_equal(os_sim_create(&options, &os, NULL), ERR_OK);
  begin_handles();
  os_sim_run(os, test, NULL);
  end_handles();
  os_destroy(os);
}

static void bundle_round_trip(void **state) { (void)state, run(test_bundle); }
static void doomed_file(void **state) { (void)state, run(test_s1_doomed_file); }
static void failing_disk(void **state) { (void)state, run(test_failing_disk); }
static void damaged_file(void **state) { (void)state, run(test_r4_damaged_file); }
static void reading_ahead(void **state) { (void)state, run(test_reading_ahead); }
static void concurrent_readers(void **state) { (void)state, run(test_concurrent_readers); }

/* The same readers as real threads. */
static void real_readers(void **state) {
  (void)state;
  char directory[] = "/tmp/nilo-test-part-XXXXXX", path[200];
  assert_non_null(mkdtemp(directory));
  struct bundle bundle;
  struct err err;
  err_reset(&err);
  make_rows(&bundle);
  assert_int_equal(os_real_create(&os, NULL), ERR_OK);
  begin_handles();
  struct fixture *fixture = &bundle.fixtures[1];
  snprintf(path, sizeof path, "%s/000000000000000a.part", directory);
  struct os_file *out;
  struct part_writer *writer;
  struct part_file *file;
  struct store_part *part;
  uint64_t size;
  struct part_ending ending = {.commit_min = 1, .commit_max = 8};
  assert_ok(os_file_open(os, path, OS_WRITE | OS_CREATE, &out, &err), &err);
  assert_ok(part_writer_create(&fixture->options, &fixture->account, out, 4096, &writer, &err),
            &err);
  assert_ok(fixture_append_all(fixture, writer, 10000, &err), &err);
  assert_ok(part_writer_finish(writer, &ending, &size, NULL, &err), &err);
  part_writer_destroy(writer);
  os_file_close(out);
  assert_ok(part_file_open(handles, &fixture->account, directory, 10, &file, &err), &err);
  atomic_store(&file->doomed, true);
  assert_ok(part_open_file(file, 4096, size, &fixture->account, &part, &err), &err);
  part_file_release(file);
  struct reader_thread readers[4];
  for (int i = 0; i < 4; i++) {
    readers[i] = (struct reader_thread){.bundle = &bundle, .part = part};
    part_retain(part);
    assert_ok(os_thread_create(os, "reader", read_part, &readers[i], &readers[i].thread, &err),
              &err);
  }
  part_release(part);
  for (int i = 0; i < 4; i++)
    os_thread_join(readers[i].thread);
  assert_false(os_path_exists(os, path));
  assert_int_equal(os_dir_remove(os, directory, NULL), ERR_OK);
  end_handles();
  os_destroy(os);
  free_rows(&bundle);
}

int main(void) {
  print_message("seed %d\n", SEED);
  series_section = malloc(SERIES_BYTES);
  for (int i = 0; i < SERIES_BYTES; i++)
    series_section[i] = (char)(i * 7 + i / 1000);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(bundle_round_trip),  cmocka_unit_test(doomed_file),
      cmocka_unit_test(failing_disk),       cmocka_unit_test(damaged_file),
      cmocka_unit_test(concurrent_readers), cmocka_unit_test(reading_ahead),
      cmocka_unit_test(real_readers),
  };
  int failed = cmocka_run_group_tests(tests, NULL, NULL);
  free(series_section);
  return failed;
}
