/* Damage: whatever happens to a part's bytes, it is an error or changes nothing (R4), never a
 * crash; and what a part says about itself is checked. Memory that is refused at any moment is an
 * error, and all of it comes back. */
#include "part_fixture.h"

#include "base/checksum.h"
#include "codec/codec.h"
#include "store/part_format.h"

enum { SEED = 20240719, TOMBSTONE_SERIES = 5000 };

/* Small images: metadata in the tail, or, pushed out by large tombstones, in sections of its own.
 */
static struct part_memory *make_image(struct fixture *fixture, bool in_tail) {
  fixture_all_types(fixture);
  for (uint32_t i = 0; i < 12; i++)
    fixture_run(fixture, 10 + i, 1 + i * 2, 20);
  static uint64_t series[TOMBSTONE_SERIES];
  for (int i = 0; i < TOMBSTONE_SERIES; i++)
    series[i] = (uint64_t)i * 2 + 1;
  const struct store_tombstone tombstone = {
      .series = series, .series_count = in_tail ? 3 : TOMBSTONE_SERIES, .key_min = 3, .key_max = 5};
  struct part_ending ending = {
      .commit_min = 1,
      .commit_max = 2,
      .tombstones = &tombstone,
      .tombstone_commits = (const uint64_t[]){2},
      .tombstone_count = 1,
      .series = STR("what the layer above says"),
  };
  struct part_memory *memory;
  struct err err;
  err_reset(&err);
  assert_ok(fixture_write(fixture, 0, &ending, &memory, &err), &err);
  return memory;
}

/* Opens, compares, verifies; the first error. Different rows fail the test inside. */
static int read_image(struct fixture *fixture, struct part_memory *memory, size_t size, bool verify,
                      struct err *err) {
  struct store_part *part;
  int code = part_open_memory(memory, 0, size, &fixture->account, 0, &part, err);
  if (code) return code;
  code = fixture_compare(fixture, part, err);
  if (!code && verify) code = part_verify(part, err);
  part_release(part);
  return code;
}

static void test_r4_flipped_bits(void **state) {
  (void)state;
  for (int in_tail = 0; in_tail < 2; in_tail++) {
    struct fixture fixture;
    fixture_init(&fixture, SEED);
    struct part_memory *memory = make_image(&fixture, in_tail);
    struct err err;
    err_reset(&err);
    assert_ok(read_image(&fixture, memory, memory->size, true, &err), &err);
    size_t harmless = 0;
    for (size_t i = 0; i < memory->size; i++) {
      uint8_t bit = (uint8_t)(1 << fixture_below(&fixture, 8));
      memory->data[i] ^= bit;
      int code = read_image(&fixture, memory, memory->size, true, &err);
      if (code) {
        assert_int_equal(code, ERR_CORRUPTION);
        assert_true(err.offset >= 0 && err.detail[0] && err.hint[0]);
      }
      harmless += code == ERR_OK;
      memory->data[i] ^= bit;
    }
    print_message("%zu bytes, %zu of them padding\n", memory->size, harmless);
    assert_true(harmless < 8 * 24);
    part_memory_release(memory);
    fixture_deinit(&fixture);
  }
}

static void test_truncation(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, SEED);
  struct part_memory *memory = make_image(&fixture, true);
  for (size_t size = 0; size < memory->size; size++)
    assert_int_equal(read_image(&fixture, memory, size, false, NULL), ERR_CORRUPTION);
  part_memory_release(memory);
  fixture_deinit(&fixture);
}

static struct part_footer *footer_of(struct part_memory *memory) {
  return (struct part_footer *)(void *)(memory->data + memory->size - sizeof(struct part_footer));
}

/* Makes the checksums of tail and footer hold again. */
static void seal(struct part_memory *memory) {
  struct part_footer *footer = footer_of(memory);
  uint64_t tail = memory->size - sizeof *footer - footer->tail_size;
  footer->tail_checksum = checksum64(memory->data + tail, footer->tail_size);
  footer->checksum = checksum64(footer, offsetof(struct part_footer, checksum));
}

/* Bytes that lie with good checksums: an error or the same rows, never more. */
static void test_nonsense_with_good_checksums(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, SEED);
  struct part_memory *memory = make_image(&fixture, true);
  uint64_t tail_size = footer_of(memory)->tail_size;
  size_t tail = memory->size - sizeof(struct part_footer) - tail_size;
  uint8_t *good = malloc(memory->size);
  memcpy(good, memory->data, memory->size);
  for (size_t i = tail; i < memory->size - sizeof(struct part_footer); i++) {
    static const uint8_t changes[] = {1, 2, 8, 64, 128, 255};
    for (size_t j = 0; j < sizeof changes; j++) {
      memory->data[i] ^= changes[j];
      seal(memory);
      struct store_part *part;
      if (part_open_memory(memory, 0, memory->size, &fixture.account, 0, &part, NULL) == ERR_OK) {
        part_verify(part, NULL); /* reads everything */
        part_release(part);
      }
      memcpy(memory->data, good, memory->size);
    }
  }
  free(good);
  part_memory_release(memory);
  fixture_deinit(&fixture);
}

static void test_newer_versions_are_refused(void **state) {
  (void)state;
  struct fixture fixture;
  fixture_init(&fixture, SEED);
  struct part_memory *memory = make_image(&fixture, true);
  struct part_footer *footer = footer_of(memory), good = *footer;
  struct err err;
  for (uint32_t bit = 0; bit < 32; bit++) {
    *footer = good;
    footer->incompatible |= UINT32_C(1) << bit;
    seal(memory);
    int code = read_image(&fixture, memory, memory->size, true, &err);
    bool known = PART_INCOMPATIBLE_KNOWN >> bit & 1;
    assert_int_equal(code == ERR_BAD_VERSION, !known);
    if (UINT32_C(1) << bit == PART_FEATURE_COLUMN_MAJOR) assert_int_equal(code, ERR_CORRUPTION);
    *footer = good;
    footer->compatible |= UINT32_C(1) << bit;
    seal(memory);
    assert_int_equal(read_image(&fixture, memory, memory->size, true, &err), ERR_OK);
  }
  *footer = good;
  footer->version++;
  seal(memory);
  assert_int_equal(read_image(&fixture, memory, memory->size, true, &err), ERR_BAD_VERSION);
  part_memory_release(memory);
  fixture_deinit(&fixture);
}

/* Fails the 1st, 2nd, 3rd … allocation of writing, opening and reading until all of it passes. */
static void test_refused_memory(void **state) {
  (void)state;
  for (uint32_t slice = 0; slice <= 4000; slice += 4000) {
    struct fixture fixture;
    fixture_init(&fixture, SEED);
    fixture_all_types(&fixture);
    fixture_run(&fixture, 1, 9000, 20);
    for (uint64_t i = 2; i < 80; i++)
      fixture_run(&fixture, i, 20, 20);
    struct part_ending ending = {.commit_min = 1, .commit_max = 1};
    int64_t held = mem_account_used(&fixture.account);
    int code = ERR_NO_MEMORY;
    int64_t faults = 0;
    while (code != ERR_OK) {
      struct part_memory *memory = NULL;
      struct err err;
      err_reset(&err);
      atomic_store(&fixture.account.fail_countdown, ++faults);
      uint64_t random = fixture.random_state;
      code = fixture_write(&fixture, slice, &ending, &memory, &err);
      fixture.random_state = random;
      if (!code) code = read_image(&fixture, memory, memory->size, true, &err);
      atomic_store(&fixture.account.fail_countdown, 0);
      part_memory_release(memory);
      if (code && code != ERR_NO_MEMORY && code != ERR_MEMORY_LIMIT) assert_ok(code, &err);
      assert_int_equal(mem_account_used(&fixture.account), held);
      assert_true(faults < 5000);
    }
    print_message("%lld allocations\n", (long long)faults - 1);
    fixture_deinit(&fixture);
  }
}

int main(void) {
  print_message("seed %d\n", SEED);
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_r4_flipped_bits),
      cmocka_unit_test(test_truncation),
      cmocka_unit_test(test_nonsense_with_good_checksums),
      cmocka_unit_test(test_newer_versions_are_refused),
      cmocka_unit_test(test_refused_memory),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
