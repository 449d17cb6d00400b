/* SQL's functions of json and jsonb: each reads its argument's text as a tree, and gives a part of
 * it, what can be told of it, or a changed tree in jsonb's normal form. Of json, parts come out as
 * they were written. */
#include "base/number.h"
#include "base/text.h"
#include "plan/function_rows.h"
#include "plan/json_value.h"
#include "plan/value_text.h"

static bool is_jsonb(struct type type) { return type.logical == LOGICAL_JSON && type.parameter; }

static int load(struct function_row *at, uint32_t i, struct json_value *value) {
  return json_value_read(row_text(at, i), at->call->scratch, value, at->err);
}

/* A tree in normal form as the result. */
static int give_normal(struct function_row *at, const struct json_value *value) {
  struct buffer out = row_buffer_of(at);
  json_value_print(value, &out);
  return row_give_buffer(at, &out);
}

/* A part as the result: as it is written, or as text (null for JSON's null). */
static int give_part(struct function_row *at, const struct json_value *value) {
  if (!value) return row_give_null(at);
  bool as_text = at->call->result->type.logical != LOGICAL_JSON;
  if (as_text && value->kind == JSON_VALUE_NULL) return row_give_null(at);
  if (as_text && value->kind == JSON_VALUE_STRING) return row_give(at, value->text);
  return row_give(at, value->raw);
}

/* ---- parts ---- */

/* value -> key, value -> index */
static int get(struct function_row *at) {
  struct json_value value;
  int code = load(at, 0, &value);
  if (code) return code;
  bool by_index = row_type(at, 1).physical == PHYSICAL_INT64;
  return give_part(at, by_index ? json_value_item(&value, row_i64(at, 1))
                                : json_value_member(&value, row_text(at, 1)));
}

/* A path: the other arguments, or an array of them. */
static int get_path(struct function_row *at) {
  struct json_value value;
  const struct json_value *part = &value;
  int code = load(at, 0, &value);
  for (uint32_t i = 1; i < row_arguments(at) && !code && part; i++)
    part = json_value_step(part, row_text(at, i));
  return code ? code : give_part(at, part);
}

/* ---- what can be told ---- */

static int contains(struct function_row *at) {
  struct json_value a, b;
  int code = load(at, 0, &a);
  if (!code) code = load(at, 1, &b);
  return code ? code : row_give_bool(at, json_value_contains(&a, &b));
}

/* A key of an object, or a string of an array. */
static bool has_key(const struct json_value *value, struct str key) {
  if (value->kind == JSON_VALUE_STRING) return str_equal(value->text, key);
  if (value->kind == JSON_VALUE_OBJECT) return json_value_member(value, key) != NULL;
  for (uint32_t i = 0; i < value->count; i++)
    if (value->items[i].kind == JSON_VALUE_STRING && str_equal(value->items[i].text, key))
      return true;
  return false;
}

static int exists(struct function_row *at) {
  struct json_value value;
  int code = load(at, 0, &value);
  return code ? code : row_give_bool(at, has_key(&value, row_text(at, 1)));
}

static int type_of(struct function_row *at) {
  struct json_value value;
  int code = load(at, 0, &value);
  return code ? code : row_give(at, str_from(json_value_type(&value)));
}

static int array_length(struct function_row *at) {
  struct json_value value;
  int code = load(at, 0, &value);
  if (code) return code;
  if (value.kind != JSON_VALUE_ARRAY)
    return err_set(at->err, ERR_INVALID_ARGUMENT, "cannot get array length of %s",
                   value.kind == JSON_VALUE_OBJECT ? "a non-array" : "a scalar");
  return row_give_i64(at, value.count);
}

/* ---- changing ---- */

static void strip(struct json_value *value) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < value->count; i++) {
    if (value->kind == JSON_VALUE_OBJECT && value->items[i].kind == JSON_VALUE_NULL) continue;
    strip(&value->items[i]);
    value->items[kept++] = value->items[i];
  }
  value->count = kept;
}

/* json as it was written, without blanks. */
static void print_plain(const struct json_value *value, struct buffer *out) {
  bool object = value->kind == JSON_VALUE_OBJECT;
  if (!object && value->kind != JSON_VALUE_ARRAY) {
    buffer_append_str(out, value->raw);
    return;
  }
  buffer_append_byte(out, object ? '{' : '[');
  for (uint32_t i = 0; i < value->count; i++) {
    if (i) buffer_append_byte(out, ',');
    if (object) {
      json_value_print_string(value->items[i].key, out);
      buffer_append_byte(out, ':');
    }
    print_plain(&value->items[i], out);
  }
  buffer_append_byte(out, object ? '}' : ']');
}

static int strip_nulls(struct function_row *at) {
  struct json_value value;
  int code = load(at, 0, &value);
  if (code) return code;
  strip(&value);
  if (is_jsonb(row_type(at, 0))) return give_normal(at, &value);
  struct buffer out = row_buffer_of(at);
  print_plain(&value, &out);
  return row_give_buffer(at, &out);
}

static int pretty(struct function_row *at) {
  struct json_value value;
  int code = load(at, 0, &value);
  if (code) return code;
  struct buffer out = row_buffer_of(at);
  json_value_print_pretty(&value, 0, &out);
  return row_give_buffer(at, &out);
}

static int to_jsonb(struct function_row *at) {
  struct str normal;
  int code = json_value_text(row_text(at, 0), at->call->scratch, &normal, at->err);
  return code ? code : row_give(at, normal);
}

static int grow(struct function_row *at, struct json_value *value, uint32_t more) {
  struct json_value *items =
      ARENA_ARRAY(at->call->scratch, struct json_value, value->count + more + 1);
  if (!items) return mem_refused(at->call->scratch->account, sizeof *items, at->err);
  if (value->count) memcpy(items, value->items, value->count * sizeof *items);
  value->items = items;
  return ERR_OK;
}

/* a || b: members of objects; items of arrays, others counting as arrays of one. */
static int join(struct function_row *at) {
  struct json_value a, b;
  int code = load(at, 0, &a);
  if (!code) code = load(at, 1, &b);
  if (code) return code;
  if (a.kind == JSON_VALUE_OBJECT && b.kind == JSON_VALUE_OBJECT) {
    code = grow(at, &a, b.count);
    for (uint32_t i = 0; i < b.count && !code; i++) {
      struct json_value *old = (struct json_value *)json_value_member(&a, b.items[i].key);
      if (old)
        *old = b.items[i];
      else
        a.items[a.count++] = b.items[i];
    }
    json_value_normalize(&a);
    return code ? code : give_normal(at, &a);
  }
  struct json_value all = {.kind = JSON_VALUE_ARRAY};
  const struct json_value *parts[] = {&a, &b};
  code =
      grow(at, &all,
           (a.kind == JSON_VALUE_ARRAY ? a.count : 1) + (b.kind == JSON_VALUE_ARRAY ? b.count : 1));
  for (int p = 0; p < 2 && !code; p++) {
    bool list = parts[p]->kind == JSON_VALUE_ARRAY;
    for (uint32_t i = 0; i < (list ? parts[p]->count : 1); i++)
      all.items[all.count++] = list ? parts[p]->items[i] : *parts[p];
  }
  return code ? code : give_normal(at, &all);
}

static void drop_item(struct json_value *value, uint32_t index) {
  for (uint32_t i = index; i + 1 < value->count; i++)
    value->items[i] = value->items[i + 1];
  value->count--;
}

/* Drops all that a key or an index means. */
static int drop(struct function_row *at) {
  struct json_value value;
  int code = load(at, 0, &value);
  if (code) return code;
  bool by_index = row_type(at, 1).physical == PHYSICAL_INT64;
  bool container = value.kind == JSON_VALUE_ARRAY || value.kind == JSON_VALUE_OBJECT;
  if (!container) return err_set(at->err, ERR_INVALID_ARGUMENT, "cannot delete from scalar");
  if (by_index && value.kind == JSON_VALUE_OBJECT)
    return err_set(at->err, ERR_INVALID_ARGUMENT, "cannot delete from object using integer index");
  for (uint32_t i = value.count; i > 0; i--) {
    const struct json_value *item = &value.items[i - 1];
    bool goes = by_index ? item == json_value_item(&value, row_i64(at, 1))
                : value.kind == JSON_VALUE_OBJECT
                    ? str_equal(item->key, row_text(at, 1))
                    : item->kind == JSON_VALUE_STRING && str_equal(item->text, row_text(at, 1));
    if (!goes) continue;
    drop_item(&value, i - 1);
    if (by_index) break;
  }
  return give_normal(at, &value);
}

/* ---- values as JSON ---- */

int plan__json_print(const struct plan_value *value, struct type type, bool normal,
                     const struct datetime_session *session, struct arena *arena,
                     struct buffer *out, struct err *err) {
  struct str text;
  if (value->null) {
    buffer_append_text(out, "null");
    return ERR_OK;
  }
  if (type.physical == PHYSICAL_BOOL) {
    buffer_append_text(out, value->boolean ? "true" : "false");
    return ERR_OK;
  }
  if (type.logical == LOGICAL_JSON) {
    text = value->text;
    int code = normal && !type.parameter ? json_value_text(text, arena, &text, err) : ERR_OK;
    buffer_append_str(out, text);
    return code;
  }
  int code = plan_value_text(value, session, arena, &text, err);
  if (code) return code;
  bool number = type.physical == PHYSICAL_FLOAT64 || type.physical == PHYSICAL_UINT64 ||
                type.logical == LOGICAL_DECIMAL || type.logical == LOGICAL_INT16 ||
                type.logical == LOGICAL_INT32 || type_equal(type, TYPE_INT64);
  if (number && text.size && (text_is_digit(text.data[text.size - 1]))) { /* not NaN, Infinity */
    buffer_append_str(out, text);
    return ERR_OK;
  }
  bool instant = type.logical == LOGICAL_TIMESTAMP || type.logical == LOGICAL_LOCAL;
  if (instant && text.size > 10 && text.data[10] == ' ') { /* ISO 8601 has a T there */
    struct str date = {text.data, 10}, rest = str_part(text, 11, text.size);
    buffer_append_byte(out, '"');
    buffer_append_str(out, date);
    buffer_append_byte(out, 'T');
    buffer_append_str(out, rest);
    if (type.logical == LOGICAL_TIMESTAMP && rest.size > 3 &&
        (rest.data[rest.size - 3] == '+' || rest.data[rest.size - 3] == '-'))
      buffer_append_text(out, ":00");
    buffer_append_byte(out, '"');
    return ERR_OK;
  }
  json_value_print_string(text, out);
  return ERR_OK;
}

/* A value of any type: numbers and booleans as they are, JSON too, what else as a string. */
static int print_any(struct function_row *at, uint32_t i, bool normal, struct buffer *out) {
  struct type type = row_type(at, i);
  if (row_is_null(at, i)) {
    buffer_append_text(out, "null");
    return ERR_OK;
  }
  struct plan_value value = vector_value(at->call->arguments[i], at->row);
  return plan__json_print(&value, type, normal, at->call->expr->compiled, at->call->scratch, out,
                          at->err);
}

static int to_json(struct function_row *at) {
  struct buffer out = row_buffer_of(at);
  int code = print_any(at, 0, is_jsonb(at->call->result->type), &out);
  if (!code) return row_give_buffer(at, &out);
  buffer_deinit(&out);
  return code;
}

/* A buffer's JSON in normal form as the result. */
static int give_normalized(struct function_row *at, struct buffer *out) {
  struct str normal;
  int code = buffer_check(out, at->err);
  if (!code) code = json_value_text(buffer_str(out), at->call->scratch, &normal, at->err);
  buffer_deinit(out);
  return code ? code : row_give(at, normal);
}

static int build_array(struct function_row *at) {
  bool normal = is_jsonb(at->call->result->type);
  struct buffer out = row_buffer_of(at);
  int code = ERR_OK;
  buffer_append_byte(&out, '[');
  for (uint32_t i = 0; i < row_arguments(at) && !code; i++) {
    if (i) buffer_append_text(&out, ", ");
    code = print_any(at, i, normal, &out);
  }
  buffer_append_byte(&out, ']');
  if (!code) return normal ? give_normalized(at, &out) : row_give_buffer(at, &out);
  buffer_deinit(&out);
  return code;
}

/* A key: the text of a value that is not null. */
static int print_key(struct function_row *at, uint32_t i, struct buffer *out) {
  struct str text;
  if (row_is_null(at, i))
    return err_set(at->err, ERR_INVALID_ARGUMENT, "argument %u: key must not be null", i + 1);
  struct plan_value value = vector_value(at->call->arguments[i], at->row);
  int code = plan_value_text(&value, at->call->expr->compiled, at->call->scratch, &text, at->err);
  if (!code) json_value_print_string(text, out);
  return code;
}

static int build_object(struct function_row *at) {
  bool normal = is_jsonb(at->call->result->type);
  struct buffer out = row_buffer_of(at);
  int code = ERR_OK;
  if (row_arguments(at) % 2) {
    code =
        err_set(at->err, ERR_INVALID_ARGUMENT, "argument list must have even number of elements");
    err_hint(at->err, "the arguments of %s() are keys and values in turn",
             plan__function_name(row_function(at)));
  }
  buffer_append_byte(&out, '{');
  for (uint32_t i = 0; i < row_arguments(at) && !code; i += 2) {
    if (i) buffer_append_text(&out, ", ");
    code = print_key(at, i, &out);
    buffer_append_text(&out, " : ");
    if (!code) code = print_any(at, i + 1, normal, &out);
  }
  buffer_append_byte(&out, '}');
  if (!code) return normal ? give_normalized(at, &out) : row_give_buffer(at, &out);
  buffer_deinit(&out);
  return code;
}

static function_of_row *const functions[FUNCTION_COUNT] = {
    [FUNCTION_JSON_GET] = get,
    [FUNCTION_JSON_PATH] = get_path,
    [FUNCTION_JSON_CONTAINS] = contains,
    [FUNCTION_JSON_EXISTS] = exists,
    [FUNCTION_JSON_TYPE] = type_of,
    [FUNCTION_JSON_ARRAY_LENGTH] = array_length,
    [FUNCTION_JSON_STRIP_NULLS] = strip_nulls,
    [FUNCTION_JSON_PRETTY] = pretty,
    [FUNCTION_JSON_NORMAL] = to_jsonb,
    [FUNCTION_JSON_JOIN] = join,
    [FUNCTION_JSON_DROP] = drop,
    [FUNCTION_TO_JSON] = to_json,
    [FUNCTION_JSON_BUILD_ARRAY] = build_array,
    [FUNCTION_JSON_BUILD_OBJECT] = build_object,
};

int plan__run_json(struct plan_call *call, const uint64_t *rows, struct err *err) {
  return plan__each_row(call, rows, functions[call->expr->function], err);
}
