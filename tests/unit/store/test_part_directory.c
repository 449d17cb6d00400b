/* Parts as directories, wide and compact, beside the same rows as an image: what is read, what the
 * files are called and hold, what failures and crashes leave. */
#include "part_forms.h"

#include "codec/codec.h"

enum { SEED = 20240801 };

static const struct store_tombstone tombstone = {
    .series = (const uint64_t[]){3, 9}, .series_count = 2, .key_min = -5, .key_max = INT64_MAX};
static const struct part_ending ending = {.commit_min = 4,
                                          .commit_max = 9,
                                          .tombstones = &tombstone,
                                          .tombstone_commits = (const uint64_t[]){7},
                                          .tombstone_count = 1,
                                          .sources = (const uint64_t[]){1 << 20, 2 << 20},
                                          .source_count = 2,
                                          .series = {"what the layer above says", 25}};

static void make_rows(struct fixture *fixture, uint32_t series, uint32_t rows_max) {
  fixture_init(fixture, SEED);
  fixture_all_types(fixture);
  fixture_column(fixture, STORE_COLUMN_PAYLOAD, TYPE_BYTES);
  fixture_column(fixture, STORE_COLUMN_COMMIT, TYPE_UINT64);
  fixture_column(fixture, STORE_COLUMN_MARK, TYPE_BOOL);
  for (uint32_t i = 1; i <= series; i++)
    fixture_run(fixture, i * 3, 1 + i * 797 % rows_max, 20);
}

/* Writes with filters on columns 1, 2 and 8. */
static void write_with_filters(struct formed *formed, struct fixture *fixture, enum form form) {
  static const struct store_settings settings = {.filter_count = 3, .filters = {1, 2, 8}};
  struct part_filters filters;
  struct err err;
  err_reset(&err);
  assert_ok(part_filters_init(&filters, &settings, &fixture->account, &err), &err);
  fixture->options.observer = &filters.observer;
  assert_ok(form_write(formed, fixture, form, 1, 0, &ending, &err), &err);
  fixture->options.observer = NULL;
  part_filters_deinit(&filters);
}

static int visit_count(void *context, const char *name, bool is_dir) {
  (void)name;
  assert_false(is_dir);
  ++*(uint32_t *)context;
  return 0;
}

static void check_same(struct formed *formed) {
  struct err err;
  err_reset(&err);
  assert_ok(form_check(formed, &err), &err);
  struct store_part *part;
  assert_ok(form_open(formed, &part, &err), &err);
  const struct store_tombstone *tombstones;
  const uint64_t *commits, *sources;
  struct store_part_facts facts;
  char bytes[25];
  store_part_facts(part, &facts);
  assert_int_equal(facts.rows, fixture_rows(formed->fixture));
  assert_int_equal(facts.commit_min, 4);
  assert_int_equal(facts.commit_max, 9);
  assert_int_equal(facts.id, formed->epoch << 20);
  assert_int_equal(part_tombstones(part, &tombstones, &commits), 1);
  assert_int_equal(tombstones[0].series[1], 9);
  assert_int_equal(commits[0], 7);
  assert_int_equal(part_sources(part, &sources), 2);
  assert_int_equal(sources[1], 2 << 20);
  assert_int_equal(store_part_series_bytes(part), 25);
  assert_int_equal(store_part_series_read(part, 0, bytes, 25, NULL), ERR_OK);
  assert_memory_equal(bytes, ending.series.data, 25);
  part_release(part);
}

static void forms_read_the_same(void *context) {
  (void)context;
  static const struct {
    uint32_t series, rows, slice;
  } shapes[] = {{0, 1, 0}, {1, 1, 0}, {40, 20, 7}, {7, 20000, 5000}, {3, 9000, 0}};
  for (size_t i = 0; i < sizeof shapes / sizeof shapes[0]; i++) {
    for (int form = 0; form < FORM_COUNT; form++) {
      struct fixture fixture;
      struct formed formed;
      struct err err;
      err_reset(&err);
      make_rows(&fixture, shapes[i].series, shapes[i].rows);
      assert_ok(form_write(&formed, &fixture, form, 1 + i, shapes[i].slice, &ending, &err), &err);
      check_same(&formed);
      if (form != FORM_IMAGE) {
        char path[64];
        uint32_t files = 0;
        form_path(&formed, NULL, path, sizeof path);
        assert_int_equal(os_dir_list(forms.os, path, visit_count, &files, NULL), ERR_OK);
        assert_int_equal(files, forms.files);
        if (form == FORM_COMPACT) assert_int_equal(files, 2);
      }
      form_remove(&formed);
      fixture_deinit(&fixture);
    }
  }
}

/* More than is gathered in memory: files grow piece by piece, and memory does not. */
static void large_part_is_spilled(void *context) {
  (void)context;
  struct fixture fixture;
  struct formed formed;
  struct err err;
  err_reset(&err);
  fixture_init(&fixture, SEED);
  fixture_column(&fixture, 4, TYPE_FLOAT64);
  fixture_column(&fixture, 7, TYPE_UINT64);
  fixture_column(&fixture, STORE_COLUMN_PAYLOAD, TYPE_BYTES);
  for (uint32_t i = 0; i < 300000; i++) {
    uint64_t random[4] = {fixture_random(&fixture), fixture_random(&fixture), i, 0};
    builder_append_u64(&fixture.series, 1 + i / 50000);
    builder_append_i64(&fixture.keys, (int64_t)i * 1000 + (int64_t)(random[0] % 1000));
    builder_append_f64(&fixture.columns[0], (double)random[0]);
    builder_append_u64(&fixture.columns[1], random[1]);
    builder_append_str(&fixture.columns[2], str_of((const char *)random, 24));
  }
  int64_t before = mem_account_used(&fixture.account);
  atomic_store(&fixture.account.peak, before);
  assert_ok(form_write(&formed, &fixture, FORM_WIDE, 5, 8192, &ending, &err), &err);
  print_message("%lld bytes at most\n", (long long)(atomic_load(&fixture.account.peak) - before));
  assert_true(atomic_load(&fixture.account.peak) - before < 24 << 20);
  assert_ok(form_check(&formed, &err), &err);
  size_t size;
  free(form_file(&formed, "data.bin", &size));
  assert_true(size > 6 << 20);
  form_remove(&formed);
  fixture_deinit(&fixture);
}

static void test_forms_read_the_same(void **state) {
  (void)state;
  forms_run(SEED, 16, forms_read_the_same);
}
static void test_large_part_is_spilled(void **state) {
  (void)state;
  forms_run(SEED, 8, large_part_is_spilled);
}

/* ---- names ---- */

static const struct {
  uint32_t id;
  const char *name, *stem;
} named[] = {
    {1, "", "c1"},
    {2, "host", "host"},
    {3, "a/b", "a%2Fb"},
    {4, "../etc", "%2E%2E%2Fetc"},
    {5, "two words", "two%20words"},
    {6,
     "gr\xc3\xb6\xc3\x9f"
     "e",
     "gr%C3%B6%C3%9Fe"},
    {7, "c8", "%638"},
    {8, "", "c8"},
    {9, "tab\tand\x01", "tab%09and%01"},
    {10, "host", "host=10"},
    {11, "100%", "100%25"},
    {12, "0123456789012345678901234567890123456789012345678901234567890123456789012345678_", NULL},
    {13, "0123456789012345678901234567890123456789012345678901234567890123456789012345678-9",
     "=8a9d"},
};
enum { NAMED = sizeof named / sizeof named[0] };

static int name_of(void *context, uint64_t store, uint32_t column, struct buffer *out,
                   struct err *err) {
  (void)context;
  (void)err;
  assert_int_equal(store, 7);
  for (size_t i = 0; i < NAMED; i++)
    if (named[i].id == column) buffer_append_text(out, named[i].name);
  return ERR_OK;
}

static void names_of_columns(void *context) {
  (void)context;
  forms.column_name = name_of;
  for (int form = FORM_COMPACT; form < FORM_COUNT; form++) {
    struct fixture fixture;
    struct formed formed;
    struct store_part *part;
    struct err err;
    err_reset(&err);
    fixture_init(&fixture, SEED);
    for (size_t i = 0; i < NAMED; i++)
      fixture_column(&fixture, named[i].id, TYPE_INT64);
    fixture_run(&fixture, 5, 40, 0);
    assert_ok(form_write(&formed, &fixture, form, 1, 0, &ending, &err), &err);
    check_same(&formed);
    assert_ok(form_open(&formed, &part, &err), &err);
    const uint32_t *ids;
    const struct type *types;
    assert_int_equal(store_part_columns(part, &ids, &types), NAMED);
    for (uint32_t i = 0; i < NAMED; i++) {
      assert_int_equal(ids[i], named[i].id);
      assert_true(str_equal(store_part_column_name(part, i), str_from(named[i].name)));
      if (form != FORM_WIDE) continue;
      char stem[PART_STEM_SIZE], name[PART_FILE_NAME_SIZE];
      size_t size;
      part_stem(str_from(named[i].name), named[i].id, i == 9, stem);
      if (named[i].stem && named[i].stem[0] == '=')
        assert_true(stem[0] == '=' && strlen(stem) == 17);
      else
        assert_string_equal(stem, named[i].stem ? named[i].stem : named[i].name);
      snprintf(name, sizeof name, "tag_%s.td", stem);
      free(form_file(&formed, name, &size));
      snprintf(name, sizeof name, "tag_%s.tm", stem);
      free(form_file(&formed, name, &size));
    }
    part_release(part);
    form_remove(&formed);
    fixture_deinit(&fixture);
  }
}

static void test_p5_names_of_columns(void **state) {
  (void)state;
  forms_run(SEED, 16, names_of_columns);
}

/* Escaping is reversible, for any bytes. */
static void test_p5_names_come_back(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, SEED);
  struct buffer back;
  buffer_init(&back, &fixture.account);
  for (int round = 0; round < 20000; round++) {
    char name[80], stem[PART_STEM_SIZE];
    size_t size = 1 + fixture_below(&fixture, round % 3 ? 26 : 79);
    for (size_t i = 0; i < size; i++)
      name[i] = round % 2 ? (char)fixture_random(&fixture) : "c0%=.-/"[fixture_below(&fixture, 7)];
    struct str given = {name, size};
    part_stem(given, 12, round % 5 == 0, stem);
    assert_true(strlen(stem) < PART_STEM_SIZE &&
                strspn(stem, "%=-_0123456789abcdefghijklmnopqrst"
                             "uvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(stem));
    buffer_reset(&back);
    if (stem[0] == '=') {
      assert_true(size > 26);
      assert_false(part_stem_name(str_from(stem), &back));
    } else {
      assert_true(part_stem_name(str_from(stem), &back));
      assert_true(str_equal(buffer_str(&back), given));
    }
  }
  static const char *const none[] = {"",    "c7", "c7=7", "=0123456789abcdef",
                                     "a b", "%4", "%zz",  "."};
  for (size_t i = 0; i < sizeof none / sizeof none[0]; i++)
    assert_false(part_stem_name(str_from(none[i]), &back));
  buffer_deinit(&back);
  fixture_deinit(&fixture);
}

static int collect(void *context, const char *name, bool is_dir) {
  char *all = context;
  size_t size = strlen(all);
  (void)is_dir;
  snprintf(all + size, 1000 - size, "%s ", name);
  return 0;
}

static int short_name(void *context, uint64_t store, uint32_t column, struct buffer *out,
                      struct err *err) {
  (void)context;
  (void)store;
  (void)err;
  buffer_append_text(out, column == 1 ? "host" : "level");
  return ERR_OK;
}

/* Exactly the files that the contract lists; data.bin only with payloads. */
static void files_of_a_part(void *context) {
  (void)context;
  forms.column_name = short_name;
  for (int with_payload = 0; with_payload < 3; with_payload++) {
    for (int form = FORM_COMPACT; form < FORM_COUNT; form++) {
      struct fixture fixture;
      struct formed formed;
      struct err err;
      char all[1000] = "";
      err_reset(&err);
      fixture_init(&fixture, SEED);
      fixture_column(&fixture, 1, TYPE_STRING);
      fixture_column(&fixture, 2, TYPE_INT64);
      if (with_payload) fixture_column(&fixture, STORE_COLUMN_PAYLOAD, TYPE_BYTES);
      if (with_payload == 2) {
        fixture_column(&fixture, STORE_COLUMN_COMMIT, TYPE_UINT64);
        fixture_column(&fixture, STORE_COLUMN_MARK, TYPE_BOOL);
      }
      fixture_run(&fixture, 5, 40, 0);
      assert_ok(form_write(&formed, &fixture, form, 1, 0, &ending, &err), &err);
      assert_int_equal(os_dir_list(forms.os, "/0000000000000001", collect, all, NULL), ERR_OK);
      if (form == FORM_COMPACT)
        assert_string_equal(all, "manifest.json part.bin ");
      else if (with_payload == 2)
        assert_string_equal(all, "commits.bin data.bin keys.bin manifest.json marks.bin meta.bin "
                                 "primary.bin tag_host.td tag_host.tm tag_level.td tag_level.tm ");
      else if (with_payload)
        assert_string_equal(all, "data.bin keys.bin manifest.json meta.bin primary.bin "
                                 "tag_host.td tag_host.tm tag_level.td tag_level.tm ");
      else
        assert_string_equal(all, "keys.bin manifest.json meta.bin primary.bin "
                                 "tag_host.td tag_host.tm tag_level.td tag_level.tm ");
      form_remove(&formed);
      fixture_deinit(&fixture);
    }
  }
}

static void test_p4_p5_files_of_a_part(void **state) {
  (void)state;
  forms_run(SEED, 16, files_of_a_part);
}

/* ---- manifest.json ---- */

static int64_t number_in(const char *json, const char *name) {
  char quoted[64];
  snprintf(quoted, sizeof quoted, "\"%s\": ", name);
  const char *at = strstr(json, quoted);
  assert_non_null(at);
  return strtoll(at + strlen(quoted), NULL, 10);
}

static void manifest_is_exact(void *context) {
  (void)context;
  for (int form = FORM_COMPACT; form < FORM_COUNT; form++) {
    struct fixture fixture;
    struct formed formed;
    struct err err;
    err_reset(&err);
    fixture_init(&fixture, SEED);
    fixture_column(&fixture, 1, TYPE_INT64);
    fixture_row(&fixture, 4, INT64_MIN, 0);
    for (int64_t i = 0; i < 9999; i++)
      fixture_row(&fixture, 5, i, 0);
    fixture_row(&fixture, 6, INT64_MAX, 0);
    assert_ok(form_write(&formed, &fixture, form, 0xab, 0, &ending, &err), &err);
    struct store_part *part;
    assert_ok(form_open(&formed, &part, &err), &err);
    size_t size, total = 0;
    char *json = (char *)form_file(&formed, "manifest.json", &size);
    static const char *const wide[] = {"primary.bin", "keys.bin", "tag_c1.td", "tag_c1.tm",
                                       "meta.bin"};
    for (int i = 0; i < (form == FORM_WIDE ? 5 : 1); i++) {
      free(form_file(&formed, form == FORM_WIDE ? wide[i] : "part.bin", &size));
      total += size;
    }
    assert_int_equal(number_in(json, "compressedSizeBytes"), total);
    assert_int_equal(number_in(json, "uncompressedSizeBytes"), 10001 * 16);
    assert_int_equal(number_in(json, "totalCount"), 10001);
    assert_int_equal(number_in(json, "blocksCount"), part_block_count(part));
    assert_int_equal(number_in(json, "minKey"), INT64_MIN);
    assert_int_equal(number_in(json, "maxKey"), INT64_MAX);
    assert_int_equal(number_in(json, "id"), 0xab);
    assert_int_equal(number_in(json, "minCommit"), 4);
    assert_int_equal(number_in(json, "maxCommit"), 9);
    part_release(part);
    free(json);
    form_remove(&formed);
    fixture_deinit(&fixture);
  }
}

static void test_p6_manifest_is_exact(void **state) {
  (void)state;
  forms_run(SEED, 16, manifest_is_exact);
}

/* ---- damage ---- */

struct flips {
  struct formed *formed;
  uint64_t bytes;
};

static int flip_each(void *context, const char *name, bool is_dir) {
  struct flips *flips = context;
  struct formed *formed = flips->formed;
  char path[256];
  size_t size;
  assert_false(is_dir);
  free(form_file(formed, name, &size));
  form_path(formed, name, path, sizeof path);
  for (uint64_t i = 0; i < size; i++) {
    uint64_t bit = i * 8 + fixture_below(formed->fixture, 8);
    struct err err;
    err_reset(&err);
    assert_int_equal(os_sim_flip_bit(forms.os, path, bit, NULL), ERR_OK);
    int code = form_check(formed, &err);
    if (code != ERR_CORRUPTION) fail_msg("%s, byte %llu: %d", path, (unsigned long long)i, code);
    assert_true(err.offset >= 0 && err.detail[0] && err.hint[0]);
    assert_int_equal(os_sim_flip_bit(forms.os, path, bit, NULL), ERR_OK);
  }
  flips->bytes += size;
  return 0;
}

static void flipped_bits(void *context) {
  (void)context;
  forms.column_name = short_name;
  for (int form = FORM_COMPACT; form < FORM_COUNT; form++) {
    struct fixture fixture;
    struct formed formed;
    struct err err;
    err_reset(&err);
    fixture_init(&fixture, SEED);
    fixture_column(&fixture, 1, TYPE_STRING);
    fixture_column(&fixture, 2, TYPE_FLOAT64);
    fixture_column(&fixture, STORE_COLUMN_PAYLOAD, TYPE_BYTES);
    for (uint64_t i = 1; i < 12; i++)
      fixture_run(&fixture, i, (uint32_t)(i * 5), 20);
    write_with_filters(&formed, &fixture, form);
    assert_ok(form_check(&formed, &err), &err);
    struct flips flips = {.formed = &formed};
    assert_int_equal(os_dir_list(forms.os, "/0000000000000001", flip_each, &flips, NULL), ERR_OK);
    assert_ok(form_check(&formed, &err), &err);
    print_message("%s: %llu bytes, each flip found\n", form_names[form],
                  (unsigned long long)flips.bytes);
    assert_true(flips.bytes > 3000);
    form_remove(&formed);
    fixture_deinit(&fixture);
  }
}

static void test_r4_flipped_bits_of_every_file(void **state) {
  (void)state;
  forms_run(SEED, 16, flipped_bits);
}

/* A file that is missing, cut or longer. */
static int break_each(void *context, const char *name, bool is_dir) {
  struct formed *formed = context;
  char path[256], aside[256];
  struct os_file *file;
  size_t size;
  struct err err;
  err_reset(&err);
  (void)is_dir;
  uint8_t *bytes = form_file(formed, name, &size);
  form_path(formed, name, path, sizeof path);
  snprintf(aside, sizeof aside, "/aside");
  assert_int_equal(os_file_rename(forms.os, path, aside, NULL), ERR_OK);
  /* Handles that are open still show the file. */
  part_handles_destroy(forms.handles);
  assert_int_equal(part_handles_create(forms.os, &forms.account, 16, &forms.handles, NULL), ERR_OK);
  int code = form_check(formed, &err);
  bool last = strcmp(name, "meta.bin") == 0 || strcmp(name, "part.bin") == 0;
  assert_int_equal(code, last ? ERR_NO_FILE : ERR_CORRUPTION);
  assert_int_equal(os_file_rename(forms.os, aside, path, NULL), ERR_OK);
  assert_int_equal(os_file_open(forms.os, path, OS_WRITE, &file, NULL), ERR_OK);
  assert_int_equal(os_file_truncate(file, size - 1, NULL), ERR_OK);
  assert_int_equal(form_check(formed, &err), ERR_CORRUPTION);
  assert_int_equal(os_file_write(file, 0, bytes, size, NULL), ERR_OK);
  assert_ok(form_check(formed, &err), &err);
  assert_int_equal(os_file_write(file, size, "and more", 8, NULL), ERR_OK);
  assert_int_equal(form_check(formed, &err), ERR_CORRUPTION);
  assert_int_equal(os_file_truncate(file, size, NULL), ERR_OK);
  os_file_close(file);
  free(bytes);
  return 0;
}

static void broken_files(void *context) {
  (void)context;
  for (int form = FORM_COMPACT; form < FORM_COUNT; form++) {
    struct fixture fixture;
    struct formed formed;
    struct err err;
    err_reset(&err);
    make_rows(&fixture, 12, 30);
    assert_ok(form_write(&formed, &fixture, form, 1, 0, &ending, &err), &err);
    assert_int_equal(os_dir_list(forms.os, "/0000000000000001", break_each, &formed, NULL), ERR_OK);
    form_remove(&formed);
    fixture_deinit(&fixture);
  }
}

static void test_r4_missing_and_cut_files(void **state) {
  (void)state;
  forms_run(SEED, 16, broken_files);
}

/* ---- life ---- */

static void doomed_directory(void *context) {
  (void)context;
  for (int form = FORM_COMPACT; form < FORM_COUNT; form++) {
    struct fixture fixture;
    struct formed formed;
    struct store_part *part;
    struct part_file *file;
    struct err err;
    err_reset(&err);
    make_rows(&fixture, 12, 30);
    assert_ok(form_write(&formed, &fixture, form, 1, 0, &ending, &err), &err);
    assert_ok(part_directory_open(forms.handles, &fixture.account, "", 1, &file, &err), &err);
    assert_ok(part_open_directory(file, &fixture.account, &part, &err), &err);
    atomic_store(&file->doomed, true);
    part_file_release(file);
    assert_ok(fixture_compare(&fixture, part, &err), &err);
    assert_true(os_path_exists(forms.os, "/0000000000000001"));
    part_release(part);
    assert_false(os_path_exists(forms.os, "/0000000000000001"));
    assert_int_equal(part_directory_open(forms.handles, &fixture.account, "", 1, &file, &err),
                     ERR_NO_FILE);
    fixture_deinit(&fixture);
  }
}

static void test_s1_doomed_directory(void **state) {
  (void)state;
  forms_run(SEED, 16, doomed_directory);
}

/* Far more parts than handles. */
static void few_handles_many_parts(void *context) {
  (void)context;
  enum { PARTS = 300, HANDLES = 16 };
  static struct store_part *parts[PARTS];
  struct fixture fixture;
  struct err err;
  err_reset(&err);
  make_rows(&fixture, 5, 20);
  for (uint32_t i = 0; i < PARTS; i++) {
    struct formed formed;
    enum form form = i % 2 ? FORM_WIDE : FORM_COMPACT;
    assert_ok(form_write(&formed, &fixture, form, i + 1, 0, &ending, &err), &err);
    assert_ok(form_open(&formed, &parts[i], &err), &err);
    assert_true(part_handles_open(forms.handles) <= HANDLES);
  }
  for (uint32_t i = 0; i < PARTS; i++) {
    assert_ok(fixture_compare(&fixture, parts[i], &err), &err);
    assert_true(part_handles_open(forms.handles) <= HANDLES);
  }
  for (uint32_t i = 0; i < PARTS; i++)
    part_release(parts[i]);
  fixture_deinit(&fixture);
}

static void test_few_handles_many_parts(void **state) {
  (void)state;
  forms_run(SEED, 16, few_handles_many_parts);
}

struct reading {
  struct fixture *fixture;
  struct store_part **parts;
  struct os_thread *thread;
};

static void read_parts(void *context) {
  struct reading *reading = context;
  for (int round = 0; round < 3; round++)
    for (int i = 0; i < 24; i++) {
      struct err err;
      err_reset(&err);
      assert_ok(fixture_compare(reading->fixture, reading->parts[i], &err), &err);
    }
}

/* Real threads that take each other's handles away. */
static void test_handles_among_threads(void **state) {
  (void)state;
  enum { PARTS = 24, READERS = 4 };
  struct store_part *parts[PARTS];
  struct reading readings[READERS];
  struct fixture fixture;
  struct err err;
  char above[] = "/tmp/nilo-test-handles-XXXXXX";
  err_reset(&err);
  assert_non_null(mkdtemp(above));
  assert_int_equal(os_real_create(&forms.os, NULL), ERR_OK);
  mem_account_init(&forms.account, "handles", NULL, 0);
  assert_ok(part_handles_create(forms.os, &forms.account, 8, &forms.handles, &err), &err);
  make_rows(&fixture, 5, 20);
  for (uint64_t i = 0; i < PARTS; i++) {
    char path[100];
    struct part_file *file;
    snprintf(path, sizeof path, "%s/%016llx", above, (unsigned long long)i + 1);
    struct part_directory directory = {
        .os = forms.os, .path = path, .compact_bytes = i % 2 ? 1 << 20 : 0};
    struct part_writer_options options = fixture.options;
    struct part_writer *writer;
    uint64_t size;
    options.directory = &directory;
    assert_ok(part_writer_create(&options, &fixture.account, NULL, 0, &writer, &err), &err);
    assert_ok(fixture_append_all(&fixture, writer, 0, &err), &err);
    assert_ok(part_writer_finish(writer, &ending, &size, NULL, &err), &err);
    part_writer_destroy(writer);
    assert_ok(part_directory_open(forms.handles, &fixture.account, above, i + 1, &file, &err),
              &err);
    assert_ok(part_open_directory(file, &fixture.account, &parts[i], &err), &err);
    atomic_store(&file->doomed, true);
    part_file_release(file);
  }
  for (int i = 0; i < READERS; i++) {
    readings[i] = (struct reading){.fixture = &fixture, .parts = parts};
    assert_ok(
        os_thread_create(forms.os, "reader", read_parts, &readings[i], &readings[i].thread, &err),
        &err);
  }
  for (int i = 0; i < READERS; i++)
    os_thread_join(readings[i].thread);
  assert_true(part_handles_open(forms.handles) <= 8);
  for (int i = 0; i < PARTS; i++)
    part_release(parts[i]);
  assert_int_equal(part_handles_open(forms.handles), 0);
  assert_int_equal(os_dir_remove(forms.os, above, NULL), ERR_OK);
  part_handles_destroy(forms.handles);
  mem_account_deinit(&forms.account);
  os_destroy(forms.os);
  fixture_deinit(&fixture);
}

/* Every call that can fail does once: an error, and what is left goes. */
static void failing_disk(void *context) {
  (void)context;
  for (int form = FORM_COMPACT; form < FORM_COUNT; form++) {
    struct fixture fixture;
    struct err err;
    make_rows(&fixture, 12, 30);
    for (uint64_t fault = 1;; fault++) {
      struct formed formed;
      err_reset(&err);
      os_sim_fail_at(forms.os, os_sim_operations(forms.os) + fault, ERR_DISK_FULL);
      int code = form_write(&formed, &fixture, form, 1, 0, &ending, &err);
      os_sim_fail_at(forms.os, 0, ERR_OK);
      if (code) assert_int_equal(code, ERR_DISK_FULL);
      if (!code) assert_ok(form_check(&formed, &err), &err);
      form_remove(&formed);
      assert_false(os_path_exists(forms.os, "/0000000000000001"));
      if (!code) break;
      assert_true(fault < 200);
    }
    fixture_deinit(&fixture);
  }
}

static void test_failing_disk(void **state) {
  (void)state;
  forms_run(SEED, 16, failing_disk);
}

struct crash {
  uint64_t operation;
  enum form form;
  bool removing, over;
};
static struct crash crash;

static struct fixture crash_rows;

static void crash_now(void *context) {
  (void)context;
  struct formed formed;
  struct err err;
  err_reset(&err);
  if (crash.removing) {
    assert_ok(form_write(&formed, &crash_rows, crash.form, 1, 0, &ending, &err), &err);
    assert_ok(os_dir_sync(forms.os, "/", &err), &err);
    os_sim_crash_at(forms.os, os_sim_operations(forms.os) + crash.operation);
    crash.over = part_directory_remove(forms.os, "/0000000000000001", NULL) == ERR_OK;
  } else {
    os_sim_crash_at(forms.os, os_sim_operations(forms.os) + crash.operation);
    int code = form_write(&formed, &crash_rows, crash.form, 1, 0, &ending, &err);
    crash.over = !code && !os_dir_sync(forms.os, "/", &err);
  }
  os_sim_crash(forms.os);
}

/* Written and synced is there; anything else is refused or whole, and can be removed. */
static void after_crash(void *context) {
  (void)context;
  struct formed formed = {.form = crash.form, .epoch = 1, .fixture = &crash_rows};
  struct err err;
  err_reset(&err);
  int code = form_check(&formed, &err);
  if (crash.over && !crash.removing) assert_ok(code, &err);
  if (code) assert_true(code == ERR_NO_FILE || code == ERR_CORRUPTION);
  assert_ok(part_directory_remove(forms.os, "/0000000000000001", &err), &err);
  assert_false(os_path_exists(forms.os, "/0000000000000001"));
}

static void crash_once(void) {
  struct os_sim_options options = {.seed = SEED + crash.operation};
  mem_account_init(&forms.account, "handles", NULL, 0);
  assert_int_equal(os_sim_create(&options, &forms.os, NULL), ERR_OK);
  make_rows(&crash_rows, 6, 20);
  os_sim_run(forms.os, crash_now, NULL);
  os_sim_reboot(forms.os, crash.operation % 2 ? OS_SIM_LOSS_DRAWN : OS_SIM_LOSS_ALL);
  assert_int_equal(part_handles_create(forms.os, &forms.account, 0, &forms.handles, NULL), ERR_OK);
  os_sim_run(forms.os, after_crash, NULL);
  fixture_deinit(&crash_rows);
  part_handles_destroy(forms.handles);
  mem_account_deinit(&forms.account);
  os_destroy(forms.os);
}

static void test_crash_while_writing_and_removing(void **state) {
  (void)state;
  for (int form = FORM_COMPACT; form < FORM_COUNT; form++) {
    for (int removing = 0; removing < 2; removing++) {
      crash = (struct crash){.form = form, .removing = removing};
      while (!crash.over) {
        crash.operation++;
        crash_once();
        assert_true(crash.operation < 300);
      }
    }
  }
}

/* ---- filters ---- */

/* A filter excludes no value that is there, in any form, and has a file of its own in a wide one.
 */
static void filters_of_columns(void *context) {
  (void)context;
  for (int form = 0; form < FORM_COUNT; form++) {
    struct fixture fixture;
    struct formed formed;
    struct store_part *part;
    struct err err;
    size_t size = 0;
    err_reset(&err);
    make_rows(&fixture, 12, 30);
    write_with_filters(&formed, &fixture, form);
    check_same(&formed);
    assert_ok(form_open(&formed, &part, &err), &err);
    assert_ok(part_load_blocks(part, &err), &err);
    assert_int_equal(part_block_count(part), 1);
    uint32_t excluded = 0;
    uint64_t read = 0;
    for (int64_t i = 0; i < 3000; i++) {
      uint64_t hash = part_filter_hash_number(TYPE_INT64, (uint64_t)i * 1000003);
      excluded += part_filter_excludes(part, 0, 1, &hash, 1, &read);
      assert_false(part_filter_excludes(part, 0, 3, &hash, 1, &read)); /* has none */
    }
    assert_true(excluded > 2800);
    for (int64_t i = 0; i < fixture.columns[0].length; i++) {
      struct column values = builder_view(&fixture.columns[0]);
      uint64_t hash = part_filter_hash_number(TYPE_INT64, values.u64[i]);
      if (column_is_valid(&values, i))
        assert_false(part_filter_excludes(part, 0, 1, &hash, 1, &read));
    }
    if (form == FORM_WIDE) {
      free(form_file(&formed, "tag_c1.tf", &size));
      assert_int_equal(size, part_align(part->columns[0].filter.size));
    }
    part_release(part);
    form_remove(&formed);
    fixture_deinit(&fixture);
  }
}

static void test_p9_filters_in_every_form(void **state) {
  (void)state;
  forms_run(SEED, 16, filters_of_columns);
}

/* Fails the 1st, 2nd, 3rd … allocation of writing, opening and reading until all of it passes. */
static void refused_memory(void *context) {
  (void)context;
  for (int form = FORM_COMPACT; form < FORM_COUNT; form++) {
    struct fixture fixture;
    make_rows(&fixture, 12, 30);
    int64_t held = mem_account_used(&fixture.account);
    int code = ERR_NO_MEMORY;
    for (int64_t fault = 1; code; fault++) {
      struct formed formed;
      struct err err;
      err_reset(&err);
      atomic_store(&fixture.account.fail_countdown, fault);
      code = form_write(&formed, &fixture, form, 1, 0, &ending, &err);
      if (!code) code = form_check(&formed, &err);
      atomic_store(&fixture.account.fail_countdown, 0);
      if (code && code != ERR_NO_MEMORY && code != ERR_MEMORY_LIMIT) assert_ok(code, &err);
      form_remove(&formed);
      assert_int_equal(mem_account_used(&fixture.account), held);
      assert_true(fault < 5000);
    }
    fixture_deinit(&fixture);
  }
}

static void test_refused_memory(void **state) {
  (void)state;
  forms_run(SEED, 16, refused_memory);
}

int main(void) {
  print_message("seed %d\n", SEED);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_forms_read_the_same),
      cmocka_unit_test(test_large_part_is_spilled),
      cmocka_unit_test(test_p4_p5_files_of_a_part),
      cmocka_unit_test(test_p5_names_of_columns),
      cmocka_unit_test(test_p5_names_come_back),
      cmocka_unit_test(test_p6_manifest_is_exact),
      cmocka_unit_test(test_p9_filters_in_every_form),
      cmocka_unit_test(test_r4_flipped_bits_of_every_file),
      cmocka_unit_test(test_r4_missing_and_cut_files),
      cmocka_unit_test(test_s1_doomed_directory),
      cmocka_unit_test(test_few_handles_many_parts),
      cmocka_unit_test(test_handles_among_threads),
      cmocka_unit_test(test_failing_disk),
      cmocka_unit_test(test_crash_while_writing_and_removing),
      cmocka_unit_test(test_refused_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
