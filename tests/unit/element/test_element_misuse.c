/* What a program may get wrong: every call says so, names the field, and leaves nothing behind. */
#include "element_fixture.h"

static void expect_invalid(struct alone *alone, int code, const char *what) {
  assert_int_equal(code, NILO_INVALID_ARGUMENT);
  if (!strstr(alone->error.message, what))
    fail_msg("\"%s\" does not say \"%s\"", alone->error.message, what);
}

static void open_new(struct alone *alone) {
  alone_init(alone, 1);
  alone_open(alone);
}

static void test_elements_at_no_place(void **state) {
  (void)state;
  struct alone alone;
  open_new(&alone);
  struct nilo_store_element element = {.series = 1, .tag_count = 1};
  expect_invalid(&alone, alone_try_put(&alone, &element, 1), "tags");
  struct nilo_store_bytes items[2] = {{"a", 1}, {NULL, 3}};
  struct nilo_store_tag tag = {"list", value_strings(items, 2)};
  element.tags = &tag;
  expect_invalid(&alone, alone_try_put(&alone, &element, 1), "item 1");
  tag.value = (struct nilo_store_value){.type = NILO_STORE_STRING, .size = 4};
  expect_invalid(&alone, alone_try_put(&alone, &element, 1), "list");
  tag.name = NULL;
  expect_invalid(&alone, alone_try_put(&alone, &element, 1), "name");
  assert_string_equal(alone_ask(&alone, &(struct nilo_store_query){0}), "");
  alone_deinit(&alone);
}

static void test_arrays_at_no_place(void **state) {
  (void)state;
  struct alone alone;
  open_new(&alone);
  uint64_t series = 1;
  int64_t key = 1;
  int32_t ends[2] = {0, 1}, sizes[2] = {0, 5}, falling[2] = {5, 0};
  struct nilo_store_rows rows = {.rows = 1, .series = &series, .keys = &key, .column_count = 1};
  int code = nilo_store_write(alone.store, &rows, NULL, &alone.error);
  expect_invalid(&alone, code, "columns");
  struct nilo_store_column list = {
      .name = "list", .type = NILO_STORE_STRING_LIST, .list_offsets = ends, .offsets = sizes};
  rows.columns = &list;
  code = nilo_store_write(alone.store, &rows, NULL, &alone.error);
  expect_invalid(&alone, code, "data");
  list = (struct nilo_store_column){
      .name = "text", .type = NILO_STORE_STRING, .offsets = falling, .data = "hello"};
  code = nilo_store_write(alone.store, &rows, NULL, &alone.error);
  expect_invalid(&alone, code, "ascend");
  rows.rows = SIZE_MAX;
  assert_int_equal(nilo_store_write(alone.store, &rows, NULL, &alone.error), NILO_LIMIT_EXCEEDED);
  assert_string_equal(alone_ask(&alone, &(struct nilo_store_query){0}), "");
  alone_deinit(&alone);
}

static void test_filters_at_no_place(void **state) {
  (void)state;
  struct alone alone;
  open_new(&alone);
  struct nilo_store_bytes item = {NULL, 3};
  struct nilo_store_value value = {.type = NILO_STORE_STRING, .size = 3};
  struct nilo_store_value list = value_strings(&item, 1);
  const struct nilo_store_filter filters[] = {
      {.op = NILO_STORE_AND, .child_count = 2},
      {.op = NILO_STORE_EQUALS, .tag = "a", .value_count = 1},
      {.op = NILO_STORE_EQUALS, .tag = "a", .values = &value, .value_count = 1},
      {.op = NILO_STORE_HAS_ANY, .tag = "a", .values = &list, .value_count = 1},
      {.op = NILO_STORE_PRESENT},
      {.op = (enum nilo_store_operator)99, .tag = "a"},
      {.op = NILO_STORE_NOT},
  };
  for (size_t i = 0; i < sizeof filters / sizeof *filters; i++) {
    struct nilo_store_query query = {.filter = &filters[i]};
    struct nilo_store_cursor *cursor = (void *)1;
    int code = nilo_store_scan_open(alone.store, &query, &cursor, &alone.error);
    expect_invalid(&alone, code, "filter");
    assert_null(cursor);
  }
  alone_deinit(&alone);
}

static void test_options_at_no_place(void **state) {
  (void)state;
  struct alone alone;
  alone_init(&alone, 1);
  alone.options.indexed_tag_count = 1;
  int code = element_open(alone.os, &alone.options, &alone.store, &alone.error);
  expect_invalid(&alone, code, "indexed_tags");
  alone.options.indexed_tags = &(const char *const){NULL};
  code = element_open(alone.os, &alone.options, &alone.store, &alone.error);
  expect_invalid(&alone, code, "indexed_tags");
  assert_null(alone.store);
  alone_deinit(&alone);
}

/* What a later header may ask for is refused, not overlooked. */
static void test_reserved_fields(void **state) {
  (void)state;
  struct alone alone;
  alone_init(&alone, 1);
  alone.options.reserved[7] = 1;
  assert_int_equal(element_open(alone.os, &alone.options, &alone.store, &alone.error),
                   NILO_UNSUPPORTED);
  alone.options.reserved[7] = 0;
  alone_open(&alone);
  struct nilo_store_query query = {.reserved = {0, 0, 0, 1}};
  struct nilo_store_cursor *cursor;
  assert_int_equal(nilo_store_scan_open(alone.store, &query, &cursor, &alone.error),
                   NILO_UNSUPPORTED);
  alone_deinit(&alone);
}

static void test_bounds_at_the_ends(void **state) {
  (void)state;
  struct alone alone;
  open_new(&alone);
  alone_put(&alone, 1, INT64_MIN, "low", NO_TAG);
  alone_put(&alone, UINT64_MAX, INT64_MAX, "high", NO_TAG);
  for (int flushed = 0; flushed < 2; flushed++) {
    for (int back = 0; back < 2; back++) {
      struct nilo_store_query query = {.lower = {NILO_STORE_EXCLUSIVE, INT64_MAX},
                                       .descending = back};
      assert_string_equal(alone_ask(&alone, &query), "");
      query.lower.key = INT64_MIN;
      assert_string_equal(alone_ask(&alone, &query), "high");
      query.lower.kind = NILO_STORE_OPEN;
      query.upper = (struct nilo_store_bound){NILO_STORE_EXCLUSIVE, INT64_MIN};
      assert_string_equal(alone_ask(&alone, &query), "");
      query.upper.key = INT64_MAX;
      assert_string_equal(alone_ask(&alone, &query), "low");
      query.offset = query.limit = INT64_MAX;
      assert_string_equal(alone_ask(&alone, &query), "");
    }
    alone_flush(&alone);
  }
  alone_deinit(&alone);
}

static int take_id(void *context, const struct nilo_store_part *part) {
  *(uint64_t *)context = part->id;
  return 0;
}

/* The parent of a target may be the root. */
static void test_export_under_the_root(void **state) {
  (void)state;
  struct alone alone;
  open_new(&alone);
  alone_put(&alone, 1, 1, "a", NO_TAG);
  alone_flush(&alone);
  uint64_t id = 0, rows = 0;
  assert_int_equal(nilo_store_parts(alone.store, take_id, &id, &alone.error), NILO_OK);
  if (nilo_store_export(alone.store, id, "/00000000000000ab", &alone.error))
    alone_fail(&alone.error, "export");
  if (nilo_store_import(alone.store, "/00000000000000ab", &rows, &alone.error))
    alone_fail(&alone.error, "import");
  assert_int_equal(rows, 1);
  assert_string_equal(alone_ask(&alone, &(struct nilo_store_query){0}), "a a");
  alone_deinit(&alone);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_elements_at_no_place),  cmocka_unit_test(test_arrays_at_no_place),
      cmocka_unit_test(test_filters_at_no_place),   cmocka_unit_test(test_reserved_fields),
      cmocka_unit_test(test_options_at_no_place),   cmocka_unit_test(test_bounds_at_the_ends),
      cmocka_unit_test(test_export_under_the_root),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
