/* Records of block metadata: every value comes back to the bit, every truncation is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "store/part_metadata.h"

enum { SEED = 20240721, ROUNDS = 20000 };

static uint64_t random_state;
static uint64_t random_u64(void) { /* splitmix64 */
  uint64_t z = random_state += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}
/* Numbers of every magnitude. */
static uint64_t any_u64(void) { return random_u64() >> (random_u64() % 64); }

static const double special[] = {0.0,     -0.0, NAN,  INFINITY,   -INFINITY, 5e-324,
                                 1.7e308, 0.1,  22.5, -1234.5678, 1e15,      9007199254740992.0};
static uint64_t any_float(void) {
  switch (random_u64() % 4) {
  case 0:
    return random_u64();
  case 1:
    return f64_bits(special[random_u64() % (sizeof special / sizeof special[0])]);
  default: /* a decimal */
    return f64_bits((double)((int64_t)any_u64() % 1000000) / 1000.0);
  }
}

static uint64_t any_value(struct type type) {
  if (type.physical == PHYSICAL_FLOAT64) return any_float();
  if (type.physical == PHYSICAL_BOOL) return random_u64() & 1;
  return random_u64() & 1 ? any_u64() : ~any_u64();
}

static void test_primary_records(void **state) {
  (void)state;
  random_state = SEED;
  for (int round = 0; round < ROUNDS; round++) {
    struct part_primary records[3], read;
    uint8_t bytes[3 * PART_PRIMARY_SIZE_MAX];
    uint8_t *ends[3], *at = bytes;
    uint64_t series = 0;
    for (int i = 0; i < 3; i++) {
      struct part_primary *record = &records[i];
      *record = (struct part_primary){.runs = 1, .keys_checksum = random_u64()};
      record->rows = 1 + (uint32_t)(random_u64() % 8192);
      record->series_first = record->series_last = series + 1 + (any_u64() >> 3);
      record->keys_size = 8 + 8 * (uint32_t)(random_u64() % 100);
      if (random_u64() % 2 && record->rows > 1) {
        record->runs = 2 + (uint32_t)(random_u64() % (record->rows - 1));
        record->series_last += record->runs - 1 + (any_u64() >> 3);
        record->runs_size = 8 + 8 * (uint32_t)(random_u64() % 100);
        record->runs_checksum = random_u64();
        record->single_rows = record->rows == record->runs;
      }
      record->size = record->runs_size + record->keys_size + 8 * (uint32_t)(random_u64() % 100000);
      int64_t a = (int64_t)any_value(TYPE_INT64), b = (int64_t)any_value(TYPE_INT64);
      record->key_min = a < b ? a : b;
      record->key_max = a < b ? b : a;
      series = record->series_last;
      at = ends[i] = part_primary_write(at, record, i ? &records[i - 1] : NULL);
      assert_true(at - (i ? ends[i - 1] : bytes) >= PART_PRIMARY_SIZE_MIN);
      assert_true(at - (i ? ends[i - 1] : bytes) <= PART_PRIMARY_SIZE_MAX);
    }
    struct reader reader = reader_of(bytes, (size_t)(at - bytes));
    for (int i = 0; i < 3; i++) {
      memset(&read, 0, sizeof read);
      assert_true(part_primary_read(&reader, i ? &records[i - 1] : NULL, &read));
      assert_ptr_equal(reader.at, ends[i]);
      assert_true(read.series_first == records[i].series_first &&
                  read.series_last == records[i].series_last);
      assert_true(read.key_min == records[i].key_min && read.key_max == records[i].key_max);
      assert_true(read.rows == records[i].rows && read.runs == records[i].runs);
      assert_true(read.size == records[i].size && read.runs_size == records[i].runs_size &&
                  read.keys_size == records[i].keys_size);
      assert_true(read.single_rows == records[i].single_rows);
      assert_true(read.runs_checksum == records[i].runs_checksum &&
                  read.keys_checksum == records[i].keys_checksum);
    }
    reader = reader_of(bytes, (size_t)(ends[0] - bytes) - 1 - random_u64() % 10);
    assert_false(part_primary_read(&reader, NULL, &read));
  }
}

static struct column_statistics any_statistics(struct type type,
                                               const struct part_record_block *block) {
  struct column_statistics statistics = {.count = 1 + (uint32_t)(random_u64() % block->rows)};
  bool strings = type_is_string(type), is_float = type.physical == PHYSICAL_FLOAT64;
  if (is_float && random_u64() % 8 == 0)
    statistics.nan_count = 1 + (uint32_t)(random_u64() % statistics.count);
  if (!strings && random_u64() % 8) {
    statistics.flags |= STATISTICS_RANGE;
    statistics.min.u64 = any_value(type);
    statistics.max.u64 = any_value(type);
  }
  if (!strings && random_u64() % 8) {
    statistics.flags |= STATISTICS_SUM;
    statistics.sum_low = is_float ? any_float() : random_u64();
    statistics.sum_high = is_float ? (random_u64() % 2 ? any_float() : 0) : random_u64();
  }
  if (random_u64() % 8) {
    statistics.flags |= STATISTICS_ENDS;
    if (!strings) {
      statistics.first.u64 = any_value(type);
      statistics.last.u64 = any_value(type);
    }
    bool inside = random_u64() % 2;
    statistics.first_key = inside ? (int64_t)any_value(TYPE_INT64) : block->key_min;
    statistics.last_key = inside ? (int64_t)any_value(TYPE_INT64) : block->key_max;
  }
  return statistics;
}

static void test_column_records(void **state) {
  (void)state;
  random_state = SEED;
  static const struct type types[] = {{PHYSICAL_BOOL, 0, 0},   {PHYSICAL_INT64, 0, 0},
                                      {PHYSICAL_UINT64, 0, 0}, {PHYSICAL_FLOAT64, 0, 0},
                                      {PHYSICAL_STRING, 0, 0}, {PHYSICAL_BYTES, 0, 0}};
  uint8_t scale = 0;
  for (int round = 0; round < ROUNDS; round++) {
    struct type type = types[random_u64() % 6];
    struct part_record_block block = {.rows = 1 + (uint32_t)(random_u64() % 8192)};
    block.key_min = (int64_t)any_value(TYPE_INT64);
    block.key_max = (int64_t)any_value(TYPE_INT64);
    struct part_record record = {.size = 0}, read;
    if (random_u64() % 16) {
      record.place = 8 * (uint32_t)(any_u64() % (1 << 20));
      record.size = 8 + 8 * (uint32_t)(any_u64() % (1 << 20));
      record.checksum = random_u64();
      record.codec = (uint8_t)random_u64();
      record.statistics = any_statistics(type, &block);
    }
    uint8_t bytes[PART_RECORD_SIZE_MAX];
    uint8_t *end = part_record_write(bytes, &record, type, &block, &scale);
    assert_true(end - bytes <= PART_RECORD_SIZE_MAX);
    size_t size = (size_t)(end - bytes);
    struct reader reader = reader_of(bytes, size);
    assert_true(part_record_read(&reader, type, &block, true, &read));
    assert_true(reader_done(&reader));
    assert_true(read.place == record.place && read.size == record.size &&
                read.checksum == record.checksum && read.codec == record.codec);
    assert_memory_equal(&read.statistics, &record.statistics, sizeof read.statistics);
    reader = reader_of(bytes, size);
    assert_true(part_record_skip(&reader, type) && reader_done(&reader));
    reader = reader_of(bytes, random_u64() % size);
    assert_false(part_record_read(&reader, type, &block, true, &read));
  }
}

/* What the metadata of an ordinary small block costs. */
static void test_ordinary_records_are_short(void **state) {
  (void)state;
  struct part_record_block block = {.rows = 1000, .key_min = 1, .key_max = 1000};
  struct part_record record = {.place = 800, .size = 1400, .codec = 5};
  record.statistics = (struct column_statistics){
      .count = 1000, .flags = 7, .first_key = 1, .last_key = 1000, .compensation = 1e-13};
  record.statistics.min.f64 = 0.25;
  record.statistics.max.f64 = 99.75;
  record.statistics.first.f64 = 50.01;
  record.statistics.last.f64 = 48.3;
  record.statistics.sum = 49876.54;
  uint8_t bytes[PART_RECORD_SIZE_MAX], scale = 2;
  assert_true(part_record_write(bytes, &record, TYPE_FLOAT64, &block, &scale) - bytes <= 40);
  record.statistics.min.i64 = 0;
  record.statistics.max.i64 = 100;
  record.statistics.first.i64 = 50;
  record.statistics.last.i64 = 48;
  record.statistics.sum_low = 50000;
  record.statistics.sum_high = 0;
  assert_true(part_record_write(bytes, &record, TYPE_INT64, &block, &scale) - bytes <= 24);
}

int main(void) {
  print_message("seed %d\n", SEED);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_primary_records),
      cmocka_unit_test(test_column_records),
      cmocka_unit_test(test_ordinary_records_are_short),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
