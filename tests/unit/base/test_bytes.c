/* Fixed and variable-length numbers, the bounded reader, and the checksum that formats rely on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/checksum.h"
#include "base/memory.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void the_checksum_is_xxh3(void **state) {
  (void)state;
  /* Vectors of the xxHash specification's test program: they stand in every file ever written. */
  assert_true(checksum64(NULL, 0) == UINT64_C(0x2d06800538d394c2));
  assert_true(checksum64("", 0) == UINT64_C(0x2d06800538d394c2));
  assert_true(checksum64("abc", 3) == UINT64_C(0x78af5f94892f3950));
  assert_true(hash64_seed("abc", 3, 1) != hash64_seed("abc", 3, 2));
  assert_true(hash_mix(0) == 0);
  assert_true(hash_mix(1) != hash_mix(2));
}

static void numbers_are_little_endian(void **state) {
  (void)state;
  uint8_t bytes[16] = {0};
  store_u64(bytes + 1, UINT64_C(0x0807060504030201));
  for (int i = 0; i < 8; i++)
    assert_int_equal(bytes[1 + i], i + 1);
  assert_true(load_u64(bytes + 1) == UINT64_C(0x0807060504030201));
  assert_int_equal(load_u32(bytes + 1), 0x04030201);
  assert_int_equal(load_u16(bytes + 1), 0x0201);
  assert_int_equal(load_u32_be(bytes + 1), 0x01020304);
  store_u32_be(bytes, 0x01020304);
  assert_int_equal(bytes[0], 1);
  store_f64(bytes + 3, -2.5);
  assert_true(load_f64(bytes + 3) == -2.5);
  assert_true(f64_from_bits(f64_bits(0.1)) == 0.1);
}

static void varints_come_back(void **state) {
  (void)state;
  static const struct {
    uint64_t value;
    size_t size;
  } rows[] = {{0, 1},
              {1, 1},
              {127, 1},
              {128, 2},
              {16383, 2},
              {16384, 3},
              {UINT32_MAX, 5},
              {UINT64_C(1) << 62, 9},
              {UINT64_C(1) << 63, 10},
              {UINT64_MAX, 10}};
  for (size_t i = 0; i < COUNT(rows); i++) {
    uint8_t bytes[VARINT_SIZE_MAX];
    size_t size = (size_t)(varint_write(bytes, rows[i].value) - bytes);
    assert_int_equal(size, rows[i].size);
    assert_int_equal(varint_size(rows[i].value), rows[i].size);
    for (size_t cut = 0; cut <= size; cut++) {
      const uint8_t *at = bytes;
      uint64_t value = 42;
      bool whole = varint_read(&at, bytes + cut, &value);
      assert_int_equal(whole, cut == size);
      assert_true(whole ? value == rows[i].value && at == bytes + size : at == bytes);
    }
  }
  static const int64_t signed_values[] = {0, -1, 1, -2, 63, -64, 64, INT64_MAX, INT64_MIN};
  for (size_t i = 0; i < COUNT(signed_values); i++)
    assert_true(zigzag_decode(zigzag_encode(signed_values[i])) == signed_values[i]);
  assert_int_equal(zigzag_encode(-1), 1);
  assert_int_equal(zigzag_encode(1), 2);
}

static void overlong_varints_are_refused(void **state) {
  (void)state;
  static const struct {
    const char *name;
    uint8_t bytes[11];
    size_t size;
    bool good;
  } rows[] = {
      {"padded zero", {0x80, 0x00}, 2, true},
      {"bit 64", {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02}, 10, false},
      {"eleven bytes", {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0}, 11, false},
      {"ten with a tail", {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}, 10, true},
  };
  for (size_t i = 0; i < COUNT(rows); i++) {
    const uint8_t *at = rows[i].bytes;
    uint64_t value;
    if (varint_read(&at, rows[i].bytes + rows[i].size, &value) != rows[i].good)
      fail_msg("%s", rows[i].name);
  }
}

static void a_reader_reads_what_a_buffer_holds(void **state) {
  (void)state;
  struct mem_account account;
  mem_account_init(&account, "bytes", NULL, 0);
  struct buffer buffer;
  buffer_init(&buffer, &account);
  buffer_append_byte(&buffer, 7);
  buffer_append_u16(&buffer, 513);
  buffer_append_u32(&buffer, 70000);
  buffer_append_u64(&buffer, UINT64_C(1) << 40);
  buffer_append_varint(&buffer, 300);
  buffer_append_zigzag(&buffer, -300);
  buffer_append_sized(&buffer, STR("nile"));
  buffer_append_sized(&buffer, STR(""));
  buffer_align(&buffer, 8);
  for (size_t cut = 0; cut <= buffer.size; cut++) {
    uint8_t *copy = malloc(cut ? cut : 1); /* exactly that size, for the sanitizer */
    memcpy(copy, buffer.data, cut);
    struct reader reader = reader_of(copy, cut);
    uint8_t byte = reader_u8(&reader);
    uint16_t two = reader_u16(&reader);
    uint32_t four = reader_u32(&reader);
    uint64_t eight = reader_u64(&reader);
    uint64_t varint = reader_varint(&reader);
    int64_t zigzag = reader_zigzag(&reader);
    struct str text = reader_sized(&reader);
    struct str empty = reader_sized(&reader);
    reader_align(&reader, copy, 8);
    assert_int_equal(reader_done(&reader), cut == buffer.size);
    assert_int_equal(reader.failed, cut < buffer.size);
    if (!reader.failed) {
      assert_int_equal(byte, 7);
      assert_int_equal(two, 513);
      assert_int_equal(four, 70000);
      assert_true(eight == UINT64_C(1) << 40);
      assert_int_equal(varint, 300);
      assert_int_equal(zigzag, -300);
      assert_true(str_equal(text, STR("nile")));
      assert_int_equal(empty.size, 0);
    }
    assert_int_equal(reader_left(&reader), 0);
    assert_int_equal(reader_u8(&reader), 0);
    assert_true(reader.failed);
    free(copy);
  }
  buffer_deinit(&buffer);
  mem_account_deinit(&account);
}

static void a_size_beyond_the_end_fails_the_reader(void **state) {
  (void)state;
  uint8_t bytes[16];
  uint8_t *end = varint_write(bytes, UINT64_MAX - 3);
  struct reader reader = reader_of(bytes, (size_t)(end - bytes));
  assert_int_equal(reader_sized(&reader).size, 0);
  assert_true(reader.failed);
  struct reader none = reader_of(NULL, 0);
  assert_true(reader_done(&none));
  assert_int_equal(reader_u64(&none), 0);
  assert_true(none.failed);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(the_checksum_is_xxh3),
      cmocka_unit_test(numbers_are_little_endian),
      cmocka_unit_test(varints_come_back),
      cmocka_unit_test(overlong_varints_are_refused),
      cmocka_unit_test(a_reader_reads_what_a_buffer_holds),
      cmocka_unit_test(a_size_beyond_the_end_fails_the_reader),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
