/* Batches out through the Arrow C interface and in again, and descriptions that lie. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/err.h"
#include "base/memory.h"
#include "base/time.h"
#include "columnar/arrow.h"
#include "columnar/builder.h"

enum { ROWS = 131, COLUMNS = 9 };

static struct mem_account account;
static struct arena arena;
static struct builder builders[COLUMNS];
static struct column columns[COLUMNS];
static int released;

static const struct arrow_field fields[COLUMNS] = {
    {{"flag", 4}, {PHYSICAL_BOOL, 0, 0}, false, true},
    {{"whole", 5}, {PHYSICAL_INT64, 0, 0}, false, true},
    {{"count", 5}, {PHYSICAL_UINT64, 0, 0}, false, false},
    {{"level", 5}, {PHYSICAL_FLOAT64, 0, 0}, false, true},
    {{"text", 4}, {PHYSICAL_STRING, 0, 0}, false, true},
    {{"", 0}, {PHYSICAL_BYTES, 0, 0}, false, true},
    {{"time", 4}, {PHYSICAL_INT64, LOGICAL_TIMESTAMP, TIME_MS}, false, false},
    {{"span", 4}, {PHYSICAL_INT64, LOGICAL_DURATION, TIME_S}, false, false},
    {{"host", 4}, {PHYSICAL_STRING, 0, 0}, true, true},
};
static const char *const expected_formats[COLUMNS] = {"b", "l",       "L",   "g", "u",
                                                      "z", "tsm:UTC", "tDs", "i"};

static void count_release(void *context) {
  assert_ptr_equal(context, &released);
  released++;
}

static struct batch make_batch(void) {
  for (int c = 0; c < COLUMNS - 1; c++) {
    builder_init(&builders[c], fields[c].type, &account);
    for (int i = 0; i < ROWS; i++) {
      char text[16];
      int size = snprintf(text, sizeof text, "row %d", i * 7);
      if (fields[c].nullable && (i + c) % 5 == 0)
        builder_append_null(&builders[c]);
      else if (fields[c].type.physical == PHYSICAL_BOOL)
        builder_append_bool(&builders[c], i % 3 == 0);
      else if (fields[c].type.physical == PHYSICAL_FLOAT64)
        builder_append_f64(&builders[c], i / 8.0);
      else if (type_is_string(fields[c].type))
        builder_append_str(&builders[c], str_of(text, (size_t)size));
      else
        builder_append_i64(&builders[c], i * 1000003 - 5);
    }
    columns[c] = builder_view(&builders[c]);
  }
  struct builder *codes = &builders[COLUMNS - 1];
  builder_init(codes, (struct type){PHYSICAL_INT32, 0, 0}, &account);
  for (int i = 0; i < ROWS; i++) {
    builder_reserve(codes, 1, 0);
    codes->i32[codes->length++] = i % ROWS;
  }
  columns[COLUMNS - 1] = builder_view(codes);
  columns[COLUMNS - 1].dictionary = &columns[4];
  return (struct batch){ROWS, COLUMNS, columns};
}

static void free_batch(void) {
  for (int c = 0; c < COLUMNS; c++)
    builder_deinit(&builders[c]);
}

static int set_up(void **state) {
  (void)state;
  released = 0;
  mem_account_init(&account, "test", NULL, 0);
  arena_init(&arena, &account, 4096);
  return 0;
}
static int tear_down(void **state) {
  (void)state;
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}

static void assert_same_column(const struct column *want, const struct column *got) {
  assert_int_equal(got->length, want->length);
  assert_int_equal(got->null_count, want->null_count);
  for (int64_t i = 0; i < want->length; i++) {
    assert_int_equal(column_is_valid(got, i), column_is_valid(want, i));
    if (!column_is_valid(want, i)) continue;
    if (want->type.physical == PHYSICAL_BOOL)
      assert_int_equal(bit_get(got->bits, i), bit_get(want->bits, i));
    else if (want->type.physical == PHYSICAL_INT32)
      assert_int_equal(got->i32[i], want->i32[i]);
    else if (type_is_string(want->type))
      assert_true(str_equal(column_str(got, i), column_str(want, i)));
    else
      assert_true(got->u64[i] == want->u64[i]);
  }
}

static void test_arrow_round_trip(void **state) {
  (void)state;
  struct batch batch = make_batch(), back;
  struct ArrowSchema schema;
  struct ArrowArray array;
  struct arrow_field *got;
  uint32_t count;
  struct arrow_owner owner = {count_release, &released};
  assert_int_equal(arrow_export_schema(fields, COLUMNS, &account, &schema, NULL), ERR_OK);
  assert_int_equal(arrow_export_batch(&batch, owner, &account, &array, NULL), ERR_OK);
  assert_string_equal(schema.format, "+s");
  for (int c = 0; c < COLUMNS; c++)
    assert_string_equal(schema.children[c]->format, expected_formats[c]);
  assert_string_equal(schema.children[8]->dictionary->format, "u");
  assert_int_equal(arrow_import_schema(&schema, &arena, &got, &count, NULL), ERR_OK);
  assert_int_equal(count, COLUMNS);
  assert_int_equal(arrow_import_batch(&schema, &array, &arena, &back, NULL), ERR_OK);
  assert_int_equal(back.length, ROWS);
  for (int c = 0; c < COLUMNS; c++) {
    assert_true(str_equal(got[c].name, fields[c].name));
    assert_true(type_equal(got[c].type, fields[c].type));
    assert_int_equal(got[c].nullable, fields[c].nullable);
    assert_int_equal(got[c].dictionary, fields[c].dictionary);
    assert_same_column(&columns[c], &back.columns[c]);
  }
  assert_same_column(&columns[4], back.columns[8].dictionary);
  assert_ptr_equal(back.columns[1].values, columns[1].values); /* no copy */
  schema.release(&schema);
  array.release(&array);
  assert_null(array.release);
  assert_int_equal(released, 1);
  free_batch();
}

/* A child that was moved out keeps everything alive until it is released itself. */
static void test_arrow_moved_child(void **state) {
  (void)state;
  struct batch batch = make_batch();
  struct ArrowArray array, child;
  struct arrow_owner owner = {count_release, &released};
  assert_int_equal(arrow_export_batch(&batch, owner, &account, &array, NULL), ERR_OK);
  child = *array.children[8];
  array.children[8]->release = NULL;
  array.release(&array);
  assert_int_equal(released, 0);
  assert_int_equal(((const int32_t *)child.buffers[1])[3], 3);
  assert_int_equal(child.dictionary->length, ROWS);
  child.release(&child);
  assert_int_equal(released, 1);
  free_batch();
}

static int batches_left;
static int next_batch(void *context, struct batch *batch, struct arrow_owner *owner,
                      struct err *err) {
  (void)context;
  if (batches_left == -1) return err_set(err, ERR_IO, "the disk is gone");
  if (batches_left-- > 0) *batch = (struct batch){ROWS, COLUMNS, columns};
  *owner = (struct arrow_owner){count_release, &released};
  return ERR_OK;
}

static void test_arrow_stream(void **state) {
  (void)state;
  make_batch();
  struct ArrowArrayStream stream;
  struct ArrowSchema schema;
  struct ArrowArray array;
  struct arrow_source source = {next_batch, count_release, &released};
  batches_left = 2;
  assert_int_equal(arrow_export_stream(fields, COLUMNS, source, &account, &stream, NULL), ERR_OK);
  assert_int_equal(stream.get_schema(&stream, &schema), 0);
  assert_int_equal(schema.n_children, COLUMNS);
  schema.release(&schema);
  for (int i = 0; i < 2; i++) {
    assert_int_equal(stream.get_next(&stream, &array), 0);
    array.release(&array);
  }
  assert_int_equal(stream.get_next(&stream, &array), 0);
  assert_null(array.release);
  assert_int_equal(released, 2);
  stream.release(&stream);
  assert_int_equal(released, 3); /* the source was closed */
  batches_left = -1;
  assert_int_equal(arrow_export_stream(fields, COLUMNS, source, &account, &stream, NULL), ERR_OK);
  assert_int_not_equal(stream.get_next(&stream, &array), 0);
  assert_non_null(strstr(stream.get_last_error(&stream), "the disk is gone"));
  stream.release(&stream);
  free_batch();
}

/* ---- foreign arrays ---- */

static void no_release_schema(struct ArrowSchema *schema) { schema->release = NULL; }
static void no_release_array(struct ArrowArray *array) { array->release = NULL; }

/* A struct with one column, in the test's own memory. */
struct foreign {
  struct ArrowSchema schema, column_schema, *schema_children[1];
  struct ArrowArray array, column, *children[1];
  const void *struct_buffers[1], *buffers[3];
};

static void make_foreign(struct foreign *f, const char *format, int64_t length, int64_t offset,
                         const void *validity, const void *values, const void *data) {
  *f = (struct foreign){.buffers = {validity, values, data}};
  bool strings = strchr("uzUZ", format[0]) != NULL;
  f->column_schema =
      (struct ArrowSchema){.format = format, .name = "v", .release = no_release_schema};
  f->schema_children[0] = &f->column_schema;
  f->schema = (struct ArrowSchema){.format = "+s",
                                   .n_children = 1,
                                   .children = f->schema_children,
                                   .release = no_release_schema};
  f->column = (struct ArrowArray){.length = length,
                                  .offset = offset,
                                  .null_count = validity ? -1 : 0,
                                  .n_buffers = strings ? 3 : 2,
                                  .buffers = f->buffers,
                                  .release = no_release_array};
  f->children[0] = &f->column;
  f->array = (struct ArrowArray){.length = length,
                                 .n_buffers = 1,
                                 .n_children = 1,
                                 .buffers = f->struct_buffers,
                                 .children = f->children,
                                 .release = no_release_array};
}

static void test_arrow_import_widths(void **state) {
  (void)state;
  static const int8_t i8[] = {99, -1, 2, 3};
  static const uint16_t u16[] = {99, 65535, 2, 3};
  static const int32_t i32[] = {99, -1, 2, 3};
  static const float f32[] = {99, 0.5f, 2, 3};
  static const int64_t i64[] = {99, -1, 2, 3};
  double half = 0.5;
  uint64_t half_bits;
  memcpy(&half_bits, &half, 8);
  const struct {
    const char *format;
    const void *values;
    struct type type;
    uint64_t first;
  } rows[] = {
      {"c", i8, TYPE_INT64, UINT64_MAX},
      {"S", u16, TYPE_UINT64, 65535},
      {"i", i32, TYPE_INT64, UINT64_MAX},
      {"f", f32, TYPE_FLOAT64, half_bits},
      {"l", i64, TYPE_INT64, UINT64_MAX},
      {"tsu:Europe/Berlin", i64, TYPE_TIMESTAMP(TIME_US), UINT64_MAX},
      {"tss:", i64, TYPE_TIMESTAMP(TIME_S), UINT64_MAX},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    struct foreign f;
    struct batch batch;
    static const uint8_t validity[] = {0x0a}; /* rows 1 and 3 of 4, so 0 and 2 after the offset */
    make_foreign(&f, rows[i].format, 3, 1, validity, rows[i].values, NULL);
    assert_int_equal(arrow_import_batch(&f.schema, &f.array, &arena, &batch, NULL), ERR_OK);
    const struct column *column = &batch.columns[0];
    assert_true(type_equal(column->type, rows[i].type));
    assert_true(column->u64[0] == rows[i].first);
    assert_int_equal(column->null_count, 1);
    assert_true(column_is_valid(column, 0) && !column_is_valid(column, 1) &&
                column_is_valid(column, 2));
  }
}

static void test_arrow_import_slices(void **state) {
  (void)state;
  static const int64_t offsets[] = {5, 5, 8, 9, 9};
  static const char data[] = "xxxxxabcd";
  struct foreign f;
  struct batch batch;
  make_foreign(&f, "U", 4, 0, NULL, offsets, data);
  f.array.offset = 1; /* the struct is a slice of its children */
  f.array.length = 2;
  static const uint8_t present[] = {0x02}; /* its own row 0 */
  f.struct_buffers[0] = present;
  f.array.null_count = 1;
  assert_int_equal(arrow_import_batch(&f.schema, &f.array, &arena, &batch, NULL), ERR_OK);
  assert_int_equal(batch.length, 2);
  assert_true(str_equal(column_str(&batch.columns[0], 0), STR("abc")));
  assert_true(column_is_valid(&batch.columns[0], 0));
  assert_false(column_is_valid(&batch.columns[0], 1));
  make_foreign(&f, "b", 0, 0, NULL, NULL, NULL); /* no rows, no buffers */
  assert_int_equal(arrow_import_batch(&f.schema, &f.array, &arena, &batch, NULL), ERR_OK);
  assert_int_equal(batch.columns[0].length, 0);
}

static void test_arrow_import_refuses(void **state) {
  (void)state;
  static const int64_t values[4] = {0};
  static const int32_t falling[] = {0, 5, 3}, negative[] = {-1, 2, 3};
  struct foreign f;
  struct batch batch;
#define REFUSED(want, change)                                                                      \
  do {                                                                                             \
    make_foreign(&f, "l", 3, 0, NULL, values, NULL);                                               \
    change;                                                                                        \
    int code = arrow_import_batch(&f.schema, &f.array, &arena, &batch, NULL);                      \
    if (code != (want)) fail_msg("%s: %d", #change, code);                                         \
  } while (0)
  REFUSED(ERR_OK, (void)0);
  REFUSED(ERR_INVALID_ARGUMENT, f.schema.format = "l");
  REFUSED(ERR_INVALID_ARGUMENT, f.schema.release = NULL);
  REFUSED(ERR_INVALID_ARGUMENT, f.array.n_children = 2);
  REFUSED(ERR_INVALID_ARGUMENT, f.array.length = 4);
  REFUSED(ERR_INVALID_ARGUMENT, f.array.length = -1);
  REFUSED(ERR_INVALID_ARGUMENT, f.column.length = -1);
  REFUSED(ERR_INVALID_ARGUMENT, f.column.offset = -1);
  REFUSED(ERR_INVALID_ARGUMENT, f.column.offset = INT64_MAX);
  REFUSED(ERR_INVALID_ARGUMENT, f.column.n_buffers = 3);
  REFUSED(ERR_INVALID_ARGUMENT, f.column.null_count = 4);
  REFUSED(ERR_INVALID_ARGUMENT, f.column.null_count = 1); /* but no bitmap */
  REFUSED(ERR_INVALID_ARGUMENT, f.buffers[1] = NULL);
  REFUSED(ERR_UNSUPPORTED, f.column_schema.format = "+l");
  REFUSED(ERR_UNSUPPORTED, f.column_schema.format = "d:10,2");
  REFUSED(ERR_UNSUPPORTED, f.column_schema.format = "tsx:UTC");
  REFUSED(ERR_UNSUPPORTED, f.column_schema.format = "");
  REFUSED(ERR_INVALID_ARGUMENT, make_foreign(&f, "u", 2, 0, NULL, falling, "abcdef"));
  REFUSED(ERR_INVALID_ARGUMENT, make_foreign(&f, "z", 2, 0, NULL, negative, "abcdef"));
  /* A code beyond its dictionary. */
  static const int8_t codes[] = {0, 3, 1};
  struct foreign d;
  make_foreign(&d, "l", 3, 0, NULL, values, NULL);
  make_foreign(&f, "c", 3, 0, NULL, codes, NULL);
  f.column_schema.dictionary = &d.column_schema;
  f.column.dictionary = &d.column;
  assert_int_equal(arrow_import_batch(&f.schema, &f.array, &arena, &batch, NULL),
                   ERR_INVALID_ARGUMENT);
  d.column.length = 4;
  assert_int_equal(arrow_import_batch(&f.schema, &f.array, &arena, &batch, NULL), ERR_OK);
  assert_int_equal(batch.columns[0].i32[1], 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_arrow_round_trip, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_arrow_moved_child, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_arrow_stream, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_arrow_import_widths, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_arrow_import_slices, set_up, tear_down),
      cmocka_unit_test_setup_teardown(test_arrow_import_refuses, set_up, tear_down),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
