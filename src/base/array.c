/* Arrays, stored: the number of items (4 bytes), whether there are nulls (4 bytes), a bit per item
 * where there are, the items (words, or the ends of their bytes, then the bytes). */
#include "base/array.h"

#include "base/bytes.h"
#include "base/err.h"
#include "base/text.h"

enum { HEADER = 8, END_SIZE = 4 };

static size_t null_bytes(uint32_t count, bool any) { return any ? (count + 7) / 8 : 0; }

bool array_open(struct str stored, enum array_items items, struct array *array) {
  *array = (struct array){.items = items};
  if (stored.size < HEADER) return false;
  uint32_t count = load_u32(stored.data), flags = load_u32(stored.data + 4);
  if (count > ARRAY_COUNT_MAX || flags > 1) return false;
  size_t width = items == ARRAY_WORDS ? 8 : END_SIZE, nulls = null_bytes(count, flags);
  size_t fixed = HEADER + nulls + count * width;
  if (stored.size < fixed) return false;
  array->count = count;
  array->nulls = flags ? (const uint8_t *)stored.data + HEADER : NULL;
  array->words = (const uint8_t *)stored.data + HEADER + nulls;
  array->bytes = stored.data + fixed;
  size_t rest = stored.size - fixed;
  if (items == ARRAY_WORDS) return rest == 0;
  uint32_t before = 0;
  for (uint32_t i = 0; i < count; i++) {
    uint32_t end = load_u32(array->words + (size_t)i * END_SIZE);
    if (end < before || end > rest) return false;
    before = end;
  }
  return before == rest;
}

uint64_t array_word(const struct array *array, uint32_t i) {
  return load_u64(array->words + (size_t)i * 8);
}

struct str array_bytes(const struct array *array, uint32_t i) {
  uint32_t from = i ? load_u32(array->words + (size_t)(i - 1) * END_SIZE) : 0;
  return str_of(array->bytes + from, load_u32(array->words + (size_t)i * END_SIZE) - from);
}

/* ---- making ---- */

void array_builder_init(struct array_builder *builder, enum array_items items,
                        struct mem_account *account) {
  *builder = (struct array_builder){.items = items};
  buffer_init(&builder->nulls, account);
  buffer_init(&builder->words, account);
  buffer_init(&builder->bytes, account);
}

void array_builder_deinit(struct array_builder *builder) {
  buffer_deinit(&builder->nulls);
  buffer_deinit(&builder->words);
  buffer_deinit(&builder->bytes);
}

static void begin_item(struct array_builder *builder, bool null) {
  if (builder->count % 8 == 0) buffer_append_byte(&builder->nulls, 0);
  if (null && !builder->nulls.failed)
    builder->nulls.data[builder->count >> 3] |= (uint8_t)(1u << (builder->count & 7));
  builder->any_null |= null;
  builder->count++;
  if (builder->count > ARRAY_COUNT_MAX || builder->bytes.size > INT32_MAX) builder->too_many = true;
}

static void add_end(struct array_builder *builder) {
  buffer_append_u32(&builder->words, (uint32_t)builder->bytes.size);
}

void array_add_null(struct array_builder *builder) {
  begin_item(builder, true);
  if (builder->items == ARRAY_WORDS)
    buffer_append_u64(&builder->words, 0);
  else
    add_end(builder);
}

void array_add_word(struct array_builder *builder, uint64_t word) {
  begin_item(builder, false);
  buffer_append_u64(&builder->words, word);
}

void array_add_bytes(struct array_builder *builder, struct str bytes) {
  if (builder->bytes.size + bytes.size > INT32_MAX) {
    builder->too_many = true;
    bytes.size = 0;
  }
  begin_item(builder, false);
  buffer_append_str(&builder->bytes, bytes);
  add_end(builder);
}

int array_finish(const struct array_builder *builder, struct buffer *out, struct err *err) {
  if (builder->too_many)
    return err_set(err, ERR_LIMIT_EXCEEDED, "array size exceeds the maximum allowed (%d)",
                   ARRAY_COUNT_MAX);
  int code = buffer_check(&builder->nulls, err);
  if (!code) code = buffer_check(&builder->words, err);
  if (!code) code = buffer_check(&builder->bytes, err);
  if (code) return code;
  buffer_append_u32(out, builder->count);
  buffer_append_u32(out, builder->any_null);
  if (builder->any_null) buffer_append_str(out, buffer_str(&builder->nulls));
  buffer_append_str(out, buffer_str(&builder->words));
  buffer_append_str(out, buffer_str(&builder->bytes));
  return buffer_check(out, err);
}

/* ---- text ---- */

void array_text_init(struct array_text *reader, struct str text) {
  struct str trimmed = text_trim(text);
  *reader =
      (struct array_text){.text = text, .at = trimmed.data, .end = trimmed.data + trimmed.size};
}

static int malformed(const struct array_text *reader, const char *why, struct err *err) {
  struct str text = text_cut(reader->text, 120);
  err_set(err, ERR_INVALID_TEXT, "malformed array literal: \"%.*s\"", STR_ARG(text));
  err_detail(err, "%s", why);
  return ERR_INVALID_TEXT;
}

static void skip_blanks(struct array_text *reader) {
  while (reader->at < reader->end && text_is_blank(*reader->at))
    reader->at++;
}

/* Between quotes; the first one is behind us. */
static int read_quoted(struct array_text *reader, struct buffer *unescaped, struct err *err) {
  for (; reader->at < reader->end && *reader->at != '"'; reader->at++) {
    if (*reader->at == '\\' && ++reader->at == reader->end) break;
    buffer_append_byte(unescaped, (uint8_t)*reader->at);
  }
  if (reader->at == reader->end) return malformed(reader, "Unexpected end of input.", err);
  reader->at++;
  return buffer_check(unescaped, err);
}

/* Up to a comma or brace, without the blanks at its end. */
static int read_plain(struct array_text *reader, struct buffer *unescaped, bool *null,
                      struct err *err) {
  size_t kept = 0;
  bool escaped = false;
  for (; reader->at < reader->end && *reader->at != ',' && *reader->at != '}'; reader->at++) {
    char c = *reader->at;
    if (c == '{') {
      err_set(err, ERR_UNSUPPORTED, "arrays of more than one dimension are not supported");
      return ERR_UNSUPPORTED;
    }
    if (c == '"') return malformed(reader, "Incorrectly quoted array element.", err);
    if (c == '\\') {
      if (++reader->at == reader->end) break;
      escaped = true;
    }
    buffer_append_byte(unescaped, (uint8_t)*reader->at);
    if (c == '\\' || !text_is_blank(c)) kept = unescaped->size;
  }
  if (reader->at == reader->end) return malformed(reader, "Unexpected end of input.", err);
  int code = buffer_check(unescaped, err);
  if (code) return code;
  if (kept == 0)
    return malformed(
        reader, *reader->at == ',' ? "Unexpected \",\" character." : "Unexpected \"}\" character.",
        err);
  unescaped->size = kept;
  *null = !escaped && str_equal_ignoring_case(buffer_str(unescaped), STR("null"));
  return ERR_OK;
}

int array_text_next(struct array_text *reader, struct buffer *unescaped,
                    struct array_text_item *item, bool *over, struct err *err) {
  buffer_reset(unescaped);
  *item = (struct array_text_item){.null = false};
  *over = false;
  skip_blanks(reader);
  if (!reader->begun) {
    if (reader->at == reader->end || *reader->at != '{')
      return malformed(reader, "Array value must start with \"{\".", err);
    reader->at++;
    skip_blanks(reader);
  }
  if (reader->at == reader->end) return malformed(reader, "Unexpected end of input.", err);
  if (*reader->at == '}') {
    reader->at++;
    *over = true;
    return reader->at == reader->end ? ERR_OK
                                     : malformed(reader, "Junk after closing right brace.", err);
  }
  if (reader->begun) { /* read_… stops at a comma or brace */
    reader->at++;
    skip_blanks(reader);
  }
  reader->begun = true;
  int code;
  if (reader->at < reader->end && *reader->at == '"') {
    reader->at++;
    code = read_quoted(reader, unescaped, err);
    if (code) return code;
    skip_blanks(reader);
    if (reader->at < reader->end && *reader->at != ',' && *reader->at != '}')
      code = malformed(reader, "Incorrectly quoted array element.", err);
  } else {
    code = read_plain(reader, unescaped, &item->null, err);
  }
  item->text = buffer_str(unescaped);
  return code;
}

void array_print_item(struct str text, struct buffer *out) {
  bool quotes = text.size == 0 || str_equal_ignoring_case(text, STR("null"));
  for (size_t i = 0; i < text.size && !quotes; i++)
    quotes = text_is_blank(text.data[i]) || memchr("{},\"\\", text.data[i], 5) != NULL;
  if (!quotes) {
    buffer_append_str(out, text);
    return;
  }
  buffer_append_byte(out, '"');
  for (size_t i = 0; i < text.size; i++) {
    if (text.data[i] == '"' || text.data[i] == '\\') buffer_append_byte(out, '\\');
    buffer_append_byte(out, (uint8_t)text.data[i]);
  }
  buffer_append_byte(out, '"');
}
