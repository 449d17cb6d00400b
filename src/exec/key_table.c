/* The table itself: slots probed one after another, from the place that the upper bits of the hash
 * name.
 *
 * A slot holds half of the hash and the id: a probe that meets another combination nearly always
 * ends at the slot. Rows that meet their half of the hash compare packed words, then strings. For a
 * large table the slots of a whole vector, and then the rows that they name, are asked for before
 * the first is looked at, so that waiting for memory overlaps.
 *
 * Invariant: at most five of eight slots are used. */
#include "base/err.h"
#include "exec/key_table_private.h"
#include "exec/key_text.h"

enum { CAPACITY_MIN = 64, SLOT_BITS_MIN = 6, PREFETCH_BITS = 14 };

int exec__key_table_create(struct exec *exec, const struct type *types, uint32_t column_count,
                           struct key_table **out, struct err *err) {
  struct mem_account *account = exec->options.account;
  if (column_count > KEY_COLUMNS_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "a key of %u columns; %d are the most", column_count,
                   KEY_COLUMNS_MAX);
  struct key_table *table = mem_alloc_zero(account, sizeof *table);
  if (!table) return mem_refused(account, sizeof *table, err);
  *table = (struct key_table){
      .exec = exec, .account = account, .kernels = kernel_hashes(), .field_count = column_count};
  arena_init(&table->texts, account, 1024);
  size_t size = column_count * sizeof *table->fields;
  if (column_count) table->fields = mem_alloc_zero(account, size);
  if (column_count && !table->fields) {
    mem_free(account, table, sizeof *table);
    return mem_refused(account, size, err);
  }
  for (uint32_t i = 0; i < column_count; i++)
    table->fields[i].type = types[i];
  *out = table;
  return ERR_OK;
}

static void drop_code_hashes(struct key_table *table) {
  for (uint32_t i = 0; i < table->field_count; i++) {
    struct key_field *field = &table->fields[i];
    mem_free(table->account, field->code_hashes,
             (size_t)field->code_hash_count * sizeof *field->code_hashes);
    field->code_hashes = NULL;
    field->code_hash_count = 0;
  }
}

static size_t slots_size(const struct key_table *table) {
  return table->slots ? sizeof(uint64_t) << table->slot_bits : 0;
}

static void drop_rows(struct key_table *table) {
  mem_free(table->account, table->slots, slots_size(table));
  mem_free(table->account, table->rows, (size_t)table->row_capacity * table->stride);
  mem_free(table->account, table->hashes, (size_t)table->hash_capacity * sizeof *table->hashes);
  mem_free(table->account, table->originals, table->original_capacity * sizeof *table->originals);
  table->slots = NULL;
  table->rows = NULL;
  table->hashes = NULL;
  table->originals = NULL;
  table->count = table->row_capacity = table->hash_capacity = 0;
  table->original_count = table->original_capacity = 0;
}

void exec__key_table_destroy(struct key_table *table) {
  if (!table) return;
  drop_rows(table);
  drop_code_hashes(table);
  arena_deinit(&table->texts);
  mem_free(table->account, table->fields, table->field_count * sizeof *table->fields);
  mem_free(table->account, table, sizeof *table);
}

void exec__key_table_reset(struct key_table *table) {
  drop_rows(table);
  arena_reset(&table->texts);
  table->text_bytes = 0;
}

uint32_t exec__key_table_count(const struct key_table *table) { return table->count; }

uint64_t exec__key_table_bytes(const struct key_table *table) {
  uint64_t bytes = slots_size(table) + table->text_bytes;
  bytes += (uint64_t)table->row_capacity * table->stride;
  bytes += (uint64_t)table->hash_capacity * sizeof *table->hashes;
  for (uint32_t i = 0; i < table->field_count; i++)
    bytes += (uint64_t)table->fields[i].code_hash_count * 8;
  return bytes + table->original_capacity * sizeof *table->originals;
}

const uint64_t *exec__key_table_hashes(const struct key_table *table) { return table->hashes; }

const struct column *exec__key_table_dictionary(const struct key_table *table, uint32_t i) {
  return table->fields[i].dictionary;
}

/* ---- growing ---- */

static size_t slot_of(const struct key_table *table, uint64_t hash) {
  return (size_t)(hash >> (64 - table->slot_bits));
}

static bool grow_slots(struct key_table *table) {
  uint32_t bits = table->slots ? table->slot_bits + 1 : SLOT_BITS_MIN;
  uint64_t *slots = mem_alloc_zero(table->account, sizeof *slots << bits);
  if (!slots) return false;
  mem_free(table->account, table->slots, slots_size(table));
  table->slots = slots;
  table->slot_bits = bits;
  size_t mask = ((size_t)1 << bits) - 1;
  for (uint32_t id = 0; id < table->count; id++) {
    size_t at = slot_of(table, table->hashes[id]);
    while (slots[at])
      at = (at + 1) & mask;
    slots[at] = table->hashes[id] << 32 | (id + 1);
  }
  return true;
}

static bool grow_array(struct key_table *table, void **array, uint32_t *capacity, size_t size) {
  uint64_t wanted = *capacity ? (uint64_t)*capacity * 2 : CAPACITY_MIN;
  if (wanted > KEY_NONE) wanted = KEY_NONE;
  void *grown = mem_resize(table->account, *array, *capacity * size, wanted * size);
  if (!grown) return false;
  *array = grown;
  *capacity = (uint32_t)wanted;
  return true;
}

/* Room for one more combination. Each part grows by itself: one that did is no harm to the others.
 */
static bool make_room(struct key_table *table) {
  void *rows = table->rows, *hashes = table->hashes;
  bool made = table->count < table->row_capacity ||
              grow_array(table, &rows, &table->row_capacity, table->stride);
  table->rows = rows;
  if (made && table->count == table->hash_capacity)
    made = grow_array(table, &hashes, &table->hash_capacity, sizeof *table->hashes);
  table->hashes = hashes;
  bool full = !table->slots || (uint64_t)table->count * 8 >= (UINT64_C(5) << table->slot_bits);
  return made && (!full || grow_slots(table));
}

/* ---- adding ---- */

/* Takes the strings of a packed row over. */
static bool keep_texts(struct key_table *table, uint8_t *row) {
  for (uint32_t i = 0; i < table->field_count; i++) {
    const struct key_field *field = &table->fields[i];
    if (field->form != KEY_TEXT) continue;
    struct str text = {NULL, (uint32_t)key__load(row, field->offset)};
    if (text.size == 0) continue;
    text.size += key_text_suffix(field->type);
    memcpy(&text.data, row + field->address, sizeof text.data);
    struct str copy = arena_copy(&table->texts, text);
    if (!copy.data) return false;
    memcpy(row + field->address, &copy.data, sizeof copy.data);
    table->text_bytes += text.size;
  }
  return true;
}

/* Remembers floats that are not in their plain form. */
static bool keep_originals(struct key_table *table, const struct column *const *columns,
                           int64_t row, const uint8_t *packed) {
  for (uint32_t i = 0; i < table->field_count; i++) {
    const struct key_field *field = &table->fields[i];
    if (field->form != KEY_FLOAT || !column_is_valid(columns[i], row)) continue;
    uint64_t bits = columns[i]->u64[row];
    if (bits == key__load(packed, field->offset)) continue;
    if (table->original_count == table->original_capacity) {
      void *originals = table->originals;
      if (!grow_array(table, &originals, &table->original_capacity, sizeof *table->originals))
        return false;
      table->originals = originals;
    }
    table->originals[table->original_count++] = (struct key_original){table->count, i, bits};
  }
  return true;
}

/* A new combination; false when memory is refused. */
static bool insert(struct key_table *table, const struct column *const *columns, int64_t row,
                   uint8_t *packed, uint64_t hash) {
  uint32_t originals = table->original_count;
  if (table->count + 1 >= KEY_NONE || !make_room(table)) return false;
  if (table->has_texts && !keep_texts(table, packed)) return false;
  if (table->has_floats && !keep_originals(table, columns, row, packed)) {
    table->original_count = originals;
    return false;
  }
  uint32_t id = table->count;
  memcpy(table->rows + (size_t)id * table->stride, packed, table->stride);
  table->hashes[id] = hash;
  size_t mask = ((size_t)1 << table->slot_bits) - 1, at = slot_of(table, hash);
  while (table->slots[at])
    at = (at + 1) & mask;
  table->slots[at] = hash << 32 | (id + 1);
  table->count++;
  return true;
}

static bool texts_equal(const struct key_table *table, const uint8_t *a, const uint8_t *b) {
  for (uint32_t i = 0; i < table->field_count; i++) {
    const struct key_field *field = &table->fields[i];
    if (field->form != KEY_TEXT) continue;
    uint32_t size = (uint32_t)key__load(a, field->offset);
    const char *x, *y;
    memcpy(&x, a + field->address, sizeof x);
    memcpy(&y, b + field->address, sizeof y);
    if (size > 4 && memcmp(x + 4, y + 4, size - 4) != 0) return false;
  }
  return true;
}

static inline bool rows_equal(const struct key_table *table, const uint8_t *a, const uint8_t *b) {
  uint64_t differ = key__load(a, 0) ^ key__load(b, 0);
  for (uint32_t at = 8; at < table->compared; at += 8)
    differ |= key__load(a, at) ^ key__load(b, at);
  return differ == 0 && (!table->has_texts || texts_equal(table, a, b));
}

/* The id of a packed row, KEY_NONE: not there. */
static inline uint32_t probe(const struct key_table *table, const uint8_t *row, uint64_t hash) {
  size_t mask = ((size_t)1 << table->slot_bits) - 1;
  for (size_t at = slot_of(table, hash); table->slots[at]; at = (at + 1) & mask) {
    uint64_t slot = table->slots[at];
    if (slot >> 32 != (uint32_t)hash) continue;
    uint32_t id = (uint32_t)slot - 1;
    if (rows_equal(table, table->rows + (size_t)id * table->stride, row)) return id;
  }
  return KEY_NONE;
}

static void prefetch(const struct key_table *table, const uint64_t *hashes, int64_t count) {
  if (!table->slots || table->slot_bits < PREFETCH_BITS) return;
  for (int64_t i = 0; i < count; i++)
    __builtin_prefetch(&table->slots[slot_of(table, hashes[i])]);
  for (int64_t i = 0; i < count; i++) {
    uint32_t next = (uint32_t)table->slots[slot_of(table, hashes[i])];
    if (next) __builtin_prefetch(table->rows + (size_t)(next - 1) * table->stride);
  }
}

static int64_t add_vector(struct key_table *table, const struct column *const *columns,
                          int64_t from, int64_t count, const uint64_t *hashes, uint32_t *ids) {
  uint8_t rows[KEY_SCRATCH];
  uint32_t stride = table->stride;
  key__pack(table, columns, from, count, rows);
  prefetch(table, hashes, count);
  for (int64_t i = 0; i < count; i++) {
    uint8_t *row = rows + i * stride;
    if (i && hashes[i] == hashes[i - 1] && rows_equal(table, row - stride, row)) {
      ids[i] = ids[i - 1];
      continue;
    }
    ids[i] = table->slots ? probe(table, row, hashes[i]) : KEY_NONE;
    if (ids[i] != KEY_NONE) continue;
    ids[i] = table->count;
    if (!insert(table, columns, from + i, row, hashes[i])) return i;
  }
  return count;
}

/* ---- what columns look like ---- */

/* Codes that are equal when their values are; NULL: there are none. */
static const struct column *dictionary_of(const struct column *column) {
  bool same = column->dictionary && !key_text_suffix(column->dictionary->type);
  return same ? column->dictionary : NULL;
}

static enum key_form form_of(const struct column *column) {
  if (column->dictionary) return dictionary_of(column) ? KEY_CODE : KEY_TEXT;
  switch (column->type.physical) {
  case PHYSICAL_BOOL:
    return KEY_BOOL;
  case PHYSICAL_INT32:
    return KEY_CODE;
  case PHYSICAL_FLOAT64:
    return KEY_FLOAT;
  case PHYSICAL_STRING:
  case PHYSICAL_BYTES:
    return KEY_TEXT;
  default:
    return KEY_WORD;
  }
}

static bool fits(const struct key_table *table, const struct column *const *columns) {
  for (uint32_t i = 0; i < table->field_count; i++)
    if (form_of(columns[i]) != table->fields[i].form ||
        dictionary_of(columns[i]) != table->fields[i].dictionary)
      return false;
  return true;
}

/* Another layout, in which codes that these columns do not share are plain strings. */
static int turn(struct key_table *table, const struct column *const *columns, struct err *err) {
  struct key_table old = *table;
  size_t size = table->field_count * sizeof *table->fields;
  struct key_field *fields = mem_alloc(table->account, size);
  if (!fields) return mem_refused(table->account, size, err);
  memcpy(fields, old.fields, size);
  table->fields = fields;
  for (uint32_t i = 0; i < table->field_count; i++) {
    struct key_field *field = &fields[i];
    if (!field->dictionary || field->dictionary == columns[i]->dictionary) continue;
    field->form = KEY_TEXT;
    field->dictionary = NULL;
    field->code_hashes = NULL;
    field->code_hash_count = 0;
  }
  key__shape(table);
  size_t row_size = (size_t)old.row_capacity * table->stride;
  table->rows = old.row_capacity ? mem_alloc_zero(table->account, row_size) : NULL;
  bool turned = !old.row_capacity || table->rows;
  for (uint32_t id = 0; turned && id < table->count; id++)
    turned = key__repack(&old, old.rows + (size_t)id * old.stride, table,
                         table->rows + (size_t)id * table->stride);
  if (!turned) {
    mem_free(table->account, table->rows, row_size);
    old.texts = table->texts; /* keeps what was copied until the table goes */
    *table = old;
    mem_free(table->account, fields, size);
    return mem_refused(table->account, row_size, err);
  }
  for (uint32_t i = 0; i < table->field_count; i++)
    if (!fields[i].code_hashes)
      mem_free(table->account, old.fields[i].code_hashes,
               (size_t)old.fields[i].code_hash_count * 8);
  mem_free(table->account, old.rows, (size_t)old.row_capacity * old.stride);
  mem_free(table->account, old.fields, size);
  return ERR_OK;
}

/* Before rows are added: the layout, and a cache of codes' hashes once it pays. */
static int prepare(struct key_table *table, const struct column *const *columns, int64_t count,
                   struct err *err) {
  if (!table->shaped || (table->count == 0 && !fits(table, columns))) {
    drop_code_hashes(table);
    drop_rows(table);
    for (uint32_t i = 0; i < table->field_count; i++) {
      table->fields[i].form = form_of(columns[i]);
      table->fields[i].dictionary = dictionary_of(columns[i]);
    }
    key__shape(table);
    table->seen = 0;
  }
  for (uint32_t i = 0; i < table->field_count; i++) {
    const struct column *dictionary = table->fields[i].dictionary;
    if (!dictionary || dictionary == columns[i]->dictionary) continue;
    int code = turn(table, columns, err);
    if (code) return code;
    break;
  }
  table->seen += (uint64_t)count;
  for (uint32_t i = 0; i < table->field_count; i++) {
    struct key_field *field = &table->fields[i];
    if (!field->dictionary || field->code_hashes) continue;
    int64_t length = field->dictionary->length;
    if (length == 0 || table->seen < (uint64_t)length) continue;
    field->code_hashes = mem_alloc_zero(table->account, (size_t)length * 8); /* may do without */
    field->code_hash_count = field->code_hashes ? length : 0;
  }
  return ERR_OK;
}

int exec__key_table_add(struct key_table *table, const struct column *const *columns, int64_t from,
                        int64_t count, const uint64_t *hashes, uint32_t *ids, int64_t *added,
                        struct err *err) {
  *added = 0;
  if (count <= 0) return ERR_OK;
  int code = prepare(table, columns, count, err);
  if (code) return code;
  uint64_t own[KEY_VECTOR];
  int64_t vector = key__vector(table);
  while (*added < count) {
    int64_t size = count - *added < vector ? count - *added : vector;
    const uint64_t *of = hashes ? hashes + *added : own;
    if (!hashes) key__hash(table, columns, table->field_count, from + *added, size, own);
    int64_t done = add_vector(table, columns, from + *added, size, of, ids + *added);
    *added += done;
    if (done < size) break;
  }
  if (*added == count) return ERR_OK;
  if (table->count + 1 >= KEY_NONE)
    return err_set(err, ERR_LIMIT_EXCEEDED, "more than %u groups or keys", KEY_NONE - 1);
  return mem_refused(table->account, (size_t)table->row_capacity * table->stride, err);
}

/* ---- finding ---- */

void exec__key_table_find(const struct key_table *table, const struct column *const *columns,
                          int64_t from, int64_t count, const uint64_t *hashes, bool nulls_never,
                          uint32_t *ids) {
  uint8_t rows[KEY_SCRATCH];
  uint64_t own[KEY_VECTOR];
  for (int64_t i = 0; i < count; i++)
    ids[i] = KEY_NONE;
  if (table->count == 0) return;
  bool same = fits(table, columns);
  int64_t vector = key__vector(table);
  for (int64_t at = 0; at < count; at += vector) {
    int64_t size = count - at < vector ? count - at : vector;
    const uint64_t *of = hashes ? hashes + at : own;
    if (!hashes) exec__key_hash(columns, table->field_count, from + at, size, own);
    if (same) key__pack(table, columns, from + at, size, rows);
    prefetch(table, of, size);
    for (int64_t i = 0; i < size; i++)
      ids[at + i] = same ? probe(table, rows + i * table->stride, of[i])
                         : key__search(table, columns, from + at + i, of[i]);
  }
  for (uint32_t c = 0; nulls_never && c < table->field_count; c++)
    for (int64_t i = 0; columns[c]->null_count && i < count; i++)
      if (!bit_get(columns[c]->validity, from + i)) ids[i] = KEY_NONE;
}
