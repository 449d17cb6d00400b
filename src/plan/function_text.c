/* Functions of texts, as PostgreSQL has them. Lengths and positions count characters (a byte that
 * is no UTF-8 counts as one); case is that of ASCII letters, as in its locale C. Results that are
 * parts of an argument are views into it; only new bytes are written, to the call's scratch. */
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "base/text.h"
#include "plan/function_rows.h"

/* ---- characters ---- */

size_t plan__char_size(struct str text, size_t at) {
  uint8_t lead = (uint8_t)text.data[at];
  size_t size = lead < 0xc2 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 1;
  if (at + size > text.size) return 1;
  for (size_t i = 1; i < size; i++)
    if ((text.data[at + i] & 0xc0) != 0x80) return 1;
  return size;
}

static bool is_ascii(struct str text) {
  uint64_t bits = 0, word;
  size_t i = 0;
  for (; i + 8 <= text.size; i += 8) {
    memcpy(&word, text.data + i, 8);
    bits |= word;
  }
  for (; i < text.size; i++)
    bits |= (uint64_t)(uint8_t)text.data[i];
  return (bits & UINT64_C(0x8080808080808080)) == 0;
}

int64_t plan__char_count(struct str text) {
  if (is_ascii(text)) return (int64_t)text.size;
  int64_t count = 0;
  for (size_t at = 0; at < text.size; at += plan__char_size(text, at))
    count++;
  return count;
}

/* The byte at which character `index` (from 0) begins, or the end. */
size_t plan__char_at(struct str text, int64_t index) {
  if (index <= 0) return 0;
  if ((uint64_t)index >= text.size) return text.size;
  if (is_ascii(text)) return (size_t)index;
  size_t at = 0;
  for (; index > 0 && at < text.size; index--)
    at += plan__char_size(text, at);
  return at;
}

static struct str part(struct str text, size_t from, size_t to) {
  return from >= to ? STR("") : (struct str){text.data + from, to - from};
}

/* Offset of `wanted` at or behind `from`; SIZE_MAX: nowhere. */
size_t plan__text_find(struct str text, struct str wanted, size_t from) {
  if (wanted.size == 0) return from;
  if (from > text.size || wanted.size > text.size - from) return SIZE_MAX;
  const char *found = memmem(text.data + from, text.size - from, wanted.data, wanted.size);
  return found ? (size_t)(found - text.data) : SIZE_MAX;
}

/* ---- numbers and truths of texts ---- */

static int64_t position(struct str text, struct str wanted) {
  size_t at = plan__text_find(text, wanted, 0);
  return at == SIZE_MAX ? 0 : plan__char_count(part(text, 0, at)) + 1;
}

static int64_t first_code_point(struct str text) {
  if (text.size == 0) return 0;
  size_t size = plan__char_size(text, 0);
  uint8_t lead = (uint8_t)text.data[0];
  if (size == 1) return lead;
  int64_t code = lead & (0x7f >> size);
  for (size_t i = 1; i < size; i++)
    code = code << 6 | (text.data[i] & 0x3f);
  return code;
}

int plan__run_text_number(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)err;
  int64_t *out = call->result->own_values;
  EACH_ROW(row) {
    struct str text = vector_text(call->arguments[0], row);
    switch (call->expr->function) {
    case FUNCTION_LENGTH:
      out[row] = plan__char_count(text);
      break;
    case FUNCTION_BYTE_LENGTH:
      out[row] = (int64_t)text.size;
      break;
    case FUNCTION_POSITION:
      out[row] = position(text, vector_text(call->arguments[1], row));
      break;
    default:
      out[row] = first_code_point(text);
    }
  }
  return ERR_OK;
}

int plan__run_starts_with(struct plan_call *call, const uint64_t *rows, struct err *err) {
  (void)err;
  uint64_t *out = call->result->own_values;
  memset(out, 0, bit_words(call->count) * 8);
  EACH_ROW(row)
  if (str_starts_with(vector_text(call->arguments[0], row), vector_text(call->arguments[1], row)))
    bit_set(out, row);
  return ERR_OK;
}

/* ---- texts of texts ---- */

/* Where a function of one row finds its arguments and leaves its result. */
struct text_row {
  struct plan_call *call;
  uint32_t row;
  struct str text; /* the first argument */
  struct str *out;
  struct err *err;
};

static uint32_t argument_count(const struct text_row *at) { return at->call->expr->argument_count; }
static struct str text_argument(const struct text_row *at, uint32_t i) {
  return vector_text(at->call->arguments[i], at->row);
}
static int64_t int_argument(const struct text_row *at, uint32_t i) {
  return ((const int64_t *)at->call->arguments[i]->values)[at->row];
}

/* Room for a new text, which becomes the result. */
static int new_text(struct text_row *at, size_t size, char **bytes) {
  if (size > LIMIT_STRING_SIZE_MAX)
    return err_set(at->err, ERR_LIMIT_EXCEEDED, "a text of %zu bytes is longer than %lld", size,
                   (long long)LIMIT_STRING_SIZE_MAX);
  *bytes = arena_alloc(at->call->scratch, size);
  if (!*bytes) return mem_refused(at->call->scratch->account, size, at->err);
  *at->out = (struct str){*bytes, size};
  return ERR_OK;
}

static int change_case(struct text_row *at) {
  char *bytes;
  bool lower = at->call->expr->function == FUNCTION_LOWER;
  int code = new_text(at, at->text.size, &bytes);
  for (size_t i = 0; i < at->text.size && !code; i++) {
    char byte = at->text.data[i];
    bool changes = (unsigned char)(byte - (lower ? 'A' : 'a')) < 26;
    bytes[i] = changes ? (char)(byte ^ 0x20) : byte;
  }
  return code;
}

/* Characters [from, from + count) from 1, those before 1 counted but not there. */
static int substring(struct text_row *at) {
  int64_t from = int_argument(at, 1), end = INT64_MAX;
  if (argument_count(at) > 2) {
    int64_t count = int_argument(at, 2);
    if (count < 0) return err_set(at->err, ERR_SUBSTRING, "negative substring length not allowed");
    if (__builtin_add_overflow(from, count, &end)) end = INT64_MAX;
  }
  size_t start = plan__char_at(at->text, from > 1 ? from - 1 : 0);
  size_t stop = end == INT64_MAX ? at->text.size : plan__char_at(at->text, end > 1 ? end - 1 : 0);
  *at->out = part(at->text, start, stop);
  return ERR_OK;
}

static bool among_chars(struct str set, struct str character) {
  for (size_t at = 0; at < set.size; at += plan__char_size(set, at))
    if (str_equal((struct str){set.data + at, plan__char_size(set, at)}, character)) return true;
  return false;
}

static int trim(struct text_row *at) {
  enum plan_function function = at->call->expr->function;
  struct str set = argument_count(at) > 1 ? text_argument(at, 1) : STR(" "), text = at->text;
  while (function != FUNCTION_TRIM_RIGHT && text.size) {
    size_t size = plan__char_size(text, 0);
    if (!among_chars(set, (struct str){text.data, size})) break;
    text = part(text, size, text.size);
  }
  while (function != FUNCTION_TRIM_LEFT && text.size) {
    size_t last = text.size - 1;
    while (last > 0 && last + 4 > text.size && (text.data[last] & 0xc0) == 0x80)
      last--;
    if (last + plan__char_size(text, last) != text.size) last = text.size - 1;
    if (!among_chars(set, part(text, last, text.size))) break;
    text = part(text, 0, last);
  }
  *at->out = text;
  return ERR_OK;
}

static int replace(struct text_row *at) {
  struct str text = at->text, from = text_argument(at, 1), to = text_argument(at, 2);
  size_t count = 0;
  *at->out = text;
  for (size_t i = 0; from.size && (i = plan__text_find(text, from, i)) != SIZE_MAX; i += from.size)
    count++;
  if (count == 0) return ERR_OK;
  char *bytes;
  int code = new_text(at, text.size + count * to.size - count * from.size, &bytes);
  if (code) return code;
  size_t last = 0;
  for (size_t i = 0; (i = plan__text_find(text, from, i)) != SIZE_MAX; last = i) {
    memcpy(bytes, text.data + last, i - last);
    bytes += i - last;
    if (to.size) memcpy(bytes, to.data, to.size);
    bytes += to.size;
    i += from.size;
  }
  memcpy(bytes, text.data + last, text.size - last);
  return ERR_OK;
}

/* A negative count: all but so many. */
static int end_part(struct text_row *at) {
  int64_t count = int_argument(at, 1), all = plan__char_count(at->text);
  if (count < 0) count = count < -all ? 0 : all + count;
  if (count > all) count = all;
  bool left = at->call->expr->function == FUNCTION_LEFT;
  size_t cut = plan__char_at(at->text, left ? count : all - count);
  *at->out = left ? part(at->text, 0, cut) : part(at->text, cut, at->text.size);
  return ERR_OK;
}

/* The n-th piece between separators, from the end when n is negative. */
static int split_part(struct text_row *at) {
  struct str text = at->text, separator = text_argument(at, 1);
  int64_t n = int_argument(at, 2), pieces = 1;
  if (n == 0) return err_set(at->err, ERR_INVALID_ARGUMENT, "field position must not be zero");
  *at->out = STR("");
  if (separator.size == 0) {
    if (n == 1 || n == -1) *at->out = text;
    return ERR_OK;
  }
  for (size_t i = 0; (i = plan__text_find(text, separator, i)) != SIZE_MAX; i += separator.size)
    pieces++;
  if (n < 0) n += pieces + 1;
  if (n < 1 || n > pieces) return ERR_OK;
  size_t from = 0, end;
  while (n-- > 1)
    from = plan__text_find(text, separator, from) + separator.size;
  end = plan__text_find(text, separator, from);
  *at->out = part(text, from, end == SIZE_MAX ? text.size : end);
  return ERR_OK;
}

static int pad(struct text_row *at) {
  int64_t wanted = int_argument(at, 1), have = plan__char_count(at->text);
  struct str fill = argument_count(at) > 2 ? text_argument(at, 2) : STR(" ");
  if (wanted < 0) wanted = 0;
  *at->out = part(at->text, 0, plan__char_at(at->text, wanted));
  if (wanted <= have || fill.size == 0) return ERR_OK;
  int64_t missing = wanted - have, each = plan__char_count(fill);
  if (missing > LIMIT_STRING_SIZE_MAX)
    return err_set(at->err, ERR_LIMIT_EXCEEDED, "a text of %lld characters is too long",
                   (long long)wanted);
  size_t rest = plan__char_at(fill, missing % each);
  size_t padding = (size_t)(missing / each) * fill.size + rest;
  char *bytes;
  int code = new_text(at, at->text.size + padding, &bytes);
  if (code) return code;
  bool left = at->call->expr->function == FUNCTION_LPAD;
  if (at->text.size) memcpy(bytes + (left ? padding : 0), at->text.data, at->text.size);
  if (!left) bytes += at->text.size;
  for (size_t i = 0; i < padding; i++)
    bytes[i] = fill.data[i % fill.size];
  return ERR_OK;
}

static int reverse(struct text_row *at) {
  char *bytes;
  int code = new_text(at, at->text.size, &bytes);
  if (code) return code;
  char *end = bytes + at->text.size;
  for (size_t i = 0; i < at->text.size;) {
    size_t size = plan__char_size(at->text, i);
    end -= size;
    memcpy(end, at->text.data + i, size);
    i += size;
  }
  return ERR_OK;
}

static int repeat(struct text_row *at) {
  int64_t times = int_argument(at, 1);
  char *bytes;
  *at->out = STR("");
  if (times <= 0 || at->text.size == 0) return ERR_OK;
  if (times > LIMIT_STRING_SIZE_MAX) times = LIMIT_STRING_SIZE_MAX + 1;
  int code = new_text(at, at->text.size * (size_t)times, &bytes);
  for (int64_t i = 0; i < times && !code; i++)
    memcpy(bytes + (size_t)i * at->text.size, at->text.data, at->text.size);
  return code;
}

static int (*const text_functions[FUNCTION_COUNT])(struct text_row *at) = {
    [FUNCTION_LOWER] = change_case,
    [FUNCTION_UPPER] = change_case,
    [FUNCTION_SUBSTRING] = substring,
    [FUNCTION_TRIM] = trim,
    [FUNCTION_TRIM_LEFT] = trim,
    [FUNCTION_TRIM_RIGHT] = trim,
    [FUNCTION_REPLACE] = replace,
    [FUNCTION_LEFT] = end_part,
    [FUNCTION_RIGHT] = end_part,
    [FUNCTION_SPLIT_PART] = split_part,
    [FUNCTION_LPAD] = pad,
    [FUNCTION_RPAD] = pad,
    [FUNCTION_REVERSE] = reverse,
    [FUNCTION_REPEAT] = repeat,
};

int plan__run_text(struct plan_call *call, const uint64_t *rows, struct err *err) {
  int (*run)(struct text_row *) = text_functions[call->expr->function];
  struct text_row at = {.call = call, .err = err};
  EACH_ROW(row) {
    at.row = row;
    at.text = vector_text(call->arguments[0], row);
    at.out = (struct str *)call->result->own_values + row;
    int code = run(&at);
    if (code) return code;
  }
  return ERR_OK;
}

/* `||` is null where an argument is; concat() leaves nulls out. */
int plan__run_concat(struct plan_call *call, const uint64_t *rows, struct err *err) {
  struct text_row at = {.call = call, .err = err};
  EACH_ROW(row) {
    size_t size = 0;
    char *bytes;
    at.out = (struct str *)call->result->own_values + row;
    for (uint32_t i = 0; i < call->expr->argument_count; i++)
      if (vector_valid(call->arguments[i], row)) size += vector_text(call->arguments[i], row).size;
    int code = new_text(&at, size, &bytes);
    if (code) return code;
    for (uint32_t i = 0; i < call->expr->argument_count; i++) {
      if (!vector_valid(call->arguments[i], row)) continue;
      struct str text = vector_text(call->arguments[i], row);
      if (text.size) memcpy(bytes, text.data, text.size);
      bytes += text.size;
    }
  }
  return ERR_OK;
}
