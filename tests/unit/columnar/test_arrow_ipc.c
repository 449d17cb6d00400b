/* The Arrow IPC stream: every type, nulls, dictionaries, empty batches; byte for byte as the golden
 * file, which pyarrow read as the rows below. NILO_GOLDEN_WRITE=1 writes it anew. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/time.h"
#include "columnar/arrow_ipc.h"

#define GOLDEN "tests/golden/arrow/stream.arrow"

struct world {
  struct mem_account account;
  struct arena arena;
  struct buffer out;
};

static int setup(void **state) {
  struct world *world = calloc(1, sizeof *world);
  assert_non_null(world);
  mem_account_init(&world->account, "test", NULL, 0);
  arena_init(&world->arena, &world->account, 4096);
  buffer_init(&world->out, &world->account);
  *state = world;
  return 0;
}

static int teardown(void **state) {
  struct world *world = *state;
  buffer_deinit(&world->out);
  arena_deinit(&world->arena);
  mem_account_deinit(&world->account);
  free(world);
  return 0;
}

enum { ROWS = 3, COLUMNS = 9 };
static const int64_t integers[] = {1, -2, INT64_MAX}, times[] = {0, 1500000000, -1},
                     days[] = {19000, 0, -1};
static const uint64_t unsigneds[] = {0, UINT64_MAX, 7}, bools[] = {5}, present[] = {5};
static const double floats[] = {0.5, -0.0, 1e300};
static const int32_t offsets[] = {0, 1, 1, 4}, codes[] = {1, 0, 1}, words[] = {0, 2, 5};
static const struct column dictionary = {
    .type = {PHYSICAL_STRING, 0, 0}, .length = 2, .offsets = words, .data = "euasi"};

static void make_batch(struct column columns[COLUMNS], struct batch *batch) {
  const struct column made[COLUMNS] = {
      {.type = TYPE_INT64, .length = ROWS, .i64 = integers, .validity = present, .null_count = 1},
      {.type = TYPE_UINT64, .length = ROWS, .u64 = unsigneds},
      {.type = TYPE_FLOAT64, .length = ROWS, .f64 = floats},
      {.type = TYPE_BOOL, .length = ROWS, .bits = bools},
      {.type = TYPE_STRING, .length = ROWS, .offsets = offsets, .data = "abcd"},
      {.type = TYPE_BYTES, .length = ROWS, .offsets = offsets, .data = "abcd"},
      {.type = TYPE_TIMESTAMP(TIME_MS), .length = ROWS, .i64 = times},
      {.type = TYPE_DATE, .length = ROWS, .i64 = days},
      {.type = {PHYSICAL_INT32, 0, 0}, .length = ROWS, .i32 = codes, .dictionary = &dictionary},
  };
  memcpy(columns, made, sizeof made);
  *batch = (struct batch){ROWS, COLUMNS, columns};
}

static void make_fields(struct arrow_field fields[COLUMNS]) {
  static const char *const names[COLUMNS] = {"i",     "u",    "f",   "b",     "text",
                                             "bytes", "time", "day", "region"};
  struct column columns[COLUMNS];
  struct batch batch;
  make_batch(columns, &batch);
  for (int i = 0; i < COLUMNS; i++)
    fields[i] = (struct arrow_field){
        .name = str_from(names[i]),
        .type = columns[i].dictionary ? TYPE_STRING : arrow_plain_type(columns[i].type),
        .nullable = true};
}

static void test_stream_is_golden(void **state) {
  struct world *world = *state;
  struct arrow_field fields[COLUMNS];
  struct column columns[COLUMNS];
  struct batch batch, plain;
  static uint8_t golden[8192];
  make_batch(columns, &batch);
  make_fields(fields);
  assert_int_equal(arrow_ipc_schema(fields, COLUMNS, &world->out, NULL), 0);
  assert_int_equal(arrow_plain_batch(&batch, &world->arena, &plain, NULL), 0);
  arrow_ipc_batch(&plain, &world->out);
  batch.length = 0;
  for (int i = 0; i < COLUMNS; i++)
    columns[i].length = 0;
  assert_int_equal(arrow_plain_batch(&batch, &world->arena, &plain, NULL), 0);
  arrow_ipc_batch(&plain, &world->out);
  arrow_ipc_end(&world->out);
  assert_int_equal(buffer_check(&world->out, NULL), 0);
  if (getenv("NILO_GOLDEN_WRITE")) {
    FILE *file = fopen(GOLDEN, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(world->out.data, 1, world->out.size, file), world->out.size);
    assert_int_equal(fclose(file), 0);
  }
  FILE *file = fopen(GOLDEN, "rb");
  assert_non_null(file);
  size_t size = fread(golden, 1, sizeof golden, file);
  fclose(file);
  assert_int_equal(world->out.size, size);
  assert_memory_equal(world->out.data, golden, size);
}

/* Each message: a marker, a size that is a multiple of 8, and so on up to the end. */
static void test_messages_are_framed(void **state) {
  struct world *world = *state;
  struct arrow_field fields[COLUMNS];
  uint32_t head[2];
  make_fields(fields);
  assert_int_equal(arrow_ipc_schema(fields, COLUMNS, &world->out, NULL), 0);
  memcpy(head, world->out.data, sizeof head);
  assert_int_equal(head[0], UINT32_MAX);
  assert_int_equal(head[1] % 8, 0);
  assert_int_equal(head[1] + 8, world->out.size);
  arrow_ipc_end(&world->out);
  memcpy(head, world->out.data + world->out.size - 8, sizeof head);
  assert_int_equal(head[0], UINT32_MAX);
  assert_int_equal(head[1], 0);
}

static void test_no_columns(void **state) {
  struct world *world = *state;
  struct batch none = {0};
  assert_int_equal(arrow_ipc_schema(NULL, 0, &world->out, NULL), 0);
  arrow_ipc_batch(&none, &world->out);
  assert_int_equal(world->out.size % 8, 0);
  assert_int_equal(buffer_check(&world->out, NULL), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(test_stream_is_golden, setup, teardown),
      cmocka_unit_test_setup_teardown(test_messages_are_framed, setup, teardown),
      cmocka_unit_test_setup_teardown(test_no_columns, setup, teardown),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
