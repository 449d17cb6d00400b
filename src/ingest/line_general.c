/* A line of any form: escapes, quotes, every type, every error.
 *
 * The grammar is InfluxDB's (its "line protocol reference"): measurement[,tag=value…]
 * field=value[,…] [timestamp]. Commas, blanks and (in keys and tags) equals signs are escaped by a
 * backslash; any other backslash stands for itself. Strings are quoted; inside, \" and \\ are
 * escapes. What fails is reported with the line's text and the column. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/checksum.h"
#include "base/err.h"
#include "base/hash_table.h"
#include "base/limits.h"
#include "base/number.h"
#include "base/text.h"
#include "ingest/ingest_private.h"

enum { SHOWN_LINE = 120, SHOWN_VALUE = 40, LINEAR_FIELDS = 32 };

struct parser {
  struct line_context *context;
  const char *at, *end;
  struct str measurement;
  struct str raw_key; /* measurement and tags as they stand */
  struct table_tag *tags;
  size_t tag_count, tag_capacity;
  struct ingest_line_field *fields;
  size_t field_count, field_capacity;
  bool plain; /* no escapes in names, no field twice: the shape may be cached */
};

/* "unable to parse '…': reason", with the column of `where`. */
__attribute__((format(printf, 4, 5))) static int bad(const struct parser *parser, const char *where,
                                                     struct err *err, const char *format, ...) {
  char reason[160];
  va_list arguments;
  va_start(arguments, format);
  vsnprintf(reason, sizeof reason, format, arguments);
  va_end(arguments);
  const struct line_context *context = parser->context;
  struct str line =
      text_cut(str_of(context->start, (size_t)(context->end - context->start)), SHOWN_LINE);
  bool cut = line.size < (size_t)(context->end - context->start);
  err_set(err, ERR_PARSE, "unable to parse '%.*s%s': %s", STR_ARG(line), cut ? "…" : "", reason);
  err_position(err, (int32_t)context->line, (int32_t)(where - context->start) + 1, -1);
  return ERR_PARSE;
}

static int refused(const struct parser *parser, size_t size, struct err *err) {
  return mem_refused(parser->context->arena.account, size, err);
}

/* ---- names ---- */

/* Reads up to the first of `stops` (a '\0'-terminated set) that is not escaped. */
static const char *name_end(const char *at, const char *end, const char *stops) {
  for (; at < end; at++) {
    if (*at == '\\' && at + 1 < end && at[1] != '\n') {
      at++;
      continue;
    }
    if (strchr(stops, *at) && *at) return at;
  }
  return at;
}

/* Undoes \, \= and \ followed by a blank. */
static int unescape(struct parser *parser, struct str raw, struct str *name, struct err *err) {
  *name = raw;
  if (raw.size == 0 || !memchr(raw.data, '\\', raw.size)) return ERR_OK;
  parser->plain = false;
  char *to = arena_alloc(&parser->context->arena, raw.size);
  if (!to) return refused(parser, raw.size, err);
  size_t n = 0;
  for (size_t i = 0; i < raw.size; i++) {
    bool escape = raw.data[i] == '\\' && i + 1 < raw.size &&
                  (raw.data[i + 1] == ',' || raw.data[i + 1] == ' ' || raw.data[i + 1] == '=');
    to[n++] = raw.data[escape ? ++i : i];
  }
  *name = str_of(to, n);
  return ERR_OK;
}

static int read_name(struct parser *parser, const char *what, const char *stops, struct str *name,
                     struct err *err) {
  const char *start = parser->at;
  parser->at = name_end(start, parser->end, stops);
  struct str raw = str_of(start, (size_t)(parser->at - start));
  if (raw.size == 0) return bad(parser, start, err, "missing %s", what);
  if (!text_utf8_valid(raw)) return bad(parser, start, err, "invalid UTF-8 in the %s", what);
  return unescape(parser, raw, name, err);
}

/* Doubles an array of the line's arena when it is full. */
static bool make_room(struct parser *parser, void **list, size_t count, size_t *capacity,
                      size_t size) {
  if (count < *capacity) return true;
  size_t grown = *capacity ? *capacity * 2 : 16;
  void *copy = arena_alloc(&parser->context->arena, grown * size);
  if (!copy) return false;
  if (count) memcpy(copy, *list, count * size);
  *list = copy;
  *capacity = grown;
  return true;
}

static int read_key(struct parser *parser, struct err *err) {
  const char *start = parser->at;
  int code = read_name(parser, "measurement", ", ", &parser->measurement, err);
  while (!code && parser->at < parser->end && *parser->at == ',') {
    struct table_tag tag;
    parser->at++;
    code = read_name(parser, "tag key", ",= ", &tag.name, err);
    if (code) break;
    if (parser->at == parser->end || *parser->at != '=')
      return bad(parser, parser->at, err, "missing tag value");
    parser->at++;
    code = read_name(parser, "tag value", ",= ", &tag.value, err);
    if (!code && parser->at < parser->end && *parser->at == '=')
      return bad(parser, parser->at, err,
                 "invalid tag format: a '=' in a tag value must be escaped as \\=");
    if (parser->tag_count >= LIMIT_TAGS_PER_SERIES)
      return bad(parser, parser->at, err, "too many tags");
    if (!code && !make_room(parser, (void **)&parser->tags, parser->tag_count,
                            &parser->tag_capacity, sizeof tag))
      return refused(parser, sizeof tag, err);
    if (!code) parser->tags[parser->tag_count++] = tag;
  }
  parser->raw_key = str_of(start, (size_t)(parser->at - start));
  return code;
}

/* ---- values ---- */

static bool is_value_end(const struct parser *parser, const char *at) {
  return at == parser->end || *at == ',' || *at == ' ' || *at == '\t';
}

/* The text of a value, for messages. */
static struct str value_text(const struct parser *parser, const char *start) {
  const char *end = start;
  while (!is_value_end(parser, end) && end - start < SHOWN_VALUE)
    end++;
  return str_of(start, (size_t)(end - start));
}

static int read_string(struct parser *parser, struct ingest_line_field *field, struct err *err) {
  const char *start = parser->at++;
  bool escapes = false;
  while (parser->at < parser->end && *parser->at != '"') {
    if (*parser->at == '\\' && parser->at + 1 < parser->end &&
        (parser->at[1] == '"' || parser->at[1] == '\\')) {
      escapes = true;
      parser->at++;
    }
    parser->at++;
  }
  if (parser->at >= parser->end) return bad(parser, start, err, "unbalanced quotes");
  struct str raw = str_of(start + 1, (size_t)(parser->at - start - 1));
  parser->at++;
  if (raw.size > LIMIT_STRING_SIZE_DEFAULT)
    return bad(parser, start, err, "a string of %zu bytes; the limit is %lld", raw.size,
               (long long)LIMIT_STRING_SIZE_DEFAULT);
  if (!text_utf8_valid(raw)) return bad(parser, start, err, "invalid UTF-8 in a string");
  /* The cell outlives the line where there is a piece; the body's bytes outlive the piece. */
  struct line_context *context = parser->context;
  size_t size = sizeof(struct str) + (escapes ? raw.size : 0);
  struct str *text =
      context->piece ? table_piece_alloc(context->piece, size) : arena_alloc(&context->arena, size);
  if (!text) return refused(parser, raw.size, err);
  *text = raw;
  if (escapes) {
    char *to = (char *)(text + 1);
    size_t n = 0;
    for (size_t i = 0; i < raw.size; i++) {
      if (raw.data[i] == '\\' && i + 1 < raw.size &&
          (raw.data[i + 1] == '"' || raw.data[i + 1] == '\\'))
        i++;
      to[n++] = raw.data[i];
    }
    *text = str_of(to, n);
  }
  field->type = TYPE_STRING;
  field->cell = (uint64_t)(uintptr_t)text;
  return ERR_OK;
}

static int read_bool(struct parser *parser, struct ingest_line_field *field, struct err *err) {
  static const struct {
    const char *text;
    bool value;
  } spellings[] = {{"t", true},      {"T", true},     {"true", true}, {"True", true},
                   {"TRUE", true},   {"f", false},    {"F", false},   {"false", false},
                   {"False", false}, {"FALSE", false}};
  struct str text = value_text(parser, parser->at);
  for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
    if (!str_equal(text, str_from(spellings[i].text))) continue;
    field->type = TYPE_BOOL;
    field->cell = spellings[i].value;
    parser->at += text.size;
    return ERR_OK;
  }
  return bad(parser, parser->at, err, "invalid boolean \"%.*s\"", STR_ARG(text));
}

static bool non_finite(struct str text, double *value) {
  bool negative = text.size && text.data[0] == '-';
  struct str name = text.size && (text.data[0] == '-' || text.data[0] == '+')
                        ? str_of(text.data + 1, text.size - 1)
                        : text;
  if (str_equal_ignoring_case(name, STR("nan")))
    *value = __builtin_nan("");
  else if (str_equal_ignoring_case(name, STR("inf")) ||
           str_equal_ignoring_case(name, STR("infinity")))
    *value = negative ? -__builtin_inf() : __builtin_inf();
  else
    return false;
  return true;
}

static int read_integer(struct parser *parser, const char *start, char suffix,
                        struct ingest_line_field *field, struct err *err) {
  const char *at = start;
  int64_t value = 0;
  uint64_t natural = 0;
  enum number_result result = suffix == 'i' ? number_parse_i64(&at, parser->end, &value)
                                            : number_parse_u64(&at, parser->end, &natural);
  struct str text = value_text(parser, start);
  if (result == NUMBER_RANGE)
    return bad(parser, start, err, "unable to parse %s %.*s: value out of range",
               suffix == 'i' ? "integer" : "unsigned", STR_ARG(text));
  if (result != NUMBER_OK || *at != suffix || !is_value_end(parser, at + 1))
    return bad(parser, start, err, "invalid number \"%.*s\"", STR_ARG(text));
  field->type = suffix == 'i' ? TYPE_INT64 : TYPE_UINT64;
  field->cell = suffix == 'i' ? (uint64_t)value : natural;
  parser->at = at + 1;
  return ERR_OK;
}

static int read_number(struct parser *parser, struct ingest_line_field *field, struct err *err) {
  const char *start = parser->at, *at = start;
  const char *last = start;
  while (!is_value_end(parser, last))
    last++;
  if (last > start && (last[-1] == 'i' || last[-1] == 'u') &&
      text_is_digit(last[-2 + (last - start < 2)]))
    return read_integer(parser, start, last[-1], field, err);
  double value;
  enum number_result result = number_parse_f64(&at, parser->end, &value);
  struct str text = value_text(parser, start);
  if (result == NUMBER_RANGE)
    return bad(parser, start, err, "invalid number: \"%.*s\" is out of range", STR_ARG(text));
  if (result != NUMBER_OK || !is_value_end(parser, at)) {
    if (!non_finite(str_of(start, (size_t)(last - start)), &value))
      return bad(parser, start, err, "invalid number \"%.*s\"", STR_ARG(text));
    if (!parser->context->options->allow_non_finite)
      return bad(parser, start, err, "invalid number: \"%.*s\" is not allowed in line protocol",
                 STR_ARG(text));
    at = last;
  }
  field->type = TYPE_FLOAT64;
  field->cell = f64_bits(value);
  parser->at = at;
  return ERR_OK;
}

static int read_value(struct parser *parser, struct ingest_line_field *field, struct err *err) {
  if (is_value_end(parser, parser->at)) return bad(parser, parser->at, err, "missing field value");
  char c = *parser->at;
  int code;
  if (c == '"')
    code = read_string(parser, field, err);
  else if (text_is_digit(c) || c == '-' || c == '+' || c == '.' ||
           ((c | 0x20) == 'n' || (c | 0x20) == 'i'))
    code = read_number(parser, field, err);
  else
    code = read_bool(parser, field, err);
  if (!code && !is_value_end(parser, parser->at))
    return bad(parser, parser->at, err,
               "invalid field format: expected a comma, a blank or the end of the line");
  return code;
}

static int read_fields(struct parser *parser, struct err *err) {
  for (;;) {
    struct ingest_line_field field = {.cell = 0};
    const char *start = parser->at;
    int code =
        read_name(parser, parser->field_count ? "field key" : "fields", ",= ", &field.name, err);
    if (code) return code;
    if (parser->at == parser->end || *parser->at != '=')
      return bad(parser, parser->at, err,
                 parser->field_count ? "missing field value" : "invalid field format");
    parser->at++;
    field.raw = str_of(start, (size_t)(parser->at - start));
    code = read_value(parser, &field, err);
    if (code) return code;
    if (parser->field_count >= LIMIT_FIELDS_PER_LINE)
      return bad(parser, start, err, "too many fields");
    if (!make_room(parser, (void **)&parser->fields, parser->field_count, &parser->field_capacity,
                   sizeof field))
      return refused(parser, sizeof field, err);
    parser->fields[parser->field_count++] = field;
    if (parser->at == parser->end || *parser->at != ',') return ERR_OK;
    parser->at++;
  }
}

int ingest__line_time(const struct line_context *context, struct str text, enum time_unit unit,
                      int64_t *time, struct err *err) {
  if (text.size == 0) {
    __int128 now = context->options->now_ns;
    enum time_unit coarser =
        unit > context->options->precision ? unit : context->options->precision;
    uint32_t factor = context->options->precision_factor;
    int64_t floored = time_from_ns_floor(now, coarser);
    /* Minutes or hours: TIME_S is the coarser then. */
    if (factor > 1) floored -= (floored % factor + factor) % factor;
    return time_convert_exact(floored, coarser, unit, time)
               ? ERR_OK
               : err_set(err, ERR_OUT_OF_RANGE, "the server's clock is out of the table's range");
  }
  struct parser parser = {.context = (struct line_context *)context};
  const char *at = text.data, *end = text.data + text.size;
  int64_t value;
  enum number_result result = number_parse_i64(&at, end, &value);
  if (result == NUMBER_SYNTAX || at != end)
    return bad(&parser, text.data, err, "bad timestamp \"%.*s\"",
               STR_ARG(text_cut(text, SHOWN_VALUE)));
  enum time_unit from = context->options->precision;
  uint32_t factor = context->options->precision_factor;
  if (factor > 1 && __builtin_mul_overflow(value, (int64_t)factor, &value)) result = NUMBER_RANGE;
  if (result == NUMBER_OK && time_convert_exact(value, from, unit, time)) {
    /* The two lowest and the highest nanosecond are InfluxDB's own; the others keep clear of them
     * too. */
    if (unit != TIME_NS || (*time > INT64_MIN + 1 && *time < INT64_MAX)) return ERR_OK;
  } else if (result == NUMBER_OK && from < unit) {
    bad(&parser, text.data, err, "the timestamp is finer than the measurement's precision, %s",
        time_unit_name(unit));
    err_hint(err, "send whole %s, or create the database with a finer precision",
             time_unit_name(unit));
    return ERR_PARSE;
  }
  bad(&parser, text.data, err, "time outside range");
  err_hint(err, "check the precision= of the request: the text was taken as %s",
           time_unit_name(from));
  return ERR_PARSE;
}

/* ---- into the piece ---- */

/* A failure of the table layer becomes one of this line; resources stay what they are. */
static int of_line(const struct parser *parser, int code, struct err *err) {
  if (err && err->line == 0) err_position(err, (int32_t)parser->context->line, err->column, -1);
  return code;
}

/* The place of a field of this name among the first `kept` of the line; `kept`: none. Long lines
 * have a table of their names; false when memory is refused. */
static bool field_place(const struct parser *parser, struct str_table *names, struct str name,
                        size_t kept, size_t *place) {
  *place = kept;
  if (parser->field_count <= LINEAR_FIELDS) {
    for (size_t f = 0; f < kept && *place == kept; f++)
      if (str_equal(parser->fields[f].name, name)) *place = f;
    return true;
  }
  bool is_new;
  uint64_t *slot = str_table_insert(names, name, &is_new);
  if (slot && is_new) *slot = kept;
  if (slot) *place = (size_t)*slot;
  return slot != NULL;
}

/* Of a field that stands twice the last one counts, as in InfluxDB: the one before it is as if it
 * were not there, whatever its type. */
static int fold_fields(struct parser *parser, struct err *err) {
  struct str_table names; /* borrows the names */
  str_table_init(&names, parser->context->arena.account, false, 0);
  size_t kept = 0;
  int code = ERR_OK;
  for (size_t f = 0; f < parser->field_count && !code; f++) {
    size_t place;
    if (!field_place(parser, &names, parser->fields[f].name, kept, &place)) {
      code = refused(parser, parser->fields[f].name.size, err);
    } else {
      parser->fields[place] = parser->fields[f];
      if (place == kept)
        kept++;
      else
        parser->plain = false;
    }
  }
  str_table_deinit(&names);
  parser->field_count = kept;
  return code;
}

/* Remembers key, series and shape for lines to come. */
static void remember(struct parser *parser, struct table_rows *rows, uint64_t series,
                     uint32_t number) {
  struct ingest_cache *cache = parser->context->cache;
  uint64_t hash = hash64(parser->raw_key.data, parser->raw_key.size);
  struct cached_table *table = ingest__cache_table(cache, parser->measurement);
  if (!table) return;
  struct cached_key *key = ingest__cache_find(cache, parser->raw_key, hash);
  if (!key) key = ingest__cache_add(cache, parser->raw_key, hash, table);
  table->rows = rows;
  table->serial = cache->serial;
  if (!key) return;
  key->series = series;
  key->serial = series & TABLE_SERIES_NEW ? cache->serial : 0;
  key->table_id = rows->table ? rows->table->id : 0;
  if (cache->last) cache->last->after = key;
  cache->last = key;
  if (!parser->plain) return;
  struct shape_field *fields =
      ARENA_ARRAY(&parser->context->arena, struct shape_field, parser->field_count);
  for (size_t f = 0; fields && f < parser->field_count; f++)
    fields[f] =
        (struct shape_field){parser->fields[f].raw.data, (uint32_t)parser->fields[f].raw.size,
                             parser->fields[f].type.physical};
  key->shape =
      fields ? ingest__cache_shape(cache, table, fields, (uint32_t)parser->field_count) : NULL;
  if (!key->shape) return;
  key->shape->serial = cache->serial;
  key->shape->number = number;
}

static int store_line(struct parser *parser, struct str time_text, struct err *err) {
  struct line_context *context = parser->context;
  struct table_rows *rows;
  int64_t time;
  uint64_t series;
  uint32_t number;
  int code = table_piece_rows(context->piece, parser->measurement, &rows, err);
  if (!code) code = ingest__line_time(context, time_text, rows->unit, &time, err);
  if (!code) code = table_rows_series(rows, parser->tags, parser->tag_count, &series, err);
  uint32_t *indexes = ARENA_ARRAY(&context->arena, uint32_t, parser->field_count);
  if (!code && !indexes) code = refused(parser, parser->field_count * 4, err);
  if (!code) code = fold_fields(parser, err);
  for (size_t f = 0; f < parser->field_count && !code; f++)
    code = table_rows_field(rows, parser->fields[f].name, parser->fields[f].type, &indexes[f], err);
  if (!code) code = table_rows_shape(rows, indexes, (uint32_t)parser->field_count, &number, err);
  struct table_row *row =
      code ? NULL : table_rows_append(rows, number, series, time, context->line);
  if (!code && !row) code = refused(parser, parser->field_count * 8, err);
  if (code) return of_line(parser, code, err);
  for (size_t f = 0; f < parser->field_count; f++)
    row->cells[f] = parser->fields[f].cell;
  remember(parser, rows, series, number);
  return ERR_OK;
}

/* Key and fields; *time_text: what is behind them. */
static int read_line(struct parser *parser, struct line_context *context, struct str *time_text,
                     struct err *err) {
  *parser =
      (struct parser){.context = context, .at = context->start, .end = context->end, .plain = true};
  int code = read_key(parser, err);
  if (code) return code;
  while (parser->at < parser->end && (*parser->at == ' ' || *parser->at == '\t'))
    parser->at++;
  code = read_fields(parser, err);
  *time_text = text_trim(str_of(parser->at, (size_t)(parser->end - parser->at)));
  return code;
}

int ingest__line(struct line_context *context, struct err *err) {
  struct parser parser;
  struct str time_text;
  int code = read_line(&parser, context, &time_text, err);
  return code ? code : store_line(&parser, time_text, err);
}

int ingest__line_parts(struct line_context *context, struct ingest_line *line, struct err *err) {
  struct parser parser;
  struct str time_text;
  int code = read_line(&parser, context, &time_text, err);
  if (!code) code = fold_fields(&parser, err);
  if (!code)
    code = ingest__line_time(context, time_text, context->options->precision, &line->time, err);
  if (code) return code;
  line->number = context->line;
  line->measurement = parser.measurement;
  line->tags = parser.tags;
  line->tag_count = parser.tag_count;
  line->fields = parser.fields;
  line->field_count = parser.field_count;
  return ERR_OK;
}
