/* The bytes that the ordered store alone decodes: stored lists, notes of commits, and what a caller
 * may hand in as a filter: regular expressions over texts. The first byte chooses. */
#include <stdlib.h>

#include "element/element_private.h"

/* A list that passes the check is read whole, and encoding it gives the same bytes. */
static void fuzz_list(enum nilo_store_type type, struct str bytes, struct mem_account *account) {
  uint32_t items;
  struct nilo_store_value value = {.type = type};
  if (element_list_check(type, bytes, &items, NULL)) return;
  value.size = items;
  void *memory = calloc(items + 1, sizeof(struct nilo_store_bytes));
  if (!memory) return;
  if (type == NILO_STORE_INT64_LIST) {
    element_list_integers(bytes, memory);
    value.integers = memory;
  } else {
    element_list_strings(bytes, items, memory);
    value.strings = memory;
  }
  struct buffer again;
  buffer_init(&again, account);
  if (element_list_encode(&value, &again, NULL) || !str_equal(buffer_str(&again), bytes))
    __builtin_trap();
  buffer_deinit(&again);
  free(memory);
}

static void fuzz_note(struct str note, struct os *os, struct mem_account *account) {
  struct element_registry registry = {.account = NULL};
  element_registry_init(&registry, os, account);
  if (element_registry_replay(&registry, note, NULL) == 0 &&
      element_registry_replay(&registry, note, NULL) != 0)
    __builtin_trap(); /* replaying twice is as good as once */
  element_registry_deinit(&registry);
}

/* The pattern ends at the first zero; what follows is the text. */
static void fuzz_regex(struct str bytes, struct mem_account *account) {
  const char *zero = bytes.size ? memchr(bytes.data, 0, bytes.size) : NULL;
  size_t size = zero ? (size_t)(zero - bytes.data) : bytes.size;
  struct str text = zero ? (struct str){zero + 1, bytes.size - size - 1} : (struct str){"", 0};
  struct element_regex *regex;
  bool matches;
  if (element_regex_create((struct str){bytes.data, size}, account, &regex, NULL)) return;
  element_regex_match(regex, text, &matches, NULL);
  element_regex_destroy(regex);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static struct os *os;
  if (!os && os_real_create(&os, NULL)) abort();
  if (size == 0) return 0;
  struct mem_account account;
  struct str bytes = {(const char *)data + 1, size - 1};
  mem_account_init(&account, "fuzz", NULL, INT64_C(64) << 20);
  switch (data[0] % 4) {
  case 0:
    fuzz_list(NILO_STORE_INT64_LIST, bytes, &account);
    break;
  case 1:
    fuzz_list(NILO_STORE_STRING_LIST, bytes, &account);
    break;
  case 2:
    fuzz_note(bytes, os, &account);
    break;
  default:
    fuzz_regex(bytes, &account);
  }
  mem_account_deinit(&account);
  return 0;
}
