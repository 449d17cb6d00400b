/* Hash tables against a plain array of what should be in them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash_table.h"
#include "base/memory.h"

enum { KEYS = 600, STEPS = 60000 };

static uint64_t random_next(uint64_t *state) {
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static void check_strings(const struct str_table *table, const uint64_t *model, size_t count) {
  assert_int_equal(table->count, count);
  size_t cursor = 0, seen = 0;
  const struct str_table_slot *slot;
  while ((slot = str_table_next(table, &cursor))) {
    char key[16];
    memcpy(key, slot->key, slot->key_size);
    key[slot->key_size] = '\0';
    assert_true(model[slot->key_size ? strtoul(key, NULL, 10) : 0] == slot->value);
    seen++;
  }
  assert_int_equal(seen, count);
}

static void strings_behave_as_the_model(void **state) {
  (void)state;
  uint64_t seed = 11, random = seed;
  struct mem_account account;
  mem_account_init(&account, "table", NULL, 0);
  struct str_table table;
  str_table_init(&table, &account, true, 5);
  uint64_t model[KEYS] = {0};
  size_t count = 0;
  for (int step = 0; step < STEPS; step++) {
    unsigned k = (unsigned)(random_next(&random) % KEYS);
    char key[16];
    int size = k ? snprintf(key, sizeof key, "%u", k) : 0; /* key 0 is the empty one */
    struct str name = str_of(key, (size_t)size);
    bool fill = (step / 5000) % 2 == 0; /* the table grows, then empties, over and over */
    if (random_next(&random) % 4 != 0 ? fill : !fill) {
      bool is_new;
      uint64_t *value = str_table_insert(&table, name, &is_new);
      assert_non_null(value);
      assert_int_equal(is_new, model[k] == 0);
      assert_true(*value == model[k]);
      count += is_new;
      *value = model[k] = random_next(&random) | 1;
    } else {
      uint64_t value = 0;
      assert_int_equal(str_table_remove(&table, name, &value), model[k] != 0);
      assert_true(value == model[k]);
      count -= model[k] != 0;
      model[k] = 0;
    }
    memset(key, 'x', sizeof key); /* the table has its own copy */
    if (step % 1000 == 0) check_strings(&table, model, count);
  }
  check_strings(&table, model, count);
  str_table_reset(&table);
  assert_int_equal(table.count, 0);
  assert_null(str_table_find(&table, STR("1")));
  str_table_deinit(&table);
  mem_account_deinit(&account);
}

static void integers_behave_as_the_model(void **state) {
  (void)state;
  uint64_t seed = 12, random = seed;
  struct mem_account account;
  mem_account_init(&account, "table", NULL, 0);
  struct u64_table table;
  u64_table_init(&table, &account);
  assert_null(u64_table_find(&table, 0));
  uint64_t model[KEYS] = {0};
  size_t count = 0;
  for (int step = 0; step < STEPS; step++) {
    unsigned k = (unsigned)(random_next(&random) % KEYS);
    uint64_t key = k % 3 ? k : (uint64_t)k << 40;
    bool fill = (step / 5000) % 2 == 0;
    if (random_next(&random) % 4 != 0 ? fill : !fill) {
      bool is_new;
      uint64_t *value = u64_table_insert(&table, key, &is_new);
      assert_non_null(value);
      assert_int_equal(is_new, model[k] == 0);
      count += is_new;
      *value = model[k] = random_next(&random) | 1;
    } else {
      uint64_t value = 0;
      assert_int_equal(u64_table_remove(&table, key, &value), model[k] != 0);
      assert_true(value == model[k]);
      count -= model[k] != 0;
      model[k] = 0;
    }
    assert_int_equal(table.count, count);
    if (step % 1000) continue;
    size_t cursor = 0, seen = 0;
    for (const struct u64_table_slot *slot; (slot = u64_table_next(&table, &cursor)); seen++)
      assert_true(*u64_table_find(&table, slot->key) == slot->value);
    assert_int_equal(seen, count);
  }
  u64_table_reset(&table);
  assert_null(u64_table_find(&table, 0));
  u64_table_deinit(&table);
  mem_account_deinit(&account);
}

static void refused_memory_leaves_the_table_whole(void **state) {
  (void)state;
  for (int fail = 1; fail < 40; fail++) {
    struct mem_account account;
    mem_account_init(&account, "table", NULL, 0);
    account.fail_countdown = fail;
    struct str_table table;
    struct u64_table numbers;
    str_table_init(&table, &account, true, 0);
    u64_table_init(&numbers, &account);
    for (unsigned i = 0; i < 30; i++) {
      char key[16];
      struct str name = str_of(key, (size_t)snprintf(key, sizeof key, "key%u", i));
      size_t before = table.count, numbers_before = numbers.count;
      uint64_t *value = str_table_insert(&table, name, NULL);
      assert_int_equal(table.count, before + (value != NULL));
      assert_int_equal(str_table_find(&table, name) != NULL, value != NULL);
      value = u64_table_insert(&numbers, i, NULL);
      assert_int_equal(numbers.count, numbers_before + (value != NULL));
    }
    assert_true(table.count >= 29);
    assert_false(str_table_reserve(&table, SIZE_MAX / 2));
    str_table_deinit(&table);
    u64_table_deinit(&numbers);
    mem_account_deinit(&account);
  }
}

static void borrowed_keys_are_not_copied(void **state) {
  (void)state;
  struct mem_account account;
  mem_account_init(&account, "table", NULL, 0);
  struct str_table table;
  str_table_init(&table, &account, false, 0);
  assert_true(str_table_reserve(&table, 100));
  int64_t before = mem_account_used(&account);
  static const char name[] = "temperature";
  *str_table_insert(&table, str_from(name), NULL) = (uint64_t)(uintptr_t)name;
  assert_int_equal(mem_account_used(&account), before);
  size_t cursor = 0;
  assert_ptr_equal(str_table_next(&table, &cursor)->key, name);
  str_table_deinit(&table);
  mem_account_deinit(&account);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(strings_behave_as_the_model),
      cmocka_unit_test(integers_behave_as_the_model),
      cmocka_unit_test(refused_memory_leaves_the_table_whole),
      cmocka_unit_test(borrowed_keys_are_not_copied),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
