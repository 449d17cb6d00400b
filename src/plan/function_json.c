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

/* ---- arrays ---- */

/* value #> path, value #>> path */
static int get_at(struct function_row *at) {
  struct json_value value;
  struct array path;
  const struct json_value *part = &value;
  int code = load(at, 0, &value);
  if (!code) code = plan_array_open(row_text(at, 1), row_type(at, 1), &path, at->err);
  for (uint32_t i = 0; !code && part && i < path.count; i++)
    part = array_is_null(&path, i) ? NULL : json_value_step(part, array_bytes(&path, i));
  return code ? code : give_part(at, part);
}

/* value ?| keys, value ?& keys */
static int exist(struct function_row *at) {
  struct json_value value;
  struct array keys;
  bool all = row_function(at) == FUNCTION_JSON_EXIST_ALL, held = all;
  int code = load(at, 0, &value);
  if (!code) code = plan_array_open(row_text(at, 1), row_type(at, 1), &keys, at->err);
  for (uint32_t i = 0; !code && i < keys.count && held == all; i++)
    if (!array_is_null(&keys, i)) held = has_key(&value, array_bytes(&keys, i));
  return code ? code : row_give_bool(at, held);
}

/* The items of an array or the keys of an object, as an array. */
static int list(struct function_row *at) {
  struct json_value value;
  struct str stored;
  bool keys = row_function(at) == FUNCTION_JSON_KEYS;
  bool as_text = type_item(at->call->result->type).logical != LOGICAL_JSON;
  int code = load(at, 0, &value);
  if (code) return code;
  if (value.kind != (keys ? JSON_VALUE_OBJECT : JSON_VALUE_ARRAY))
    return err_set(at->err, ERR_INVALID_ARGUMENT,
                   keys ? "cannot call %s on a value that is no object"
                        : "cannot extract elements of a value that is no array: %s",
                   plan__function_name(row_function(at)));
  struct array_builder builder;
  array_builder_init(&builder, ARRAY_BYTES, at->call->scratch->account);
  for (uint32_t i = 0; i < value.count; i++) {
    const struct json_value *item = &value.items[i];
    if (keys)
      array_add_bytes(&builder, item->key);
    else if (as_text && item->kind == JSON_VALUE_NULL)
      array_add_null(&builder);
    else
      array_add_bytes(&builder,
                      as_text && item->kind == JSON_VALUE_STRING ? item->text : item->raw);
  }
  code = plan_array_finish(&builder, at->call->scratch, &stored, at->err);
  array_builder_deinit(&builder);
  return code ? code : row_give(at, stored);
}

/* ---- jsonb_set, jsonb_insert, #- ---- */

struct setting {
  struct function_row *at;
  struct array path;
  const struct json_value *with; /* NULL: what stands there goes */
  bool create, insert, behind;
};

static int set_at(struct setting *setting, struct json_value *value, uint32_t depth);

/* Puts an item in at `index`. */
static int put_in(struct setting *setting, struct json_value *value, uint32_t index,
                  struct str key) {
  int code = grow(setting->at, value, 1);
  if (code) return code;
  for (uint32_t i = value->count; i > index; i--)
    value->items[i] = value->items[i - 1];
  value->items[index] = *setting->with;
  value->items[index].key = key;
  value->count++;
  return ERR_OK;
}

static int set_item(struct setting *setting, struct json_value *value, uint32_t depth,
                    struct str step) {
  bool last = depth + 1 == setting->path.count;
  int64_t index;
  const char *from = step.data;
  if (!step.size || number_parse_i64(&from, step.data + step.size, &index) ||
      from != step.data + step.size)
    return err_set(setting->at->err, ERR_INVALID_TEXT,
                   "path element at position %u is not an integer: \"%.*s\"", depth + 1,
                   STR_ARG(step));
  bool before = index < 0 && index + value->count < 0;
  if (index < 0) index += value->count;
  if (!last)
    return index >= 0 && index < value->count ? set_at(setting, &value->items[index], depth + 1)
                                              : ERR_OK;
  bool there = index >= 0 && index < value->count;
  if (!setting->with) {
    if (there) drop_item(value, (uint32_t)index);
    return ERR_OK;
  }
  if (there && !setting->insert) {
    value->items[index] = *setting->with;
    return ERR_OK;
  }
  if (!there && !setting->create) return ERR_OK;
  uint32_t place = before ? 0 : there ? (uint32_t)index + setting->behind : value->count;
  return put_in(setting, value, place, (struct str){0});
}

static int set_member(struct setting *setting, struct json_value *value, uint32_t depth,
                      struct str step) {
  struct json_value *member = (struct json_value *)json_value_member(value, step);
  if (depth + 1 < setting->path.count) return member ? set_at(setting, member, depth + 1) : ERR_OK;
  if (!setting->with) {
    if (member) drop_item(value, (uint32_t)(member - value->items));
    return ERR_OK;
  }
  if (member && setting->insert)
    return err_set(setting->at->err, ERR_INVALID_ARGUMENT, "cannot replace existing key");
  if (member) {
    struct str key = member->key;
    *member = *setting->with;
    member->key = key;
    return ERR_OK;
  }
  return setting->create ? put_in(setting, value, value->count, step) : ERR_OK;
}

static int set_at(struct setting *setting, struct json_value *value, uint32_t depth) {
  if (depth >= setting->path.count) return ERR_OK;
  if (array_is_null(&setting->path, depth))
    return err_set(setting->at->err, ERR_INVALID_ARGUMENT, "path element at position %u is null",
                   depth + 1);
  struct str step = array_bytes(&setting->path, depth);
  if (value->kind == JSON_VALUE_OBJECT) return set_member(setting, value, depth, step);
  return value->kind == JSON_VALUE_ARRAY ? set_item(setting, value, depth, step) : ERR_OK;
}

/* value, path[, new value[, flag]] */
static int set(struct function_row *at) {
  struct json_value value, with;
  struct setting setting = {.at = at, .create = true};
  enum plan_function function = row_function(at);
  int code = load(at, 0, &value);
  if (!code) code = plan_array_open(row_text(at, 1), row_type(at, 1), &setting.path, at->err);
  if (!code && function != FUNCTION_JSON_DROP_AT) code = load(at, 2, &with);
  if (code) return code;
  if (value.kind != JSON_VALUE_ARRAY && value.kind != JSON_VALUE_OBJECT)
    return err_set(at->err, ERR_INVALID_ARGUMENT, "cannot %s in scalar",
                   function == FUNCTION_JSON_DROP_AT ? "delete path" : "set path");
  setting.with = function == FUNCTION_JSON_DROP_AT ? NULL : &with;
  setting.insert = function == FUNCTION_JSON_INSERT;
  if (row_arguments(at) > 3) {
    setting.behind = setting.insert && row_bool(at, 3);
    setting.create = setting.insert || row_bool(at, 3);
  }
  code = set_at(&setting, &value, 0);
  if (code) return code;
  json_value_normalize(&value);
  return give_normal(at, &value);
}

static function_of_row *const functions[FUNCTION_COUNT] = {
    [FUNCTION_JSON_GET] = get,
    [FUNCTION_JSON_GET_AT] = get_at,
    [FUNCTION_JSON_EXIST_ANY] = exist,
    [FUNCTION_JSON_EXIST_ALL] = exist,
    [FUNCTION_JSON_ITEMS] = list,
    [FUNCTION_JSON_KEYS] = list,
    [FUNCTION_JSON_SET] = set,
    [FUNCTION_JSON_INSERT] = set,
    [FUNCTION_JSON_DROP_AT] = set,
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
