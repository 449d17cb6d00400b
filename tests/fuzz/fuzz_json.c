/* The JSON reader on any bytes; what it accepts is written again and read again, and must then be
 * the same text both times. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>

#include "base/memory.h"
#include "wire/json.h"

/* Reads all values of the text and writes them, one array around; non-zero when refused. */
static int rewrite(struct str text, struct buffer *out, struct mem_account *account) {
  struct arena arena;
  arena_init(&arena, account, 4096);
  struct json_reader reader;
  json_reader_init(&reader, text, &arena, 40);
  struct json_writer writer;
  json_writer_init(&writer, out, false);
  json_begin_array(&writer);
  struct json_token token;
  int code;
  while ((code = json_reader_next(&reader, &token, NULL)) == 0 && token.kind != JSON_END) {
    switch (token.kind) {
    case JSON_BEGIN_OBJECT:
      json_begin_object(&writer);
      break;
    case JSON_END_OBJECT:
      json_end_object(&writer);
      break;
    case JSON_BEGIN_ARRAY:
      json_begin_array(&writer);
      break;
    case JSON_END_ARRAY:
      json_end_array(&writer);
      break;
    case JSON_KEY:
      json_key(&writer, token.text);
      break;
    case JSON_STRING:
      json_string(&writer, token.text);
      break;
    case JSON_NUMBER:
      json_raw(&writer, token.text);
      break;
    case JSON_TRUE:
    case JSON_FALSE:
      json_bool(&writer, token.kind == JSON_TRUE);
      break;
    default:
      json_null(&writer);
    }
  }
  if (code == 0) json_end_array(&writer);
  arena_deinit(&arena);
  return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  struct mem_account account;
  mem_account_init(&account, "fuzz", NULL, 0);
  struct buffer once, twice;
  buffer_init(&once, &account);
  buffer_init(&twice, &account);
  if (rewrite((struct str){(const char *)data, size}, &once, &account) == 0) {
    assert(rewrite(buffer_str(&once), &twice, &account) == 0);
    /* the second has one more array around it */
    assert(twice.size == once.size + 2);
    assert(
        str_equal(buffer_str(&once), (struct str){(const char *)twice.data + 1, twice.size - 2}));
  }
  buffer_deinit(&once);
  buffer_deinit(&twice);
  mem_account_deinit(&account);
  return 0;
}
