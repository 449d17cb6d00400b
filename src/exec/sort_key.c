/* Making keys: column by column over vectors, so that a column's kind is looked at once for many
 * rows. Keys of at most eight bytes never become bytes: they are put together in a register. */
#include "exec/sort_key.h"

#include <math.h>

#include "base/bytes.h"
#include "base/err.h"
#include "exec/key_text.h"
#include "kernel/sort.h"

enum { VECTOR = 1024, TERMINATOR_SIZE = 2, WORD = 8 };

/* ---- layout ---- */

/* Bytes of a value in a key; 0: they vary. */
static uint32_t value_width(struct type type) {
  return type_is_string(type) ? 0 : type.physical == PHYSICAL_BOOL ? 1 : type_width(type);
}

static void count_width(struct sort_key_layout *layout) {
  uint64_t width = 0;
  for (uint32_t i = 0; i < layout->key_count; i++) {
    uint32_t value = value_width(layout->types[i]);
    if (value == 0) {
      layout->width = 0;
      return;
    }
    width += value + layout->nullable[i];
  }
  layout->width = (uint32_t)width;
}

int exec__sort_key_layout(struct arena *arena, const struct plan_sort_key *keys, uint32_t key_count,
                          const struct plan_schema *schema, struct sort_key_layout *layout,
                          struct err *err) {
  struct type *types = ARENA_ARRAY(arena, struct type, key_count + 1);
  bool *nullable = ARENA_ARRAY(arena, bool, key_count + 1);
  if (!types || !nullable) return mem_refused(arena->account, key_count * sizeof *types, err);
  for (uint32_t i = 0; i < key_count; i++) {
    types[i] = schema->columns[keys[i].column].type;
    nullable[i] = true;
  }
  *layout = (struct sort_key_layout){
      .keys = keys, .key_count = key_count, .types = types, .nullable = nullable};
  count_width(layout);
  return ERR_OK;
}

void exec__sort_key_nullable(struct sort_key_layout *layout, uint32_t i, bool nullable) {
  layout->nullable[i] = nullable;
  count_width(layout);
}

/* ---- values of fixed width ---- */

static uint64_t float_key(double value) {
  return sort_key_f64(isnan(value) ? (double)NAN : value + 0.0); /* -0.0 + 0.0 is 0.0 */
}

/* Values of rows as numbers that order as the column asks, in the low bytes. */
static void value_words(const struct column *column, struct type type, bool descending,
                        int64_t from, int64_t count, uint64_t *words) {
  switch (type.physical) {
  case PHYSICAL_INT64:
    for (int64_t i = 0; i < count; i++)
      words[i] = sort_key_i64(column->i64[from + i]);
    break;
  case PHYSICAL_FLOAT64:
    for (int64_t i = 0; i < count; i++)
      words[i] = float_key(column->f64[from + i]);
    break;
  case PHYSICAL_BOOL:
    for (int64_t i = 0; i < count; i++)
      words[i] = bit_get(column->bits, from + i);
    break;
  case PHYSICAL_INT32:
    for (int64_t i = 0; i < count; i++)
      words[i] = (uint32_t)column->i32[from + i] ^ UINT32_C(1) << 31;
    break;
  default:
    for (int64_t i = 0; i < count; i++)
      words[i] = column->u64[from + i];
    break;
  }
  uint64_t mask = ~UINT64_C(0) >> (64 - 8 * value_width(type));
  if (descending)
    for (int64_t i = 0; i < count; i++)
      words[i] = ~words[i] & mask;
  if (column->validity)
    for (int64_t i = 0; i < count; i++)
      words[i] &= (uint64_t)0 - (uint64_t)bit_get(column->validity, from + i);
}

/* The byte for nulls of row `row`. */
static inline uint8_t null_byte(const struct column *column, int64_t row, bool nulls_first) {
  return (uint8_t)(column_is_valid(column, row) == nulls_first);
}

static void put_word(uint8_t *at, uint64_t word, uint32_t width) {
  if (width == WORD)
    store_u64(at, __builtin_bswap64(word));
  else if (width == 4)
    store_u32(at, __builtin_bswap32((uint32_t)word));
  else
    *at = (uint8_t)word;
}

/* Where the next bytes of rows go: at positions of their own, or at equal distances. */
struct writer {
  uint8_t *bytes;
  uint64_t *positions; /* NULL: fixed width */
  uint64_t offset, stride;
};
static inline uint8_t *writer_at(struct writer *writer, int64_t row, uint64_t size) {
  if (!writer->positions) return writer->bytes + writer->offset + (uint64_t)row * writer->stride;
  uint8_t *at = writer->bytes + writer->positions[row];
  writer->positions[row] += size;
  return at;
}

static void write_nulls(struct writer *writer, const struct column *column, bool nulls_first,
                        int64_t from, int64_t count) {
  for (int64_t i = 0; i < count; i++)
    *writer_at(writer, i, 1) = null_byte(column, from + i, nulls_first);
  writer->offset++;
}

static void write_fixed(struct writer *writer, const struct column *column, struct type type,
                        bool descending, int64_t from, int64_t count) {
  uint64_t words[VECTOR];
  uint32_t width = value_width(type);
  for (int64_t at = 0; at < count; at += VECTOR) {
    int64_t part = count - at < VECTOR ? count - at : VECTOR;
    value_words(column, type, descending, from + at, part, words);
    for (int64_t i = 0; i < part; i++)
      put_word(writer_at(writer, at + i, width), words[i], width);
  }
  writer->offset += width;
}

/* ---- strings ---- */

static inline struct str text_of(const struct column *column, int64_t row) {
  if (!column_is_valid(column, row)) return (struct str){"", 0};
  return key_text_of(column, row);
}

static uint64_t escaped_size(struct str text) {
  uint64_t size = text.size + TERMINATOR_SIZE;
  if (text.size == 0) return size;
  const char *end = text.data + text.size;
  for (const char *at = text.data; (at = memchr(at, 0, (size_t)(end - at))) != NULL; at++)
    size++;
  return size;
}

static void write_text(uint8_t *out, struct str text, uint64_t size, bool descending) {
  uint8_t *at = out;
  if (size == text.size + TERMINATOR_SIZE) {
    if (text.size) memcpy(at, text.data, text.size);
    at += text.size;
  } else {
    for (size_t i = 0; i < text.size; i++) {
      *at++ = (uint8_t)text.data[i];
      if (text.data[i] == 0) *at++ = 0xff;
    }
  }
  at[0] = at[1] = 0;
  if (descending)
    for (uint64_t i = 0; i < size; i++)
      out[i] = (uint8_t)~out[i];
}

static void write_strings(struct writer *writer, const struct column *column, bool descending,
                          int64_t from, int64_t count) {
  for (int64_t i = 0; i < count; i++) {
    struct str text = text_of(column, from + i);
    uint64_t size = escaped_size(text);
    write_text(writer_at(writer, i, size), text, size, descending);
  }
}

/* ---- keys ---- */

static const struct column *key_column(const struct sort_key_layout *layout,
                                       const struct column *columns, uint32_t i) {
  return &columns[layout->keys[i].column];
}

/* Keys of at most eight bytes. */
static void make_prefixes(const struct sort_key_layout *layout, const struct column *columns,
                          int64_t from, int64_t count, uint64_t *prefixes) {
  uint64_t words[VECTOR];
  for (int64_t at = 0; at < count; at += VECTOR) {
    int64_t part = count - at < VECTOR ? count - at : VECTOR;
    uint64_t *out = prefixes + at;
    uint32_t used = 0;
    for (int64_t i = 0; i < part; i++)
      out[i] = 0;
    for (uint32_t k = 0; k < layout->key_count; k++) {
      const struct column *column = key_column(layout, columns, k);
      const struct plan_sort_key *key = &layout->keys[k];
      if (layout->nullable[k]) {
        unsigned shift = 56 - 8 * used++;
        for (int64_t i = 0; i < part; i++)
          out[i] |= (uint64_t)null_byte(column, from + at + i, key->nulls_first) << shift;
      }
      used += value_width(layout->types[k]);
      unsigned shift = 64 - 8 * used;
      value_words(column, layout->types[k], key->descending, from + at, part, words);
      for (int64_t i = 0; i < part; i++)
        out[i] |= words[i] << shift;
    }
  }
}

/* Sizes of varying keys as offsets; returns all bytes. */
static uint64_t measure_keys(const struct sort_key_layout *layout, const struct column *columns,
                             int64_t from, int64_t count, uint64_t *offsets) {
  uint64_t fixed = 0, total = 0;
  for (int64_t i = 0; i <= count; i++)
    offsets[i] = 0;
  for (uint32_t k = 0; k < layout->key_count; k++) {
    fixed += value_width(layout->types[k]) + layout->nullable[k];
    if (value_width(layout->types[k])) continue;
    const struct column *column = key_column(layout, columns, k);
    for (int64_t i = 0; i < count; i++)
      offsets[i] += escaped_size(text_of(column, from + i));
  }
  for (int64_t i = 0; i < count; i++) {
    uint64_t size = offsets[i] + fixed;
    offsets[i] = total;
    total += size;
  }
  offsets[count] = total;
  return total;
}

static void write_keys(const struct sort_key_layout *layout, const struct column *columns,
                       int64_t from, int64_t count, struct writer *writer) {
  for (uint32_t k = 0; k < layout->key_count; k++) {
    const struct column *column = key_column(layout, columns, k);
    const struct plan_sort_key *key = &layout->keys[k];
    if (layout->nullable[k]) write_nulls(writer, column, key->nulls_first, from, count);
    if (value_width(layout->types[k]))
      write_fixed(writer, column, layout->types[k], key->descending, from, count);
    else
      write_strings(writer, column, key->descending, from, count);
  }
}

int exec__sort_keys_make(const struct sort_key_layout *layout, const struct column *columns,
                         int64_t from, int64_t count, struct arena *arena, struct sort_keys *keys,
                         struct err *err) {
  size_t words = (size_t)count * sizeof(uint64_t);
  *keys = (struct sort_keys){.width = layout->width, .count = count};
  keys->prefixes = arena_alloc(arena, words);
  if (!keys->prefixes) return mem_refused(arena->account, words, err);
  if (layout->key_count == 0 || (layout->width && layout->width <= WORD)) {
    make_prefixes(layout, columns, from, count, keys->prefixes);
    return ERR_OK;
  }
  uint64_t size = (uint64_t)count * layout->width;
  struct writer writer = {.stride = layout->width};
  if (layout->width == 0) {
    uint64_t *offsets = arena_alloc(arena, words + sizeof *offsets);
    writer.positions = keys->prefixes; /* they are made from the bytes, last */
    if (!offsets) return mem_refused(arena->account, words, err);
    size = measure_keys(layout, columns, from, count, offsets);
    for (int64_t i = 0; i < count; i++)
      writer.positions[i] = offsets[i];
    keys->offsets = offsets;
  }
  writer.bytes = arena_alloc(arena, size + WORD); /* words may be loaded at the last byte */
  if (!writer.bytes) return mem_refused(arena->account, size, err);
  keys->bytes = writer.bytes;
  write_keys(layout, columns, from, count, &writer);
  memset(writer.bytes + size, 0, WORD);
  for (int64_t i = 0; i < count; i++)
    keys->prefixes[i] = exec__sort_keys_word(keys, i, 0);
  return ERR_OK;
}

uint64_t exec__sort_keys_word(const struct sort_keys *keys, int64_t i, uint64_t depth) {
  uint64_t size = exec__sort_keys_size(keys, i);
  if (depth >= size) return 0;
  if (!keys->bytes) return keys->prefixes[i] << 8 * depth;
  uint64_t start = keys->offsets ? keys->offsets[i] : (uint64_t)i * keys->width;
  uint64_t word = load_u64_be(keys->bytes + start + depth), left = size - depth;
  return left >= WORD ? word : word >> (64 - 8 * left) << (64 - 8 * left);
}

int exec__sort_keys_compare(const struct sort_keys *left, int64_t a, const struct sort_keys *right,
                            int64_t b) {
  if (left->prefixes[a] != right->prefixes[b])
    return left->prefixes[a] < right->prefixes[b] ? -1 : 1;
  if (!left->bytes) return 0;
  uint64_t x = exec__sort_keys_size(left, a), y = exec__sort_keys_size(right, b);
  const uint8_t *p = left->bytes + (left->offsets ? left->offsets[a] : (uint64_t)a * left->width);
  const uint8_t *q =
      right->bytes + (right->offsets ? right->offsets[b] : (uint64_t)b * right->width);
  int order = memcmp(p, q, x < y ? x : y);
  return order ? order : (x > y) - (x < y);
}
