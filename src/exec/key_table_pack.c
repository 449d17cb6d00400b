/* Keys as packed rows: hashing columns, packing them side by side, and giving columns back. */
#include "base/checksum.h"
#include "exec/key_table_private.h"
#include "exec/key_text.h"

/* ---- layout ---- */

static uint32_t form_size(enum key_form form) {
  return form == KEY_CODE ? 4 : form == KEY_BOOL ? 1 : 8;
}

void key__shape(struct key_table *table) {
  uint32_t at = 0;
  table->has_texts = table->has_floats = false;
  for (uint32_t size = 8; size; size = size == 8 ? 4 : size == 4 ? 1 : 0) {
    for (uint32_t i = 0; i < table->field_count; i++) {
      struct key_field *field = &table->fields[i];
      if (form_size(field->form) != size) continue;
      field->offset = at;
      at += size;
      table->has_texts |= field->form == KEY_TEXT;
      table->has_floats |= field->form == KEY_FLOAT;
    }
  }
  for (uint32_t i = 0; i < table->field_count; i++) {
    table->fields[i].null_byte = at + i / 8;
    table->fields[i].null_bit = (uint8_t)(1u << i % 8);
  }
  at += (table->field_count + 7) / 8;
  table->compared = at ? (at + 7) / 8 * 8 : 8; /* a key of no columns is one word, too */
  at = table->compared;
  for (uint32_t i = 0; i < table->field_count; i++) {
    if (table->fields[i].form != KEY_TEXT) continue;
    table->fields[i].address = at;
    at += 8;
  }
  table->stride = at;
  table->shaped = true;
}

/* ---- hashing ---- */

static uint64_t text_hash(struct str text) { return hash64(text.data, text.size); }

/* The words that strings fold, plain or by code. */
static void text_words(const struct key_field *field, const struct column *column, int64_t from,
                       int64_t count, uint64_t *words) {
  if (!column->dictionary) {
    for (int64_t i = 0; i < count; i++)
      words[i] =
          column_is_valid(column, from + i) ? text_hash(key_text_of(column, from + i)) : HASH_NULL;
    return;
  }
  uint64_t *known = field && field->code_hashes && field->dictionary == column->dictionary
                        ? field->code_hashes
                        : NULL;
  int32_t last_code = -1;
  uint64_t last = 0;
  for (int64_t i = 0; i < count; i++) {
    words[i] = HASH_NULL;
    if (!column_is_valid(column, from + i)) continue;
    int32_t code = column->i32[from + i];
    if (code != last_code) {
      bool cached = known && code < field->code_hash_count; /* dictionaries may grow */
      last = cached ? known[code] : 0;
      if (!last) last = text_hash(key_text_of(column, from + i));
      if (cached) known[code] = last;
      last_code = code;
    }
    words[i] = last;
  }
}

static void fixed_words(const struct column *column, int64_t from, int64_t count, uint64_t *words) {
  if (column->type.physical == PHYSICAL_BOOL) {
    for (int64_t i = 0; i < count; i++)
      words[i] = bit_get(column->bits, from + i);
  } else if (column->type.physical == PHYSICAL_INT32) {
    for (int64_t i = 0; i < count; i++)
      words[i] = (uint64_t)column->i32[from + i];
  } else if (column->type.physical == PHYSICAL_FLOAT64) {
    kernel_hashes()->same_f64(column->f64 + from, (size_t)count, words);
  } else {
    memcpy(words, column->u64 + from, (size_t)count * 8);
  }
  if (!column->null_count) return;
  for (int64_t i = 0; i < count; i++)
    if (!bit_get(column->validity, from + i)) words[i] = HASH_NULL;
}

void key__hash(const struct key_table *table, const struct column *const *columns,
               uint32_t column_count, int64_t from, int64_t count, uint64_t *hashes) {
  const struct kernel_hashes *kernels = kernel_hashes();
  uint64_t words[KEY_VECTOR];
  for (int64_t i = 0; i < count; i++)
    hashes[i] = HASH_START;
  for (uint32_t c = 0; c < column_count; c++) {
    const struct column *column = columns[c];
    bool text = column->dictionary || type_is_string(column->type);
    bool whole = !text && !column->null_count && type_width(column->type) == 8;
    for (int64_t at = 0; at < count; at += KEY_VECTOR) {
      int64_t size = count - at < KEY_VECTOR ? count - at : KEY_VECTOR;
      if (whole && column->type.physical == PHYSICAL_FLOAT64) {
        kernels->fold_f64(column->f64 + from + at, (size_t)size, hashes + at);
        continue;
      }
      if (text)
        text_words(table ? &table->fields[c] : NULL, column, from + at, size, words);
      else if (!whole)
        fixed_words(column, from + at, size, words);
      kernels->fold_u64(whole ? column->u64 + from + at : words, (size_t)size, hashes + at);
    }
  }
}

void exec__key_hash(const struct column *const *columns, uint32_t column_count, int64_t from,
                    int64_t count, uint64_t *hashes) {
  key__hash(NULL, columns, column_count, from, count, hashes);
}

/* ---- packing ---- */

static void pack_text(const struct key_field *field, const struct column *column, int64_t from,
                      int64_t count, uint32_t stride, uint8_t *rows) {
  for (int64_t i = 0; i < count; i++, rows += stride) {
    if (!column_is_valid(column, from + i)) continue;
    struct str text = key_text_of(column, from + i);
    uint64_t word = key__text_word(text);
    memcpy(rows + field->offset, &word, 8);
    memcpy(rows + field->address, &text.data, sizeof text.data);
  }
}

static void pack_words(const uint64_t *words, int64_t count, uint32_t stride, uint8_t *rows) {
  for (int64_t i = 0; i < count; i++, rows += stride)
    memcpy(rows, words + i, 8);
}

static void pack_field(const struct key_table *table, const struct key_field *field,
                       const struct column *column, int64_t from, int64_t count, uint8_t *rows) {
  uint32_t stride = table->stride;
  uint64_t words[KEY_VECTOR];
  uint8_t *at = rows + field->offset;
  switch (field->form) {
  case KEY_TEXT:
    pack_text(field, column, from, count, stride, rows);
    break;
  case KEY_WORD:
    pack_words(column->u64 + from, count, stride, at);
    break;
  case KEY_FLOAT:
    table->kernels->same_f64(column->f64 + from, (size_t)count, words);
    pack_words(words, count, stride, at);
    break;
  case KEY_CODE:
    for (int64_t i = 0; i < count; i++)
      memcpy(at + i * stride, column->i32 + from + i, 4);
    break;
  case KEY_BOOL:
    for (int64_t i = 0; i < count; i++)
      at[i * stride] = bit_get(column->bits, from + i);
    break;
  }
  if (!column->null_count) return;
  for (int64_t i = 0; i < count; i++) {
    if (bit_get(column->validity, from + i)) continue;
    memset(at + i * stride, 0, form_size(field->form));
    rows[i * stride + field->null_byte] |= field->null_bit;
  }
}

void key__pack(const struct key_table *table, const struct column *const *columns, int64_t from,
               int64_t count, uint8_t *rows) {
  memset(rows, 0, (size_t)count * table->stride);
  for (uint32_t i = 0; i < table->field_count; i++)
    pack_field(table, &table->fields[i], columns[i], from, count, rows);
}

bool key__repack(const struct key_table *from, const uint8_t *row, struct key_table *to,
                 uint8_t *packed) {
  for (uint32_t i = 0; i < from->field_count; i++) {
    const struct key_field *old = &from->fields[i], *field = &to->fields[i];
    if (row[old->null_byte] & old->null_bit) {
      packed[field->null_byte] |= field->null_bit;
    } else if (old->form == KEY_CODE && field->form == KEY_TEXT) {
      int32_t code;
      memcpy(&code, row + old->offset, 4);
      struct str text = arena_copy(&to->texts, column_str(old->dictionary, code));
      if (!text.data && column_str(old->dictionary, code).size) return false;
      to->text_bytes += text.size;
      uint64_t word = key__text_word(text);
      memcpy(packed + field->offset, &word, 8);
      memcpy(packed + field->address, &text.data, sizeof text.data);
    } else {
      memcpy(packed + field->offset, row + old->offset, form_size(field->form));
      if (field->form == KEY_TEXT) memcpy(packed + field->address, row + old->address, 8);
    }
  }
  return true;
}

/* ---- comparing one by one ---- */

static struct str text_of(const struct key_field *field, const uint8_t *row) {
  if (field->form == KEY_CODE) {
    int32_t code;
    memcpy(&code, row + field->offset, 4);
    return column_str(field->dictionary, code);
  }
  struct str text = {NULL, (uint32_t)key__load(row, field->offset)};
  memcpy(&text.data, row + field->address, sizeof text.data);
  return text;
}

static bool value_equal(const struct key_field *field, const uint8_t *row,
                        const struct column *column, int64_t at) {
  bool null = row[field->null_byte] & field->null_bit;
  if (null || !column_is_valid(column, at)) return null && !column_is_valid(column, at);
  if (field->form == KEY_TEXT || field->dictionary) {
    return str_equal(text_of(field, row), key_text_of(column, at));
  }
  uint64_t word;
  switch (field->form) {
  case KEY_BOOL:
    return row[field->offset] == bit_get(column->bits, at);
  case KEY_CODE:
    return memcmp(row + field->offset, column->i32 + at, 4) == 0;
  case KEY_FLOAT:
    kernel_hashes()->same_f64(column->f64 + at, 1, &word);
    return word == key__load(row, field->offset);
  default:
    return column->u64[at] == key__load(row, field->offset);
  }
}

uint32_t key__search(const struct key_table *table, const struct column *const *columns,
                     int64_t row, uint64_t hash) {
  size_t mask = ((size_t)1 << table->slot_bits) - 1;
  for (size_t at = hash >> (64 - table->slot_bits); table->slots[at]; at = (at + 1) & mask) {
    if (table->slots[at] >> 32 != (uint32_t)hash) continue;
    uint32_t id = (uint32_t)table->slots[at] - 1;
    bool equal = true;
    for (uint32_t i = 0; i < table->field_count && equal; i++)
      equal =
          value_equal(&table->fields[i], table->rows + (size_t)id * table->stride, columns[i], row);
    if (equal) return id;
  }
  return KEY_NONE;
}

/* ---- giving columns back ---- */

static const uint8_t *row_of(const struct key_table *table, uint32_t id) {
  return table->rows + (size_t)id * table->stride;
}

static void take_texts(const struct key_table *table, const struct key_field *field,
                       const uint32_t *ids, uint32_t count, struct builder *builder) {
  for (uint32_t i = 0; i < count; i++) {
    const uint8_t *row = row_of(table, ids[i]);
    if (row[field->null_byte] & field->null_bit) {
      builder_append_null(builder);
      continue;
    }
    const char *data;
    memcpy(&data, row + field->address, sizeof data);
    uint32_t size = (uint32_t)key__load(row, field->offset);
    if (size) size += key_text_suffix(field->type);
    builder_append_str(builder, (struct str){data, size});
  }
}

/* The value as it first came. */
static uint64_t original(const struct key_table *table, uint32_t id, uint32_t column,
                         uint64_t plain) {
  uint32_t low = 0, high = table->original_count;
  while (low < high) {
    uint32_t middle = low + (high - low) / 2;
    const struct key_original *at = &table->originals[middle];
    if (at->id < id || (at->id == id && at->column < column))
      low = middle + 1;
    else
      high = middle;
  }
  const struct key_original *at = &table->originals[low];
  return low < table->original_count && at->id == id && at->column == column ? at->bits : plain;
}

static void take_fixed(const struct key_table *table, uint32_t index, const uint32_t *ids,
                       uint32_t count, struct builder *builder) {
  const struct key_field *field = &table->fields[index];
  uint64_t words[KEY_VECTOR], validity[KEY_VECTOR / 64] = {0}, bits[KEY_VECTOR / 64] = {0};
  int32_t codes[KEY_VECTOR];
  uint32_t nulls = 0;
  for (uint32_t i = 0; i < count; i++) {
    const uint8_t *row = row_of(table, ids[i]);
    bool null = row[field->null_byte] & field->null_bit;
    nulls += null;
    if (!null) bit_set(validity, i);
    if (field->form == KEY_CODE)
      memcpy(&codes[i], row + field->offset, 4);
    else if (field->form != KEY_BOOL)
      words[i] = key__load(row, field->offset);
    else if (row[field->offset])
      bit_set(bits, i);
    if (field->form == KEY_FLOAT && table->original_count && !null)
      words[i] = original(table, ids[i], index, words[i]);
  }
  struct column column = {.type = builder->type,
                          .null_count = nulls,
                          .length = count,
                          .validity = nulls ? validity : NULL,
                          .values = words};
  if (field->form == KEY_CODE) column.i32 = codes;
  if (field->form == KEY_BOOL) column.bits = bits;
  builder_append_column(builder, &column, 0, count);
}

void exec__key_table_take(const struct key_table *table, const uint32_t *ids, uint32_t count,
                          struct builder *const *builders) {
  for (uint32_t c = 0; c < table->field_count; c++) {
    for (uint32_t at = 0; at < count; at += KEY_VECTOR) {
      uint32_t size = count - at < KEY_VECTOR ? count - at : KEY_VECTOR;
      if (table->fields[c].form == KEY_TEXT)
        take_texts(table, &table->fields[c], ids + at, size, builders[c]);
      else
        take_fixed(table, c, ids + at, size, builders[c]);
    }
  }
}

void exec__key_table_keys(const struct key_table *table, uint32_t from, uint32_t count,
                          struct builder *const *builders) {
  uint32_t ids[KEY_VECTOR];
  for (uint32_t at = 0; at < count; at += KEY_VECTOR) {
    uint32_t size = count - at < KEY_VECTOR ? count - at : KEY_VECTOR;
    for (uint32_t i = 0; i < size; i++)
      ids[i] = from + at + i;
    exec__key_table_take(table, ids, size, builders);
  }
}
