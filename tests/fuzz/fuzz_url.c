/* Query strings, percent decoding and addresses on any bytes; what was decoded is encoded and
 * decoded back. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "wire/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct mem_account account;
  mem_account_init(&account, "fuzz", NULL, 0);
  struct arena arena;
  arena_init(&arena, &account, 4096);
  struct str text = {(const char *)data, size};
  struct url_pairs pairs = {0};
  if (url_pairs_parse(&pairs, text, &arena, NULL) == 0) {
    for (size_t i = 0; i < pairs.count; i++) {
      struct str value = pairs.items[i].value;
      struct buffer coded;
      buffer_init(&coded, &account);
      url_encode(&coded, value);
      struct str back;
      assert(url_decode(buffer_str(&coded), true, &arena, &back, NULL) == 0);
      assert(str_equal(back, value));
      buffer_deinit(&coded);
    }
  }
  struct url url;
  if (url_parse(text, 80, &url, NULL) == 0) assert(url.host.size > 0 && url.host.size <= size);
  arena_deinit(&arena);
  mem_account_deinit(&account);
  return 0;
}
