/* Functions that compute one row at a time. */
#include "plan/function_rows.h"

#include "base/limits.h"

int plan__each_row(struct plan_call *call, const uint64_t *rows, function_of_row *one,
                   struct err *err) {
  struct function_row at = {.call = call, .err = err};
  EACH_ROW(row) {
    at.row = row;
    int code = one(&at);
    if (code) return code;
  }
  return ERR_OK;
}

int row_give_null(struct function_row *at) {
  struct vector *result = at->call->result;
  uint64_t *own = result->own_validity;
  if (result->validity != own) {
    size_t bytes = bit_words(at->call->count) * 8;
    if (result->validity)
      memcpy(own, result->validity, bytes);
    else
      memset(own, 0xff, bytes);
    result->validity = own;
  }
  bit_clear(own, at->row);
  if (type_is_string(result->type)) row_give(at, STR(""));
  return ERR_OK;
}

int row_give_value(struct function_row *at, const struct plan_value *value) {
  if (value->null) return row_give_null(at);
  if (type_is_string(value->type)) return row_give(at, value->text);
  if (value->type.physical == PHYSICAL_BOOL) return row_give_bool(at, value->boolean);
  return row_give_i64(at, value->i64);
}

int row_new_text(struct function_row *at, size_t size, char **bytes) {
  if (size > LIMIT_STRING_SIZE_MAX)
    return err_set(at->err, ERR_LIMIT_EXCEEDED, "a text of %zu bytes is longer than %lld", size,
                   (long long)LIMIT_STRING_SIZE_MAX);
  *bytes = arena_alloc(at->call->scratch, size);
  if (!*bytes) return mem_refused(at->call->scratch->account, size, at->err);
  return row_give(at, (struct str){*bytes, size});
}

int row_give_buffer(struct function_row *at, struct buffer *buffer) {
  char *bytes;
  int code = buffer_check(buffer, at->err);
  if (!code) code = row_new_text(at, buffer->size, &bytes);
  if (!code && buffer->size) memcpy(bytes, buffer->data, buffer->size);
  buffer_deinit(buffer);
  return code;
}
