/* Bloom filters: no false negative, false positives as configured, and no block left out of a scan
 * that had a row to give. */
#include "shard_fixture.h"

#include "base/checksum.h"
#include "columnar/builder.h"
#include "store/part_filter.h"
#include "store/predicate.h"

static uint64_t random_state = 7;
static uint64_t draw(void) { return hash_mix(random_state += 0x9e3779b97f4a7c15u); }

static void test_p9_false_positives_are_as_configured_and_negatives_never(void **state) {
  (void)state;
  static const double wanted[] = {0.1, 0.01, 0.001};
  static const size_t counts[] = {1, 7, 100, 1000, 8192};
  for (size_t w = 0; w < 3; w++)
    for (size_t c = 0; c < 5; c++) {
      uint32_t words = part_filter_words(counts[c], wanted[w]);
      uint8_t *filter = calloc(words, PART_FILTER_WORD);
      uint64_t first = draw();
      for (size_t i = 0; i < counts[c]; i++)
        part_filter_add(filter, words, part_filter_hash_number(TYPE_UINT64, first + i));
      for (size_t i = 0; i < counts[c]; i++)
        assert_true(
            part_filter_may_hold(filter, words, part_filter_hash_number(TYPE_UINT64, first + i)));
      size_t strangers = 200000, found = 0;
      for (size_t i = 0; i < strangers; i++)
        found += part_filter_may_hold(filter, words,
                                      part_filter_hash_number(TYPE_UINT64, first - 1 - i));
      assert_true((double)found / (double)strangers <= wanted[w] * 1.25 + 0.0002);
      free(filter);
    }
}

/* Which way floats go into a filter: equal values alike. */
static void test_p9_zeros_of_either_sign_are_one_value(void **state) {
  (void)state;
  double zero = 0.0, negative = -0.0;
  uint64_t a, b;
  memcpy(&a, &zero, 8);
  memcpy(&b, &negative, 8);
  assert_int_equal(part_filter_hash_number(TYPE_FLOAT64, a),
                   part_filter_hash_number(TYPE_FLOAT64, b));
  assert_int_not_equal(part_filter_hash_number(TYPE_INT64, a),
                       part_filter_hash_number(TYPE_INT64, b));
}

/* ---- skipping, against the same scan without a filter ---- */

enum { COLUMN_INT = 3, COLUMN_FLOAT = 5, COLUMN_TEXT = 8, ROWS = 3000 };

static void settings(void *context, uint64_t store, struct store_settings *out) {
  (void)context;
  (void)store;
  out->filter_count = 3;
  out->filters[0] = COLUMN_INT;
  out->filters[1] = COLUMN_FLOAT;
  out->filters[2] = COLUMN_TEXT;
}
static const struct store_hooks hooks = {.settings = settings};

static double float_of(uint64_t value) {
  return value == 0 ? __builtin_nan("") : value == 1 ? -0.0 : (double)value - 50;
}
static struct str text_of(uint64_t value, char out[16]) {
  return (struct str){out, (size_t)snprintf(out, 16, "v%llu", (unsigned long long)value)};
}

/* A commit whose values lie in a small range of its own, so that blocks differ. */
static void put_rows(struct fixture *fixture, struct mem_account *account, uint64_t base) {
  static uint64_t series[ROWS];
  static int64_t keys[ROWS];
  struct builder ints, floats, texts;
  builder_init(&ints, TYPE_INT64, account);
  builder_init(&floats, TYPE_FLOAT64, account);
  builder_init(&texts, TYPE_STRING, account);
  for (int i = 0; i < ROWS; i++) {
    char text[16];
    uint64_t value = base + draw() % 8;
    series[i] = 1 + (uint64_t)i / 1000;
    keys[i] = i % 1000;
    if (draw() % 5) builder_append_i64(&ints, (int64_t)value - 50);
    if (draw() % 5) builder_append_f64(&floats, float_of(value));
    if (draw() % 5) builder_append_str(&texts, text_of(value, text));
    builder_pad(&ints, i + 1);
    builder_pad(&floats, i + 1);
    builder_pad(&texts, i + 1);
  }
  struct store_column columns[] = {{COLUMN_INT, builder_view(&ints)},
                                   {COLUMN_FLOAT, builder_view(&floats)},
                                   {COLUMN_TEXT, builder_view(&texts)}};
  struct store_rows rows = {.store = 1,
                            .policy = STORE_KEEP_ALL,
                            .rows = ROWS,
                            .series = series,
                            .keys = keys,
                            .columns = columns,
                            .column_count = 3};
  struct err err;
  if (store_write(fixture->shard, &rows, 1, NULL, &err)) fail_err(&err, "write");
  builder_deinit(&ints);
  builder_deinit(&floats);
  builder_deinit(&texts);
}

static bool value_passes(const struct store_term *term, const struct column *column, int64_t row) {
  if (!column_is_valid(column, row)) return term->kind == STORE_TERM_ABSENT;
  if (term->kind == STORE_TERM_ABSENT || term->kind == STORE_TERM_PRESENT)
    return term->kind == STORE_TERM_PRESENT;
  bool number = !type_is_string(column->type), real = column->type.physical == PHYSICAL_FLOAT64;
  for (size_t i = 0; term->kind == STORE_TERM_IN && i < term->value_count; i++)
    if (number ? real ? column->f64[row] == term->values[i].number.f64
                      : column->i64[row] == term->values[i].number.i64
               : str_equal(column_str(column, row), term->values[i].text))
      return true;
  if (term->kind != STORE_TERM_RANGE) return false;
  double value = real ? column->f64[row] : (double)column->i64[row];
  double min = real ? term->min.f64 : (double)term->min.i64;
  double max = real ? term->max.f64 : (double)term->max.i64;
  if (value != value) return false;
  return (!term->has_min || (term->min_exclusive ? value > min : value >= min)) &&
         (!term->has_max || (term->max_exclusive ? value < max : value <= max));
}

/* The hash of all rows that pass, in order, and how many there are. */
static uint64_t scan_rows(struct fixture *fixture, const struct store_filter *filter, bool skip,
                          uint64_t *count, struct store_scan_figures *figures) {
  static const uint32_t ids[] = {COLUMN_INT, COLUMN_FLOAT, COLUMN_TEXT};
  struct store_snapshot *snapshot;
  struct store_scan *scan;
  struct store_chunk chunk;
  struct err err;
  uint64_t hash = 0;
  assert_int_equal(store_snapshot_acquire(fixture->shard, &snapshot, NULL), 0);
  struct store_scan_spec spec = {.store = 1,
                                 .series_max = UINT64_MAX,
                                 .key_min = INT64_MIN,
                                 .key_max = INT64_MAX,
                                 .columns = ids,
                                 .column_count = 3,
                                 .filter = skip ? filter : NULL,
                                 .account = &fixture->account};
  if (store_scan_open(snapshot, &spec, &scan, &err)) fail_err(&err, "scan");
  *count = 0;
  for (;;) {
    if (store_scan_next(scan, &chunk, &err)) fail_err(&err, "next");
    if (!chunk.rows) break;
    if (store_scan_load(scan, &chunk, true, UINT64_MAX, &err)) fail_err(&err, "load");
    for (uint32_t row = 0; row < chunk.rows; row++) {
      bool passes = true;
      for (size_t t = 0; t < filter->term_count; t++)
        for (int c = 0; c < 3; c++)
          if (ids[c] == filter->terms[t].column)
            passes &= value_passes(&filter->terms[t], &chunk.columns[c], row);
      if (!passes) continue;
      hash = hash_mix(hash ^ (uint64_t)chunk.keys[row]);
      ++*count;
    }
  }
  store_scan_figures(scan, figures);
  store_scan_close(scan);
  store_snapshot_release(snapshot);
  return hash;
}

static struct store_term_value draw_value(uint32_t column, char text[16]) {
  uint64_t value = draw() % 110;
  struct store_term_value out = {.number.i64 = (int64_t)value - 50};
  if (column == COLUMN_FLOAT) out.number.f64 = float_of(value == 0 ? 1 : value);
  if (column == COLUMN_TEXT) out.text = text_of(value, text);
  return out;
}

static void draw_term(struct store_term *term, struct store_term_value values[3],
                      char texts[3][16]) {
  static const uint32_t ids[] = {COLUMN_INT, COLUMN_FLOAT, COLUMN_TEXT};
  int c = (int)(draw() % 3);
  *term = (struct store_term){.column = ids[c],
                              .type = c == 0   ? TYPE_INT64
                                      : c == 1 ? TYPE_FLOAT64
                                               : TYPE_STRING,
                              .kind = (enum store_term_kind)(draw() % 4),
                              .values = values};
  if (term->kind == STORE_TERM_RANGE && c == 2) term->kind = STORE_TERM_IN;
  if (term->kind == STORE_TERM_IN) term->value_count = draw() % 4;
  for (size_t i = 0; i < 3; i++)
    values[i] = draw_value(term->column, texts[i]);
  if (term->kind != STORE_TERM_RANGE) return;
  term->has_min = draw() % 4;
  term->has_max = draw() % 4;
  term->min_exclusive = draw() % 2;
  term->max_exclusive = draw() % 2;
  term->min = values[0].number;
  term->max = values[1].number;
}

static void test_q7_a_skipped_block_would_have_given_no_row(void **state) {
  (void)state;
  struct fixture fixture;
  uint64_t skipped = 0;
  fixture_init(&fixture, 11);
  fixture.options.hooks = &hooks;
  fixture_open(&fixture);
  for (int part = 0; part < 12; part++) {
    put_rows(&fixture, &fixture.account, (uint64_t)(part % 6) * 16);
    if (part < 11) assert_int_equal(store_flush(fixture.shard, 0, NULL), 0);
  }
  for (int i = 0; i < 300; i++) {
    struct store_term terms[2];
    struct store_term_value values[2][3];
    char texts[2][3][16];
    struct store_filter filter = {terms, 1 + draw() % 2};
    for (size_t t = 0; t < filter.term_count; t++)
      draw_term(&terms[t], values[t], texts[t]);
    if (i == 150) assert_int_equal(store_merge(fixture.shard, 0, NULL), 0);
    struct store_scan_figures with, without;
    uint64_t rows_with, rows_without;
    uint64_t a = scan_rows(&fixture, &filter, true, &rows_with, &with);
    uint64_t b = scan_rows(&fixture, &filter, false, &rows_without, &without);
    assert_int_equal(rows_with, rows_without);
    assert_int_equal(a, b);
    skipped += with.blocks_skipped - without.blocks_skipped;
  }
  assert_true(skipped > 500);
  fixture_deinit(&fixture);
}

/* A value that lies between min and max of every block but in none: only a filter can know. */
static void test_p9_a_filter_spares_blocks_that_statistics_do_not(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, 12);
  fixture.options.hooks = &hooks;
  fixture_open(&fixture);
  put_rows(&fixture, &fixture.account, 10);
  assert_int_equal(store_flush(fixture.shard, 0, NULL), 0);
  struct store_term_value value = {.text = STR("v12x")};
  struct store_term term = {.column = COLUMN_TEXT,
                            .type = TYPE_STRING,
                            .kind = STORE_TERM_IN,
                            .values = &value,
                            .value_count = 1};
  struct store_filter filter = {&term, 1};
  struct store_scan_figures figures;
  uint64_t rows;
  scan_rows(&fixture, &filter, true, &rows, &figures);
  assert_int_equal(rows, 0);
  assert_int_equal(figures.blocks_read, 0);
  assert_true(figures.blocks_skipped > 0);
  fixture_deinit(&fixture);
}

/* A bit turns anywhere in a filter's file: nothing is missing from answers. */
static void test_q7_a_filter_that_cannot_be_read_leaves_nothing_out(void **state) {
  (void)state;
  for (uint64_t bit = 5;; bit += 4099) {
    struct fixture fixture;
    struct os_file *file;
    char path[128];
    uint64_t bytes, rows;
    snprintf(path, sizeof path, "/shard/0000000000000001/tag_c%d.tf", COLUMN_TEXT);
    fixture_init(&fixture, 12);
    fixture.options.hooks = &hooks;
    fixture.options.form = STORE_FORM_ALONE;
    fixture_open(&fixture);
    put_rows(&fixture, &fixture.account, 10);
    assert_int_equal(store_flush(fixture.shard, 0, NULL), 0);
    assert_int_equal(os_file_open(fixture.os, path, OS_READ, &file, NULL), ERR_OK);
    assert_int_equal(os_file_size(file, &bytes, NULL), ERR_OK);
    os_file_close(file);
    if (bit >= 8 * bytes) {
      fixture_deinit(&fixture);
      return;
    }
    assert_int_equal(os_sim_flip_bit(fixture.os, path, bit, NULL), ERR_OK);
    struct store_term_value value = {.text = STR("v12x")};
    struct store_term term = {.column = COLUMN_TEXT,
                              .type = TYPE_STRING,
                              .kind = STORE_TERM_IN,
                              .values = &value,
                              .value_count = 1};
    struct store_filter filter = {&term, 1}, none = {&term, 0};
    struct store_scan_figures of;
    for (int round = 0; round < 2; round++) {
      scan_rows(&fixture, &filter, true, &rows, &of);
      assert_int_equal(rows, 0);
      scan_rows(&fixture, &none, true, &rows, &of);
      assert_int_equal(rows, ROWS);
      assert_int_equal(of.parts_damaged, 0);
    }
    fixture_deinit(&fixture);
  }
}

/* Metadata that only the skipping of blocks has read: the damage is known and told all the same. */
static void test_r4_damage_that_a_filter_meets_is_reported(void **state) {
  (void)state;
  struct fixture fixture;
  struct store_scan_figures of;
  uint64_t rows;
  fixture_init(&fixture, 12);
  fixture.options.hooks = &hooks;
  fixture.options.form = STORE_FORM_ALONE;
  fixture_open(&fixture);
  put_rows(&fixture, &fixture.account, 10);
  assert_int_equal(store_flush(fixture.shard, 0, NULL), 0);
  assert_int_equal(os_sim_flip_bit(fixture.os, "/shard/0000000000000001/tag_c8.tm", 8 * 40, NULL),
                   ERR_OK);
  struct store_term term = {.column = COLUMN_TEXT, .type = TYPE_STRING, .kind = STORE_TERM_PRESENT};
  struct store_filter filter = {&term, 1};
  struct store_snapshot *snapshot;
  struct store_chunk chunk;
  struct store_scan *scan;
  assert_int_equal(store_snapshot_acquire(fixture.shard, &snapshot, NULL), 0);
  struct store_scan_spec spec = {.store = 1,
                                 .series_max = UINT64_MAX,
                                 .key_min = INT64_MIN,
                                 .key_max = INT64_MAX,
                                 .filter = &filter,
                                 .account = &fixture.account};
  assert_int_equal(store_scan_open(snapshot, &spec, &scan, NULL), ERR_OK);
  assert_int_equal(store_scan_next(scan, &chunk, NULL), ERR_OK);
  store_scan_close(scan);
  store_snapshot_release(snapshot);
  scan_rows(&fixture, &filter, true, &rows, &of);
  assert_int_equal(rows, 0);
  assert_int_equal(of.parts_damaged, 1);
  assert_int_equal(figures(&fixture).parts_damaged, 1);
  fixture_deinit(&fixture);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_p9_false_positives_are_as_configured_and_negatives_never),
      cmocka_unit_test(test_p9_zeros_of_either_sign_are_one_value),
      cmocka_unit_test(test_q7_a_skipped_block_would_have_given_no_row),
      cmocka_unit_test(test_p9_a_filter_spares_blocks_that_statistics_do_not),
      cmocka_unit_test(test_q7_a_filter_that_cannot_be_read_leaves_nothing_out),
      cmocka_unit_test(test_r4_damage_that_a_filter_meets_is_reported),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
