/* Rows in: fixed arrays in one block of memory, one writer, a published length.
 *
 *   struct open_part | columns | series | keys | commits | validity of each column
 *                    | per column: values, bytes
 *
 * The committer writes rows behind the published length and then publishes the new length with
 * release order; a reader that acquires it sees whole rows below it, for ever the same. The only
 * words that both may touch at once are the last ones of bitmaps, which hold bits of published and
 * of new rows: those are read and written atomically. All bits behind the published length are 0,
 * so that appending is only ever setting bits.
 *
 * A copy with half as much room again costs what was appended in the last two, so n rows cost O(n).
 * The first copy has room for few rows only: thousands of tables that get one row now and then must
 * stay small. */
#include "store/open_part_private.h"

#include <assert.h>

#include "base/err.h"
#include "columnar/bits.h"

enum {
  ROWS_FIRST = 4,   /* capacity of the first arrays */
  ROWS_SLOWER = 32, /* from here on they grow by half: thousands of tables grow all at once, and
                       room that is not used yet makes the flush that much earlier */
  BYTES_FIRST = 32  /* bytes of strings of a column */
};

static size_t align8(size_t size) { return (size + 7) & ~(size_t)7; }

static size_t values_bytes(struct type type, uint32_t capacity) {
  if (type.physical == PHYSICAL_BOOL) return bit_words(capacity) * 8;
  if (type_is_string(type)) return align8(((size_t)capacity + 1) * 4);
  return (size_t)capacity * 8;
}

static size_t part_bytes(uint32_t capacity, const struct open_column *columns, uint32_t count) {
  size_t size = align8(sizeof(struct open_part) + count * sizeof(struct open_column));
  size += (size_t)capacity * 24;
  for (uint32_t i = 0; i < count; i++)
    size += bit_words(capacity) * 8 + values_bytes(columns[i].type, capacity) +
            align8(columns[i].data_capacity);
  return size;
}

/* Points the arrays of a zeroed block to their places; ids, types and capacities are set. */
static void part_lay_out(struct open_part *part) {
  uint8_t *at = (uint8_t *)part;
  at += align8(sizeof *part + part->column_count * sizeof(struct open_column));
  part->series = (uint64_t *)at;
  at += (size_t)part->capacity * 8;
  part->keys = (int64_t *)at;
  at += (size_t)part->capacity * 8;
  part->commits = (uint64_t *)at;
  at += (size_t)part->capacity * 8;
  /* Side by side, so that a row of few columns touches few lines of the cache. */
  for (uint32_t i = 0; i < part->column_count; i++) {
    part->columns[i].validity = (_Atomic uint64_t *)at;
    at += bit_words(part->capacity) * 8;
  }
  for (uint32_t i = 0; i < part->column_count; i++) {
    struct open_column *column = &part->columns[i];
    column->values = (uint64_t *)at;
    at += values_bytes(column->type, part->capacity);
    column->data = (char *)at;
    at += align8(column->data_capacity);
  }
  assert(at == (uint8_t *)part + part->size);
}

static int part_allocate(uint64_t store, enum store_policy policy, struct os *os,
                         struct mem_account *account, uint32_t capacity,
                         const struct open_column *columns, uint32_t count,
                         struct open_part **created, struct err *err) {
  size_t size = part_bytes(capacity, columns, count);
  struct open_part *part = mem_alloc_zero(account, size);
  if (!part) return mem_refused(account, size, err);
  atomic_init(&part->references, 1);
  atomic_init(&part->rows, 0);
  part->capacity = capacity;
  part->column_count = count;
  part->policy = policy;
  part->store = store;
  part->os = os;
  part->account = account;
  part->size = size;
  if (count) memcpy(part->columns, columns, count * sizeof *columns);
  part_lay_out(part);
  os_mutex_init(&part->view_lock, os);
  *created = part;
  return ERR_OK;
}

int open_part_create(uint64_t store, enum store_policy policy, struct os *os,
                     struct mem_account *account, struct open_part **part, struct err *err) {
  return part_allocate(store, policy, os, account, 0, NULL, 0, part, err);
}

void open_part_retain(struct open_part *part) {
  atomic_fetch_add_explicit(&part->references, 1, memory_order_relaxed);
}

void open_part_release(struct open_part *part) {
  if (!part || atomic_fetch_sub_explicit(&part->references, 1, memory_order_acq_rel) != 1) return;
  open_part__view_destroy(part);
  os_mutex_deinit(&part->view_lock);
  mem_free(part->account, part, part->size);
}

uint32_t open_part_rows(const struct open_part *part) {
  return atomic_load_explicit(&part->rows, memory_order_acquire);
}

size_t open_part_bytes(const struct open_part *part) { return part->size; }

uint64_t open_part_commit_min(const struct open_part *part) {
  return open_part_rows(part) ? part->commits[0] : 0;
}

uint64_t open_part_commit_max(const struct open_part *part) {
  uint32_t rows = open_part_rows(part);
  return rows ? part->commits[rows - 1] : 0;
}

/* ---- appending ---- */

/* Bytes of strings that a column brings. */
static size_t column_data_size(const struct column *column) {
  if (!type_is_string(column->type) || column->length == 0) return 0;
  return (size_t)(column->offsets[column->length] - column->offsets[0]);
}

static int check_type(const struct open_column *ours, const struct store_column *theirs,
                      uint64_t store, struct err *err) {
  if (ours->type.physical == theirs->column.type.physical) return ERR_OK;
  return err_set(err, ERR_INTERNAL, "column %u of store %llu changed its type from %s to %s",
                 ours->id, (unsigned long long)store, type_name(ours->type),
                 type_name(theirs->column.type));
}

/* Whether the rows fit; finds it out before anything is written. */
static int rows_fit(const struct open_part *part, const struct store_rows *rows, bool *fit,
                    struct err *err) {
  *fit = false;
  if (rows->rows > part->capacity - atomic_load_explicit(&part->rows, memory_order_relaxed))
    return ERR_OK;
  uint32_t ours = 0;
  for (uint32_t i = 0; i < rows->column_count; i++) {
    const struct store_column *theirs = &rows->columns[i];
    while (ours < part->column_count && part->columns[ours].id < theirs->id)
      ours++;
    if (ours == part->column_count || part->columns[ours].id != theirs->id) return ERR_OK;
    int code = check_type(&part->columns[ours], theirs, part->store, err);
    if (code) return code;
    if (column_data_size(&theirs->column) >
        part->columns[ours].data_capacity - part->columns[ours].data_size)
      return ERR_OK;
  }
  *fit = true;
  return ERR_OK;
}

/* Sets bits [at, at + count) from `from`; NULL: all of them. They were 0. */
static void append_bits(_Atomic uint64_t *bits, int64_t at, const uint64_t *from, int64_t count) {
  for (int64_t done = 0; done < count;) {
    int64_t room = 64 - ((at + done) & 63);
    int64_t step = room < count - done ? room : count - done;
    uint64_t value = (from ? bits_load(from, done, step) : ~UINT64_C(0)) & bits_mask(step);
    _Atomic uint64_t *word = bits + ((at + done) >> 6);
    uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
    atomic_store_explicit(word, old | value << ((at + done) & 63), memory_order_relaxed);
    done += step;
  }
}

static void append_strings(struct open_column *ours, uint32_t at, const struct column *theirs,
                           uint32_t count) {
  size_t size = column_data_size(theirs);
  if (size) memcpy(ours->data + ours->data_size, theirs->data + theirs->offsets[0], size);
  int32_t shift = (int32_t)ours->data_size - theirs->offsets[0];
  for (uint32_t i = 1; i <= count; i++)
    ours->offsets[at + i] = theirs->offsets[i] + shift;
  ours->data_size += (uint32_t)size;
}

static void append_column(struct open_column *ours, uint32_t at, const struct column *theirs,
                          uint32_t count) {
  append_bits(ours->validity, at, theirs->validity, count);
  if (type_is_string(ours->type))
    append_strings(ours, at, theirs, count);
  else if (ours->type.physical == PHYSICAL_BOOL)
    append_bits(ours->bits, at, theirs->bits, count);
  else
    memcpy(ours->values + at, theirs->u64, (size_t)count * 8);
}

static void set_bit(_Atomic uint64_t *bits, uint32_t at) {
  _Atomic uint64_t *word = bits + (at >> 6);
  uint64_t old = atomic_load_explicit(word, memory_order_relaxed);
  atomic_store_explicit(word, old | UINT64_C(1) << (at & 63), memory_order_relaxed);
}

/* The same for one row: bodies of many tables bring each of them one. */
static void append_cell(struct open_column *ours, uint32_t at, const struct column *theirs) {
  if (!theirs->validity || theirs->validity[0] & 1) set_bit(ours->validity, at);
  if (type_is_string(ours->type))
    append_strings(ours, at, theirs, 1);
  else if (ours->type.physical != PHYSICAL_BOOL)
    ours->values[at] = theirs->u64[0];
  else if (theirs->bits[0] & 1)
    set_bit(ours->bits, at);
}

static void append_absent(struct open_column *ours, uint32_t at, uint32_t count) {
  if (!type_is_string(ours->type)) return;
  for (uint32_t i = 1; i <= count; i++)
    ours->offsets[at + i] = (int32_t)ours->data_size;
}

int open_part_append(struct open_part *part, const struct store_rows *rows, uint64_t commit,
                     bool *full, struct err *err) {
  bool fit;
  int code = rows_fit(part, rows, &fit, err);
  *full = !code && !fit;
  if (code || !fit || rows->rows == 0) return code;
  uint32_t at = atomic_load_explicit(&part->rows, memory_order_relaxed);
  assert(at == 0 || part->commits[at - 1] <= commit);
  memcpy(part->series + at, rows->series, (size_t)rows->rows * 8);
  memcpy(part->keys + at, rows->keys, (size_t)rows->rows * 8);
  for (uint32_t i = 0; i < rows->rows; i++)
    part->commits[at + i] = commit;
  uint32_t theirs = 0;
  for (uint32_t i = 0; i < part->column_count; i++) {
    struct open_column *ours = &part->columns[i];
    bool present = theirs < rows->column_count && rows->columns[theirs].id == ours->id;
    if (present && rows->rows == 1)
      append_cell(ours, at, &rows->columns[theirs++].column);
    else if (present)
      append_column(ours, at, &rows->columns[theirs++].column, rows->rows);
    else
      append_absent(ours, at, rows->rows);
  }
  atomic_store_explicit(&part->rows, at + rows->rows, memory_order_release);
  return ERR_OK;
}

void open_part_expect(const struct open_part *part, bool near) {
  enum { COLUMNS = 16, LINE = 64 };
  uint32_t columns = near ? part->column_count : COLUMNS;
  if (columns > COLUMNS) columns = COLUMNS;
  size_t head = sizeof *part + columns * sizeof part->columns[0];
  for (size_t at = 0; !near && at < head; at += LINE)
    __builtin_prefetch((const char *)part + at);
  if (!near) return;
  uint32_t rows = atomic_load_explicit(&part->rows, memory_order_relaxed);
  __builtin_prefetch(part->series + rows, 1);
  __builtin_prefetch(part->keys + rows, 1);
  __builtin_prefetch(part->commits + rows, 1);
  for (uint32_t i = 0; i < columns; i++) {
    __builtin_prefetch((const void *)(part->columns[i].validity + (rows >> 6)), 1);
    if (part->columns[i].type.physical != PHYSICAL_BOOL && !type_is_string(part->columns[i].type))
      __builtin_prefetch(part->columns[i].values + rows, 1);
  }
}

/* ---- growing ---- */

/* The columns of the part and of the rows together, with room for strings of both; `columns` has
 * room for all of them. */
static int merge_columns(const struct open_part *part, const struct store_rows *rows,
                         struct open_column *columns, uint32_t *count, struct err *err) {
  uint32_t ours = 0, theirs = 0, merged = 0;
  while (ours < part->column_count || theirs < rows->column_count) {
    const struct open_column *old = ours < part->column_count ? &part->columns[ours] : NULL;
    const struct store_column *new = theirs < rows->column_count ? &rows->columns[theirs] : NULL;
    if (old && new && old->id < new->id) new = NULL;
    if (old && new &&new->id < old->id) old = NULL;
    if (old && new) {
      int code = check_type(old, new, part->store, err);
      if (code) return code;
    }
    struct open_column *column = &columns[merged++];
    *column = (struct open_column){.id = old ? old->id : new->id};
    column->type = old ? old->type : new->column.type;
    ours += old != NULL;
    theirs += new != NULL;
    if (!type_is_string(column->type)) continue;
    size_t needed = (old ? old->data_size : 0) + (new ? column_data_size(&new->column) : 0);
    size_t room = old ? (size_t)old->data_capacity * 2 : 0;
    room = room > needed ? room : needed;
    room = room > BYTES_FIRST ? room : BYTES_FIRST;
    if (needed > INT32_MAX)
      return err_set(err, ERR_LIMIT_EXCEEDED,
                     "column %u of store %llu passes 2 GiB of strings in memory", column->id,
                     (unsigned long long)part->store);
    column->data_capacity = room > INT32_MAX ? INT32_MAX : (uint32_t)room;
  }
  *count = merged;
  return ERR_OK;
}

static void copy_column(struct open_column *to, const struct open_column *from, uint32_t rows) {
  for (size_t i = 0; i < bit_words(rows); i++)
    atomic_init(&to->validity[i], atomic_load_explicit(&from->validity[i], memory_order_relaxed));
  if (type_is_string(to->type)) {
    memcpy(to->offsets, from->offsets, ((size_t)rows + 1) * 4);
    if (from->data_size) memcpy(to->data, from->data, from->data_size);
    to->data_size = from->data_size;
  } else if (to->type.physical == PHYSICAL_BOOL) {
    for (size_t i = 0; i < bit_words(rows); i++)
      atomic_init(&to->bits[i], atomic_load_explicit(&from->bits[i], memory_order_relaxed));
  } else {
    memcpy(to->values, from->values, (size_t)rows * 8);
  }
}

static void copy_rows(struct open_part *to, const struct open_part *from) {
  uint32_t rows = atomic_load_explicit(&from->rows, memory_order_relaxed);
  if (rows == 0) return;
  memcpy(to->series, from->series, (size_t)rows * 8);
  memcpy(to->keys, from->keys, (size_t)rows * 8);
  memcpy(to->commits, from->commits, (size_t)rows * 8);
  uint32_t old = 0;
  for (uint32_t i = 0; i < to->column_count; i++) /* a new column: zeros are absence */
    if (old < from->column_count && from->columns[old].id == to->columns[i].id)
      copy_column(&to->columns[i], &from->columns[old++], rows);
  atomic_init(&to->rows, rows);
}

int open_part_grow(const struct open_part *part, const struct store_rows *rows,
                   struct open_part **grown, struct err *err) {
  uint64_t needed = (uint64_t)open_part_rows(part) + rows->rows;
  uint64_t capacity = (uint64_t)part->capacity;
  capacity += capacity < ROWS_SLOWER ? capacity : capacity / 2;
  capacity = capacity > needed ? capacity : needed;
  capacity = capacity > ROWS_FIRST ? capacity : ROWS_FIRST;
  if (needed > INT32_MAX)
    return err_set(err, ERR_LIMIT_EXCEEDED, "more than %d rows of store %llu in one open part",
                   INT32_MAX, (unsigned long long)part->store);
  if (capacity > INT32_MAX) capacity = INT32_MAX;
  size_t room = (part->column_count + rows->column_count) * sizeof(struct open_column);
  struct open_column *columns = room ? mem_alloc(part->account, room) : NULL;
  if (room && !columns) return mem_refused(part->account, room, err);
  uint32_t count = 0;
  struct open_part *larger = NULL;
  int code = merge_columns(part, rows, columns, &count, err);
  if (!code)
    code = part_allocate(part->store, part->policy, part->os, part->account, (uint32_t)capacity,
                         columns, count, &larger, err);
  mem_free(part->account, columns, room);
  if (code) return code;
  copy_rows(larger, part);
  *grown = larger;
  return ERR_OK;
}
