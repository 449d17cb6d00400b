/* Accounts, arenas and buffers: limits up the tree, injected faults, sticky failure. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/err.h"
#include "base/memory.h"

static void charges_count_in_every_account_above(void **state) {
  (void)state;
  struct mem_account root, child;
  mem_account_init(&root, "root", NULL, 0);
  mem_account_init(&child, "child", &root, 0);
  void *block = mem_alloc(&child, 100);
  assert_non_null(block);
  assert_int_equal((uintptr_t)block % 16, 0);
  assert_int_equal(mem_account_used(&child), 100);
  assert_int_equal(mem_account_used(&root), 100);
  block = mem_resize(&child, block, 100, 300);
  assert_int_equal(mem_account_used(&root), 300);
  block = mem_resize(&child, block, 300, 50);
  assert_non_null(block);
  assert_int_equal(mem_account_used(&root), 50);
  assert_int_equal(root.peak, 300);
  mem_free(&child, block, 50);
  mem_account_deinit(&child);
  mem_account_deinit(&root);
}

static void a_limit_above_refuses_and_leaves_no_trace(void **state) {
  (void)state;
  struct mem_account root, child;
  mem_account_init(&root, "engine", NULL, 1000);
  mem_account_init(&child, "query", &root, 0);
  void *held = mem_alloc_zero(&child, 900);
  assert_non_null(held);
  assert_null(mem_alloc(&child, 101));
  assert_null(mem_resize(&child, held, 900, 1001));
  assert_int_equal(mem_account_used(&child), 900);
  assert_int_equal(mem_account_used(&root), 900);
  struct err err;
  assert_int_equal(mem_refused(&child, 101, &err), ERR_MEMORY_LIMIT);
  assert_non_null(strstr(err.message, "engine"));
  assert_int_equal(mem_refused(&child, 1, &err), ERR_NO_MEMORY);
  assert_int_equal(mem_charge(&child, 100), 0);
  assert_int_equal(mem_charge(&child, 1), -1);
  mem_discharge(&child, 100);
  mem_free(&child, held, 900);
  assert_null(mem_alloc(&child, 0));
  assert_int_equal(mem_account_used(&root), 0);
}

static void an_injected_fault_fails_the_nth_allocation_below(void **state) {
  (void)state;
  struct mem_account root, child;
  mem_account_init(&root, "root", NULL, 0);
  mem_account_init(&child, "child", &root, 0);
  root.fail_countdown = 3;
  void *first = mem_alloc(&child, 8);
  void *second = mem_resize(&child, NULL, 0, 8);
  assert_non_null(first);
  assert_non_null(second);
  assert_null(mem_alloc(&root, 8));
  void *fourth = mem_alloc(&child, 8);
  assert_non_null(fourth);
  mem_free(&child, first, 8);
  mem_free(&child, second, 8);
  mem_free(&child, fourth, 8);
  assert_int_equal(mem_account_used(&root), 0);
}

static void an_arena_gives_aligned_blocks_and_keeps_one_chunk(void **state) {
  (void)state;
  struct mem_account account;
  mem_account_init(&account, "arena", NULL, 0);
  struct arena arena;
  arena_init(&arena, &account, 1024);
  assert_non_null(arena_alloc(&arena, 0));
  char *blocks[200];
  for (int i = 0; i < 200; i++) {
    size_t size = (size_t)i * 13 % 3000 + 1;
    blocks[i] = arena_alloc_zero(&arena, size);
    assert_non_null(blocks[i]);
    assert_int_equal((uintptr_t)blocks[i] % 16, 0);
    memset(blocks[i], i, size);
  }
  for (int i = 0; i < 200; i++) {
    size_t size = (size_t)i * 13 % 3000 + 1;
    for (size_t k = 0; k < size; k++)
      assert_int_equal((unsigned char)blocks[i][k], i);
  }
  struct str copy = arena_copy(&arena, STR("river"));
  assert_true(str_equal(copy, STR("river")));
  struct str text = arena_format(&arena, "%d %s", 7, "marks");
  assert_string_equal(text.data, "7 marks");
  assert_int_equal(text.size, 7);
  int64_t before = mem_account_used(&account);
  arena_reset(&arena);
  assert_true(mem_account_used(&account) < before);
  assert_true(mem_account_used(&account) > 0);
  assert_non_null(arena_alloc(&arena, 3 << 20)); /* beside the kept chunk */
  arena_reset(&arena);
  assert_true(mem_account_used(&account) < 3 << 20);
  arena_deinit(&arena);
  mem_account_deinit(&account);
}

static void an_arena_refuses_as_its_account_does(void **state) {
  (void)state;
  struct mem_account account;
  mem_account_init(&account, "arena", NULL, 4096);
  struct arena arena;
  arena_init(&arena, &account, 1024);
  assert_null(arena_alloc(&arena, 5000));
  assert_null(arena_alloc(&arena, SIZE_MAX));
  assert_null(arena_copy(&arena, str_of("x", SIZE_MAX / 2)).data);
  while (arena_alloc(&arena, 100))
    ;
  assert_true(mem_account_used(&account) <= 4096);
  /* all of the limit was given out, and the refusal names it */
  assert_true(mem_account_used(&account) > 4096 - 200);
  assert_int_equal(mem_refused(&account, 100, NULL), ERR_MEMORY_LIMIT);
  arena_deinit(&arena);
  mem_account_deinit(&account);
}

static void a_buffer_grows_and_formats(void **state) {
  (void)state;
  struct mem_account account;
  mem_account_init(&account, "buffer", NULL, 0);
  struct buffer buffer;
  buffer_init(&buffer, &account);
  assert_non_null(buffer_reserve(&buffer, 0));
  for (int i = 0; i < 1000; i++)
    assert_true(buffer_append_byte(&buffer, (uint8_t)i));
  for (int i = 0; i < 1000; i++)
    assert_int_equal(buffer.data[i], (uint8_t)i);
  buffer_reset(&buffer);
  assert_true(buffer_append_text(&buffer, "abc"));
  assert_true(buffer_align(&buffer, 8));
  assert_int_equal(buffer.size, 8);
  assert_true(buffer_align(&buffer, 8));
  assert_int_equal(buffer.size, 8);
  assert_true(buffer_append_str(&buffer, (struct str){NULL, 0}));
  assert_true(buffer_printf(&buffer, "%0500d", 1));
  assert_int_equal(buffer.size, 508);
  assert_int_equal(buffer.data[507], '1');
  assert_int_equal(buffer_check(&buffer, NULL), ERR_OK);
  buffer_deinit(&buffer);
  mem_account_deinit(&account);
}

static void a_buffer_remembers_that_it_was_refused(void **state) {
  (void)state;
  struct mem_account account;
  mem_account_init(&account, "body", NULL, 100);
  struct buffer buffer;
  buffer_init(&buffer, &account);
  assert_true(buffer_append_zero(&buffer, 64));
  assert_true(buffer_append_zero(&buffer, 30)); /* 94 fit, doubling to 128 does not */
  assert_false(buffer_append_zero(&buffer, 7));
  assert_false(buffer_append_byte(&buffer, 1));
  assert_int_equal(buffer.size, 94);
  struct err err;
  assert_int_equal(buffer_check(&buffer, &err), ERR_MEMORY_LIMIT);
  assert_non_null(strstr(err.message, "body"));
  buffer_reset(&buffer);
  assert_true(buffer_append_byte(&buffer, 1));
  account.limit = 0;
  account.fail_countdown = 1;
  assert_false(buffer_append_zero(&buffer, 99));
  assert_int_equal(buffer_check(&buffer, &err), ERR_NO_MEMORY);
  buffer_deinit(&buffer);
  mem_account_deinit(&account);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(charges_count_in_every_account_above),
      cmocka_unit_test(a_limit_above_refuses_and_leaves_no_trace),
      cmocka_unit_test(an_injected_fault_fails_the_nth_allocation_below),
      cmocka_unit_test(an_arena_gives_aligned_blocks_and_keeps_one_chunk),
      cmocka_unit_test(an_arena_refuses_as_its_account_does),
      cmocka_unit_test(a_buffer_grows_and_formats),
      cmocka_unit_test(a_buffer_remembers_that_it_was_refused),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
