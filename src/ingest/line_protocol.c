/* Line protocol, the fast path: lines that look like earlier lines.
 *
 * Per line: the key is compared with the one that followed last time (else looked up); the fields
 * are read as the shape says (name for name, type for type) straight into the row's cells; the
 * timestamp is read and the row stands. At the first thing that is different the row is taken back
 * and the line goes to the general parser, which knows every form and every error and remembers
 * what it saw. */
#include <string.h>

#include "base/checksum.h"
#include "base/err.h"
#include "base/limits.h"
#include "base/number.h"
#include "ingest/ingest_private.h"

enum { LINE_ARENA = 8192 };

/* Equality of a key that has eight readable bytes behind it with text that may not. */
static inline bool key_equal(const char *text, const char *end, const char *key, uint32_t size) {
  if ((size_t)(end - text) < size) return false;
  if (size < 8) {
    for (uint32_t i = 0; i < size; i++)
      if (text[i] != key[i]) return false;
    return true;
  }
  uint64_t differ = 0;
  for (uint32_t i = 0; i + 8 <= size; i += 8)
    differ |= load_u64(text + i) ^ load_u64(key + i);
  return (differ | (load_u64(text + size - 8) ^ load_u64(key + size - 8))) == 0;
}

/* One value of a known type; NULL: not so. */
static inline const char *read_cell(const char *at, const char *end, uint8_t type,
                                    struct table_piece *piece, uint64_t *cell) {
  switch (type) {
  case PHYSICAL_FLOAT64: {
    double value;
    if (number_parse_f64(&at, end, &value) != NUMBER_OK) return NULL;
    *cell = f64_bits(value);
    return at;
  }
  case PHYSICAL_INT64: {
    int64_t value;
    if (number_parse_i64(&at, end, &value) != NUMBER_OK || at == end || *at != 'i') return NULL;
    *cell = (uint64_t)value;
    return at + 1;
  }
  case PHYSICAL_UINT64:
    if (number_parse_u64(&at, end, cell) != NUMBER_OK || at == end || *at != 'u') return NULL;
    return at + 1;
  case PHYSICAL_STRING: {
    if (at == end || *at != '"') return NULL;
    const char *close = memchr(at + 1, '"', (size_t)(end - at - 1));
    if (!close || close - at > LIMIT_STRING_SIZE_DEFAULT) return NULL;
    unsigned char special = 0; /* escapes and bytes beyond ASCII are the general parser's */
    for (const char *c = at + 1; c < close; c++)
      special |= (unsigned char)((*c & 0x80) | (*c == '\\'));
    struct str *text = special ? NULL : table_piece_alloc(piece, sizeof *text);
    if (!text) return NULL;
    *text = str_of(at + 1, (size_t)(close - at - 1));
    *cell = (uint64_t)(uintptr_t)text;
    return close + 1;
  }
  default:
    return NULL;
  }
}

/* The shape's number in this piece; registers it on first use. */
static bool shape_ready(struct ingest_cache *cache, struct line_shape *shape,
                        struct table_rows *rows, struct arena *arena) {
  if (shape->serial == cache->serial) return true;
  bool known = rows->table && rows->table->id == shape->table_id;
  if (known && table_rows_shape_known(rows, shape->known, shape->count, &shape->number)) {
    shape->serial = cache->serial;
    return true;
  }
  uint32_t *indexes = ARENA_ARRAY(arena, uint32_t, shape->count);
  if (!indexes) return false;
  for (uint32_t f = 0; f < shape->count; f++) {
    struct str name = str_of(shape->fields[f].key, shape->fields[f].key_size - 1);
    if (table_rows_field(rows, name, (struct type){shape->fields[f].type, 0, 0}, &indexes[f], NULL))
      return false;
  }
  if (table_rows_shape(rows, indexes, shape->count, &shape->number, NULL)) return false;
  shape->serial = cache->serial;
  if (rows->table && table_rows_shape_fields(rows, shape->number, shape->known))
    shape->table_id = rows->table->id;
  return true;
}

static struct table_rows *rows_ready(struct ingest_cache *cache, struct cached_table *table,
                                     struct table_piece *piece) {
  if (table->serial == cache->serial) return table->rows;
  struct table_rows *rows =
      table->table ? table_piece_rows_known(piece, table->table, table->hash) : NULL;
  if (!rows) {
    if (table_piece_rows(piece, table->name, &rows, NULL)) return NULL;
    catalog_table_release(table->table);
    table->table = rows->table;
    if (table->table) catalog_table_retain(table->table);
  }
  table->rows = rows;
  table->serial = cache->serial;
  return rows;
}

/* The key that begins at `at`, known from earlier lines; NULL: not known. */
static inline struct cached_key *known_key(struct ingest_cache *cache, const char *at,
                                           const char *end) {
  struct cached_key *guess = cache->last ? cache->last->after : NULL;
  if (guess && (size_t)(end - at) > guess->size && at[guess->size] == ' ' &&
      memcmp(at, guess->bytes, guess->size) == 0) {
    cache->last = guess;
    cache->hits++;
    return guess;
  }
  const char *key_end = ingest__key_end(at, end);
  size_t size = (size_t)(key_end - at);
  struct cached_key *key = ingest__cache_find(cache, str_of(at, size), hash64(at, size));
  if (key && cache->last) cache->last->after = key;
  if (key) cache->last = key;
  return key;
}

/* Reads the line as its key's shape says. False: nothing was appended, the general parser's turn.
 */
static bool fast_line(struct line_context *context, struct cached_key *key) {
  struct ingest_cache *cache = context->cache;
  struct line_shape *shape = key->shape;
  struct table_rows *rows = shape ? rows_ready(cache, key->table, context->piece) : NULL;
  if (!rows || (rows->table ? rows->table->id : 0) != key->table_id ||
      (key->serial && key->serial != cache->serial) ||
      !shape_ready(cache, shape, rows, &context->arena))
    return false;
  struct table_row *row = table_rows_append(rows, shape->number, key->series, 0, context->line);
  if (!row) return false;
  const char *at = context->start + key->size + 1, *end = context->end;
  for (uint32_t f = 0; f < shape->count; f++) {
    const struct shape_field *field = &shape->fields[f];
    if (!key_equal(at, end, field->key, field->key_size)) goto different;
    at = read_cell(at + field->key_size, end, field->type, context->piece, &row->cells[f]);
    if (!at) goto different;
    bool last = f + 1 == shape->count;
    if (at == end ? !last : *at != (last ? ' ' : ',')) goto different;
    if (at < end) at++;
  }
  int64_t time;
  const char *digits = at;
  if (at < end && rows->unit == context->options->precision &&
      context->options->precision_factor <= 1 &&
      number_parse_i64(&digits, end, &time) == NUMBER_OK && digits == end && time > INT64_MIN + 1 &&
      time < INT64_MAX) {
    row->time = time;
    return true;
  }
  while (end > at && (end[-1] == ' ' || end[-1] == '\t'))
    end--;
  while (at < end && (*at == ' ' || *at == '\t'))
    at++;
  if (ingest__line_time(context, str_of(at, (size_t)(end - at)), rows->unit, &row->time, NULL) ==
      ERR_OK)
    return true;
different:
  table_rows_undo(rows);
  return false;
}

static int one_line(struct line_context *context, struct err *err) {
  struct cached_key *key = known_key(context->cache, context->start, context->end);
  if (key && fast_line(context, key)) return ERR_OK;
  arena_reset(&context->arena);
  struct err fault;
  err_reset(&fault);
  int code = ingest__line(context, &fault);
  if (!code) return ERR_OK;
  if (!ingest__is_own_fault(code)) {
    if (err) *err = fault;
    return code;
  }
  table_piece_reject(context->piece, context->line, &fault);
  return ERR_OK;
}

int ingest_line_protocol(struct table_piece *piece, struct ingest_cache *cache, struct str text,
                         const struct ingest_options *options, uint32_t *lines, struct err *err) {
  ingest__cache_begin(cache, piece);
  struct line_context context = {.piece = piece, .cache = cache, .options = options};
  /* Not the cache's account: a cache that is full must not refuse lines. */
  arena_init(&context.arena, table_engine_account(table_piece_engine(piece)), LINE_ARENA);
  const char *at = text.data, *end = text.data + text.size;
  uint32_t line_max = options->line_bytes_max ? options->line_bytes_max : (uint32_t)LIMIT_LINE_SIZE;
  int code = ERR_OK;
  *lines = 0;
  while (at < end && !code) {
    const char *line_end = ingest__line_end(at, end), *next = line_end < end ? line_end + 1 : end;
    context.line = *lines + 1;
    /* A quoted string may hold line ends: they count, so that the lines of errors are those of an
     * editor. */
    for (const char *c = at; (c = memchr(c, '\n', (size_t)(next - c))); c++)
      ++*lines;
    if (line_end == end) ++*lines;
    while (line_end > at && line_end[-1] == '\r')
      line_end--;
    while (at < line_end && (*at == ' ' || *at == '\t'))
      at++;
    context.start = at;
    context.end = line_end;
    if (at < line_end && *at != '#') {
      if ((size_t)(line_end - at) > line_max) {
        struct err fault;
        err_set(&fault, ERR_LIMIT_EXCEEDED, "a line of %zu bytes is longer than %u",
                (size_t)(line_end - at), line_max);
        err_position(&fault, (int32_t)context.line, 1, -1);
        table_piece_reject(piece, context.line, &fault);
      } else {
        code = one_line(&context, err);
      }
    }
    at = next;
  }
  arena_deinit(&context.arena);
  return code;
}
