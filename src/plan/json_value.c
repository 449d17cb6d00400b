/* JSON values as trees. */
#include "plan/json_value.h"

#include <stdlib.h>

#include "base/buffer.h"
#include "base/decimal.h"
#include "base/err.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/text.h"
#include "wire/json.h"

/* ---- reading ---- */

struct reading {
  struct json_reader reader;
  struct arena *arena;
  struct json_token token;
  size_t begin; /* of the token */
  struct err *err;
};

static int next(struct reading *r) {
  size_t at = r->reader.at;
  while (at < r->reader.text.size &&
         (text_is_blank(r->reader.text.data[at]) || r->reader.text.data[at] == ',' ||
          r->reader.text.data[at] == ':'))
    at++;
  r->begin = at;
  return json_reader_next(&r->reader, &r->token, r->err);
}

static int read_value(struct reading *r, struct json_value *value);

/* Items are collected in chunks that double and are copied once. */
static int read_items(struct reading *r, struct json_value *value) {
  bool object = value->kind == JSON_VALUE_OBJECT;
  uint32_t room = 0;
  for (;;) {
    struct str key = {0};
    int code = next(r);
    if (code) return code;
    if (r->token.kind == JSON_END_ARRAY || r->token.kind == JSON_END_OBJECT) return ERR_OK;
    if (object) {
      key = r->token.text;
      if ((code = next(r))) return code;
    }
    if (value->count == room) {
      room = room ? room * 2 : 4;
      struct json_value *more = ARENA_ARRAY(r->arena, struct json_value, room);
      if (!more) return mem_refused(r->arena->account, room * sizeof *more, r->err);
      if (value->count) memcpy(more, value->items, value->count * sizeof *more);
      value->items = more;
    }
    struct json_value *item = &value->items[value->count++];
    code = read_value(r, item);
    item->key = key;
    if (code) return code;
  }
}

/* The value that begins with the token. */
static int read_value(struct reading *r, struct json_value *value) {
  size_t begin = r->begin;
  int code = ERR_OK;
  *value = (struct json_value){0};
  switch (r->token.kind) {
  case JSON_BEGIN_OBJECT:
  case JSON_BEGIN_ARRAY:
    value->kind = r->token.kind == JSON_BEGIN_OBJECT ? JSON_VALUE_OBJECT : JSON_VALUE_ARRAY;
    code = read_items(r, value);
    break;
  case JSON_STRING:
  case JSON_NUMBER:
    value->kind = r->token.kind == JSON_STRING ? JSON_VALUE_STRING : JSON_VALUE_NUMBER;
    value->text = r->token.text;
    break;
  case JSON_TRUE:
  case JSON_FALSE:
    value->kind = JSON_VALUE_BOOL;
    value->boolean = r->token.kind == JSON_TRUE;
    break;
  case JSON_NULL:
    break;
  default:
    return err_set(r->err, ERR_PARSE, "the input string ended unexpectedly");
  }
  value->raw = (struct str){r->reader.text.data + begin, r->reader.at - begin};
  return code;
}

int json_value_read(struct str text, struct arena *arena, struct json_value *value,
                    struct err *err) {
  struct err fault = {0};
  struct reading r = {.arena = arena, .err = &fault};
  if (!text.data) text = STR("");
  json_reader_init(&r.reader, text, arena, 0);
  int code = next(&r);
  if (!code) code = read_value(&r, value);
  if (!code) code = next(&r);
  if (!code && r.token.kind != JSON_END)
    code = err_set(&fault, ERR_PARSE, "something stands behind the value");
  if (!code) return ERR_OK;
  if (code != ERR_PARSE) {
    if (err) *err = fault;
    return code;
  }
  err_set(err, ERR_INVALID_TEXT, "invalid input syntax for type json");
  err_detail(err, "line %d, byte %d: %s", fault.line, fault.column, fault.message);
  return ERR_INVALID_TEXT;
}

/* ---- normal form ---- */

static int key_order(struct str a, struct str b) {
  if (a.size != b.size) return a.size < b.size ? -1 : 1;
  return a.size ? memcmp(a.data, b.data, a.size) : 0;
}

/* Of equal keys the one further behind in the text first. */
static int member_order(const void *left, const void *right) {
  const struct json_value *a = left, *b = right;
  int order = key_order(a->key, b->key);
  if (order) return order;
  return a->raw.data > b->raw.data ? -1 : a->raw.data < b->raw.data;
}

void json_value_normalize(struct json_value *value) {
  for (uint32_t i = 0; i < value->count; i++)
    json_value_normalize(&value->items[i]);
  if (value->kind != JSON_VALUE_OBJECT || value->count < 2) return;
  qsort(value->items, value->count, sizeof *value->items, member_order);
  uint32_t kept = 1;
  for (uint32_t i = 1; i < value->count; i++)
    if (!str_equal(value->items[i].key, value->items[kept - 1].key))
      value->items[kept++] = value->items[i];
  value->count = kept;
}

/* ---- printing ---- */

void json_value_print_string(struct str text, struct buffer *out) {
  static const char hex[] = "0123456789abcdef";
  static const char letters[] = {
      ['\b'] = 'b', ['\f'] = 'f', ['\n'] = 'n', ['\r'] = 'r', ['\t'] = 't'};
  size_t begin = 0;
  buffer_append_byte(out, '"');
  for (size_t i = 0; i < text.size; i++) {
    unsigned char c = (unsigned char)text.data[i];
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    buffer_append(out, text.data + begin, i - begin);
    begin = i + 1;
    buffer_append_byte(out, '\\');
    if (c == '"' || c == '\\')
      buffer_append_byte(out, c);
    else if (c < sizeof letters && letters[c])
      buffer_append_byte(out, (uint8_t)letters[c]);
    else
      buffer_printf(out, "u00%c%c", hex[c >> 4], hex[c & 15]);
  }
  buffer_append(out, text.data ? text.data + begin : "", text.size - begin);
  buffer_append_byte(out, '"');
}

static void print_number(struct str text, struct buffer *out) {
  struct decimal value;
  char digits[DECIMAL_TEXT_MAX];
  if (decimal_read(text, &value, NULL))
    buffer_append_str(out, text); /* longer than numeric: as it is */
  else
    buffer_append(out, digits, decimal_print(&value, digits));
}

static void print_scalar(const struct json_value *value, struct buffer *out) {
  if (value->kind == JSON_VALUE_STRING)
    json_value_print_string(value->text, out);
  else if (value->kind == JSON_VALUE_NUMBER)
    print_number(value->text, out);
  else
    buffer_append_text(out, value->kind == JSON_VALUE_NULL ? "null"
                            : value->boolean               ? "true"
                                                           : "false");
}

void json_value_print(const struct json_value *value, struct buffer *out) {
  bool object = value->kind == JSON_VALUE_OBJECT;
  if (!object && value->kind != JSON_VALUE_ARRAY) {
    print_scalar(value, out);
    return;
  }
  buffer_append_byte(out, object ? '{' : '[');
  for (uint32_t i = 0; i < value->count; i++) {
    if (i) buffer_append_text(out, ", ");
    if (object) {
      json_value_print_string(value->items[i].key, out);
      buffer_append_text(out, ": ");
    }
    json_value_print(&value->items[i], out);
  }
  buffer_append_byte(out, object ? '}' : ']');
}

static void new_line(int level, struct buffer *out) {
  buffer_append_byte(out, '\n');
  for (int i = 0; i < level; i++)
    buffer_append_text(out, "    ");
}

void json_value_print_pretty(const struct json_value *value, int level, struct buffer *out) {
  bool object = value->kind == JSON_VALUE_OBJECT;
  if (!object && value->kind != JSON_VALUE_ARRAY) {
    print_scalar(value, out);
    return;
  }
  buffer_append_byte(out, object ? '{' : '[');
  for (uint32_t i = 0; i < value->count; i++) {
    if (i) buffer_append_byte(out, ',');
    new_line(level + 1, out);
    if (object) {
      json_value_print_string(value->items[i].key, out);
      buffer_append_text(out, ": ");
    }
    json_value_print_pretty(&value->items[i], level + 1, out);
  }
  new_line(level, out);
  buffer_append_byte(out, object ? '}' : ']');
}

int json_value_text(struct str text, struct arena *arena, struct str *normal, struct err *err) {
  struct json_value value;
  struct buffer out;
  int code = json_value_read(text, arena, &value, err);
  if (code) return code;
  json_value_normalize(&value);
  buffer_init(&out, arena->account);
  json_value_print(&value, &out);
  code = buffer_check(&out, err);
  if (!code) {
    *normal = arena_copy(arena, buffer_str(&out));
    if (!normal->data) code = mem_refused(arena->account, out.size, err);
  }
  buffer_deinit(&out);
  return code;
}

/* ---- finding ---- */

const struct json_value *json_value_member(const struct json_value *value, struct str key) {
  if (value->kind != JSON_VALUE_OBJECT) return NULL;
  for (uint32_t i = value->count; i > 0; i--)
    if (str_equal(value->items[i - 1].key, key)) return &value->items[i - 1];
  return NULL;
}

const struct json_value *json_value_item(const struct json_value *value, int64_t index) {
  if (value->kind != JSON_VALUE_ARRAY) return NULL;
  if (index < 0) index += value->count;
  return index >= 0 && index < value->count ? &value->items[index] : NULL;
}

const struct json_value *json_value_step(const struct json_value *value, struct str step) {
  if (value->kind == JSON_VALUE_OBJECT) return json_value_member(value, step);
  const char *at = step.data;
  int64_t index;
  if (!step.size || number_parse_i64(&at, step.data + step.size, &index) ||
      at != step.data + step.size)
    return NULL;
  return json_value_item(value, index);
}

static bool same_number(struct str a, struct str b) {
  struct decimal x, y;
  if (decimal_read(a, &x, NULL) || decimal_read(b, &y, NULL)) return str_equal(a, b);
  return decimal_compare(&x, &y) == 0;
}

bool json_value_equal(const struct json_value *a, const struct json_value *b) {
  if (a->kind != b->kind || a->count != b->count) return false;
  if (a->kind == JSON_VALUE_NUMBER) return same_number(a->text, b->text);
  if (a->kind == JSON_VALUE_STRING) return str_equal(a->text, b->text);
  if (a->kind == JSON_VALUE_BOOL) return a->boolean == b->boolean;
  for (uint32_t i = 0; i < a->count; i++)
    if (!str_equal(a->items[i].key, b->items[i].key) ||
        !json_value_equal(&a->items[i], &b->items[i]))
      return false;
  return true;
}

static bool is_container(const struct json_value *value) {
  return value->kind == JSON_VALUE_ARRAY || value->kind == JSON_VALUE_OBJECT;
}

static bool array_has(const struct json_value *array, const struct json_value *item) {
  for (uint32_t i = 0; i < array->count; i++)
    if (is_container(item)
            ? is_container(&array->items[i]) && json_value_contains(&array->items[i], item)
            : json_value_equal(&array->items[i], item))
      return true;
  return false;
}

bool json_value_contains(const struct json_value *a, const struct json_value *b) {
  if (a->kind == JSON_VALUE_ARRAY && !is_container(b)) return array_has(a, b);
  if (a->kind != b->kind) return false;
  if (!is_container(a)) return json_value_equal(a, b);
  for (uint32_t i = 0; i < b->count; i++) {
    const struct json_value *item = &b->items[i];
    if (a->kind == JSON_VALUE_ARRAY) {
      if (!array_has(a, item)) return false;
      continue;
    }
    const struct json_value *other = json_value_member(a, item->key);
    if (!other || other->kind != item->kind) return false;
    if (is_container(item) ? !json_value_contains(other, item) : !json_value_equal(other, item))
      return false;
  }
  return true;
}

const char *json_value_type(const struct json_value *value) {
  static const char *const names[] = {
      [JSON_VALUE_NULL] = "null",    [JSON_VALUE_STRING] = "string", [JSON_VALUE_NUMBER] = "number",
      [JSON_VALUE_BOOL] = "boolean", [JSON_VALUE_ARRAY] = "array",   [JSON_VALUE_OBJECT] = "object",
  };
  return names[value->kind];
}
