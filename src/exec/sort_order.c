/* Ordering a row_buffer with all threads: keys, then levels.
 *
 * A level is a range of rows whose keys are equal up to some depth. It is cut into buckets; those
 * are tasks, but for a large bucket of one word, which becomes a level of its own at the next word
 * (think of a million rows of one host ordered by host and time). Rows lie in `rows` between
 * levels; `spare` is where buckets go. */
#include "exec/sort_order.h"

#include <string.h>

#include "base/err.h"

enum {
  PIECE_CHUNKS = 8,
  SPLITTERS_MAX = 255,
  BUCKETS_MAX = 2 * SPLITTERS_MAX + 1, /* below, equal to, … each splitter, above the last */
  SAMPLES = 16,                        /* for each splitter */
};

/* Rows that one task makes keys of. */
struct piece {
  struct arena keys;
  uint32_t first_chunk, chunk_count;
  bool ascending; /* the words are */
};
struct range {
  uint64_t from, count, depth;
};
/* Consecutive buckets of a level that one task sorts. */
struct bucket_task {
  uint32_t first, end;
};
struct level {
  struct range range;
  uint64_t piece_rows;
  uint32_t piece_count;
  uint32_t splitter_count, steps; /* steps: half of the first one of a search */
  uint64_t splitters[SPLITTERS_MAX + 1];
  uint32_t bucket_count;
  uint16_t *buckets; /* per row */
  uint64_t *starts;  /* per piece and bucket: first counts, then places in the range */
  uint64_t ends[BUCKETS_MAX];
  struct bucket_task tasks[BUCKETS_MAX];
  uint32_t task_count;
};
struct sorter {
  struct exec *exec;
  const struct row_buffer *buffer;
  uint32_t first_chunk, chunk_count; /* of the buffer */
  struct sort_key_layout *layout;
  struct sort_keys *chunks; /* keys by chunk; only their width when words are all */
  struct sort_source source;
  const struct sort_source *deeper; /* NULL: words are all there is of keys */
  struct sort_row *rows, *spare;
  uint64_t count, keep;
  struct piece *pieces;
  uint32_t piece_count;
  uint64_t bucket_rows; /* wanted */
  struct level *level;
  struct range *waiting;
  uint32_t waiting_count, waiting_capacity;
};

uint64_t exec__sort_order_bytes(uint64_t rows, uint64_t key_bytes) {
  uint64_t fixed = 2 * sizeof(struct sort_row) + sizeof(uint16_t);
  return rows * fixed + (key_bytes > 8 * rows ? key_bytes + 16 * rows : 0);
}

static void *take(struct sorter *sorter, size_t size) {
  return mem_alloc_zero(sorter->exec->options.account, size);
}
static void give(struct sorter *sorter, void *block, size_t size) {
  mem_free(sorter->exec->options.account, block, size);
}

/* ---- keys ---- */

static int make_chunk_keys(struct sorter *sorter, struct piece *piece, uint32_t c,
                           struct err *err) {
  struct batch chunk = exec__row_buffer_chunk(sorter->buffer, c);
  struct sort_keys *keys = &sorter->chunks[c];
  int code =
      exec__sort_keys_make(sorter->layout, chunk.columns, 0, chunk.length, &piece->keys, keys, err);
  if (code) return code;
  uint64_t number = (uint64_t)c * ROW_BUFFER_CHUNK;
  struct sort_row *rows = sorter->rows + (uint64_t)(c - sorter->first_chunk) * ROW_BUFFER_CHUNK;
  uint64_t previous = c > piece->first_chunk ? rows[-1].key : 0;
  for (int64_t i = 0; i < chunk.length; i++) {
    uint64_t word = keys->prefixes[i];
    piece->ascending &= word >= previous;
    previous = word;
    rows[i] = (struct sort_row){word, number + (uint64_t)i};
  }
  if (!keys->bytes) { /* the words have it all */
    keys->prefixes = NULL;
    arena_reset(&piece->keys);
  }
  return ERR_OK;
}

static int make_keys(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  struct sorter *sorter = context;
  struct piece *piece = &sorter->pieces[i];
  (void)figures;
  int code = exec__check(sorter->exec, err);
  for (uint32_t c = 0; c < piece->chunk_count && !code; c++)
    code = make_chunk_keys(sorter, piece, piece->first_chunk + c, err);
  if (code || sorter->chunks[piece->first_chunk].bytes) return code;
  arena_deinit(&piece->keys);
  arena_init(&piece->keys, sorter->exec->options.account, 4096);
  return ERR_OK;
}

/* Columns without a null need no byte for it. */
static void tell_nulls(struct sorter *sorter) {
  struct sort_key_layout *layout = sorter->layout;
  for (uint32_t k = 0; k < layout->key_count; k++) {
    bool nulls = false;
    for (uint32_t c = 0; c < sorter->chunk_count && !nulls; c++) {
      struct batch chunk = exec__row_buffer_chunk(sorter->buffer, sorter->first_chunk + c);
      nulls = chunk.columns[layout->keys[k].column].validity != NULL;
    }
    exec__sort_key_nullable(layout, k, nulls);
  }
}

static int init_sorter(struct sorter *sorter, struct err *err) {
  uint32_t chunks = exec__row_buffer_chunks(sorter->buffer);
  for (uint32_t c = 0; c < sorter->chunk_count; c++)
    sorter->count +=
        (uint64_t)exec__row_buffer_chunk(sorter->buffer, sorter->first_chunk + c).length;
  sorter->bucket_rows = sorter->exec->options.morsel_rows;
  sorter->piece_count = (sorter->chunk_count + PIECE_CHUNKS - 1) / PIECE_CHUNKS;
  sorter->pieces = take(sorter, sorter->piece_count * sizeof *sorter->pieces);
  sorter->chunks = take(sorter, chunks * sizeof *sorter->chunks);
  size_t size = sorter->count * sizeof *sorter->rows;
  sorter->rows = mem_alloc(sorter->exec->options.account, size);
  if (!sorter->pieces || !sorter->chunks || !sorter->rows)
    return exec__refused(sorter->exec, size, err);
  for (uint32_t p = 0; p < sorter->piece_count; p++) {
    struct piece *piece = &sorter->pieces[p];
    uint32_t first = p * PIECE_CHUNKS, left = sorter->chunk_count - first;
    *piece = (struct piece){.first_chunk = sorter->first_chunk + first,
                            .chunk_count = left < PIECE_CHUNKS ? left : PIECE_CHUNKS,
                            .ascending = true};
    arena_init(&piece->keys, sorter->exec->options.account, 4096);
  }
  tell_nulls(sorter);
  sorter->source.chunks = sorter->chunks;
  return ERR_OK;
}

static void deinit_sorter(struct sorter *sorter) {
  uint32_t chunks = exec__row_buffer_chunks(sorter->buffer);
  for (uint32_t p = 0; sorter->pieces && p < sorter->piece_count; p++)
    if (sorter->pieces[p].keys.account) arena_deinit(&sorter->pieces[p].keys);
  give(sorter, sorter->pieces, sorter->piece_count * sizeof *sorter->pieces);
  give(sorter, sorter->chunks, chunks * sizeof *sorter->chunks);
  give(sorter, sorter->rows, sorter->count * sizeof *sorter->rows);
  give(sorter, sorter->spare, sorter->spare ? sorter->count * sizeof *sorter->rows : 0);
  give(sorter, sorter->level, sorter->level ? sizeof *sorter->level : 0);
  give(sorter, sorter->waiting, sorter->waiting_capacity * sizeof *sorter->waiting);
}

/* ---- input that is in order ---- */

static int compare_neighbours(struct sorter *sorter, uint64_t i) {
  if (sorter->rows[i - 1].key != sorter->rows[i].key || !sorter->deeper)
    return sorter->rows[i - 1].key <= sorter->rows[i].key ? 0 : 1;
  return exec__sort_source_compare(&sorter->source, sorter->rows[i - 1].row, sorter->rows[i].row);
}

/* Wholly so: `ascending` of the pieces becomes false where neighbours are not in order. */
static int check_piece(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  struct sorter *sorter = context;
  struct piece *piece = &sorter->pieces[i];
  (void)figures;
  uint64_t from = (uint64_t)(piece->first_chunk - sorter->first_chunk) * ROW_BUFFER_CHUNK;
  uint64_t end = from + (uint64_t)piece->chunk_count * ROW_BUFFER_CHUNK;
  if (end > sorter->count) end = sorter->count;
  if (from == 0) from = 1;
  for (uint64_t row = from; row < end && piece->ascending; row++)
    piece->ascending = compare_neighbours(sorter, row) <= 0;
  return exec__check(sorter->exec, err);
}

static int check_order(struct sorter *sorter, bool *ordered, struct err *err) {
  *ordered = false;
  for (uint32_t p = 0; p < sorter->piece_count; p++)
    if (!sorter->pieces[p].ascending) return ERR_OK;
  int code = exec__parallel(sorter->exec, sorter->piece_count, check_piece, sorter, err);
  *ordered = true;
  for (uint32_t p = 0; p < sorter->piece_count; p++)
    *ordered &= sorter->pieces[p].ascending;
  return code;
}

/* ---- a level ---- */

/* The rows of piece i of a level. */
static struct sort_row *level_piece(const struct sorter *sorter, size_t i, uint64_t *count) {
  const struct level *level = sorter->level;
  uint64_t at = i * level->piece_rows, left = level->range.count - at;
  *count = left < level->piece_rows ? left : level->piece_rows;
  return sorter->rows + level->range.from + at;
}

static int load_words(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  struct sorter *sorter = context;
  struct level *level = sorter->level;
  uint64_t count, differ = 0;
  struct sort_row *rows = level_piece(sorter, i, &count);
  uint64_t first = exec__sort_source_word(&sorter->source, sorter->rows[level->range.from].row,
                                          level->range.depth);
  (void)figures;
  for (uint64_t r = 0; r < count; r++) {
    rows[r].key = exec__sort_source_word(&sorter->source, rows[r].row, level->range.depth);
    differ |= rows[r].key ^ first;
  }
  level->starts[i] = differ;
  return exec__check(sorter->exec, err);
}

/* Goes down to the depth where the keys of the range begin to differ. *same: they never do. */
static int find_depth(struct sorter *sorter, bool loaded, bool *same, struct err *err) {
  struct level *level = sorter->level;
  struct range *range = &level->range;
  *same = false;
  if (!sorter->deeper) return ERR_OK;
  uint64_t size = exec__sort_source_size(&sorter->source, sorter->rows[range->from].row);
  for (;; loaded = false) {
    uint64_t differ = 0;
    if (loaded) {
      for (uint64_t i = 1; i < range->count && differ >> 48 == 0; i++)
        differ |= sorter->rows[range->from + i].key ^ sorter->rows[range->from].key;
    } else {
      int code = exec__parallel(sorter->exec, level->piece_count, load_words, sorter, err);
      if (code) return code;
      for (uint32_t p = 0; p < level->piece_count; p++)
        differ |= level->starts[p];
    }
    uint64_t skip = differ ? (uint64_t)__builtin_clzll(differ) / 8 : 8;
    if (skip < 2) return ERR_OK;
    range->depth += skip;
    *same = range->depth >= size;
    if (*same) return ERR_OK;
  }
}

/* Splitters: every SAMPLES-th word of a sorted sample, each value once. The sample's places are
 * scattered but the same for the same number of rows. */
static int choose_splitters(struct sorter *sorter, struct err *err) {
  struct level *level = sorter->level;
  uint64_t wanted = level->range.count / sorter->bucket_rows;
  if (wanted > SPLITTERS_MAX) wanted = SPLITTERS_MAX;
  if (wanted == 0) wanted = 1;
  uint64_t count = (wanted + 1) * SAMPLES, state = level->range.count;
  uint64_t *samples = take(sorter, 2 * count * sizeof *samples);
  if (!samples) return exec__refused(sorter->exec, 2 * count * sizeof *samples, err);
  for (uint64_t i = 0; i < count; i++) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    uint64_t at = (uint64_t)((unsigned __int128)state * level->range.count >> 64);
    samples[i] = sorter->rows[level->range.from + at].key;
  }
  sort_keys(samples, samples + count, count);
  level->splitter_count = 0;
  for (uint64_t i = 1; i <= wanted; i++) {
    uint64_t word = samples[i * SAMPLES];
    if (level->splitter_count && level->splitters[level->splitter_count - 1] == word) continue;
    level->splitters[level->splitter_count++] = word;
  }
  give(sorter, samples, 2 * count * sizeof *samples);
  level->bucket_count = 2 * level->splitter_count + 1;
  for (level->steps = 1; 2 * level->steps <= level->splitter_count;)
    level->steps *= 2;
  for (uint32_t i = level->splitter_count; i <= SPLITTERS_MAX; i++)
    level->splitters[i] = UINT64_MAX;
  return ERR_OK;
}

static inline uint32_t bucket_of(const struct level *level, uint64_t word) {
  uint32_t below = 0; /* splitters below the word */
  for (uint32_t step = level->steps; step; step /= 2)
    below += level->splitters[below + step - 1] < word ? step : 0;
  return 2 * below + (below < level->splitter_count && level->splitters[below] == word);
}

static int count_buckets(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  struct sorter *sorter = context;
  struct level *level = sorter->level;
  uint64_t count, *counts = level->starts + i * level->bucket_count;
  const struct sort_row *rows = level_piece(sorter, i, &count);
  uint16_t *buckets = level->buckets + i * level->piece_rows;
  (void)figures;
  memset(counts, 0, level->bucket_count * sizeof *counts);
  for (uint64_t r = 0; r < count; r++) {
    buckets[r] = (uint16_t)bucket_of(level, rows[r].key);
    counts[buckets[r]]++;
  }
  return exec__check(sorter->exec, err);
}

static void place_buckets(struct level *level) {
  uint64_t at = 0;
  for (uint32_t b = 0; b < level->bucket_count; b++) {
    for (uint32_t p = 0; p < level->piece_count; p++) {
      uint64_t *start = &level->starts[(uint64_t)p * level->bucket_count + b], count = *start;
      *start = at;
      at += count;
    }
    level->ends[b] = at;
  }
}

static int scatter(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  struct sorter *sorter = context;
  struct level *level = sorter->level;
  uint64_t count, *starts = level->starts + i * level->bucket_count;
  const struct sort_row *rows = level_piece(sorter, i, &count);
  const uint16_t *buckets = level->buckets + i * level->piece_rows;
  struct sort_row *to = sorter->spare + level->range.from;
  (void)figures;
  for (uint64_t r = 0; r < count; r++)
    to[starts[buckets[r]]++] = rows[r];
  return exec__check(sorter->exec, err);
}

static uint64_t bucket_start(const struct level *level, uint32_t b) {
  return b ? level->ends[b - 1] : 0;
}

/* A large bucket of one word waits for a level of its own. */
static bool is_level(const struct sorter *sorter, uint32_t b) {
  const struct level *level = sorter->level;
  return b % 2 && sorter->deeper &&
         level->ends[b] - bucket_start(level, b) > 4 * sorter->bucket_rows;
}

/* Sorts in the spare, brings back. */
static int sort_buckets(void *context, size_t i, struct exec_figures *figures, struct err *err) {
  struct sorter *sorter = context;
  struct level *level = sorter->level;
  const struct bucket_task *task = &level->tasks[i];
  (void)figures;
  for (uint32_t b = task->first; b < task->end; b++) {
    uint64_t from = bucket_start(level, b), count = level->ends[b] - from;
    struct sort_row *bucket = sorter->spare + level->range.from + from;
    struct sort_row *home = sorter->rows + level->range.from + from;
    if (count > 1 && b % 2 == 0)
      exec__sort_local(sorter->deeper, bucket, home, count, level->range.depth);
    else if (count > 1 && sorter->deeper && !is_level(sorter, b))
      exec__sort_deeper(sorter->deeper, bucket, home, count, level->range.depth + 8);
    memcpy(home, bucket, count * sizeof *home);
  }
  return exec__check(sorter->exec, err);
}

/* Tasks of consecutive buckets, of about bucket_rows each; those that nobody wants are left out. */
static int plan_tasks(struct sorter *sorter, struct err *err) {
  struct level *level = sorter->level;
  level->task_count = 0;
  uint32_t first = 0;
  for (uint32_t b = 0; b < level->bucket_count; b++) {
    if (level->range.from + bucket_start(level, first) >= sorter->keep) break;
    if (b + 1 < level->bucket_count &&
        level->ends[b] - bucket_start(level, first) < sorter->bucket_rows)
      continue;
    level->tasks[level->task_count++] = (struct bucket_task){first, b + 1};
    first = b + 1;
  }
  for (uint32_t b = 1; b < level->bucket_count; b += 2) {
    uint64_t from = level->range.from + bucket_start(level, b);
    if (!is_level(sorter, b) || from >= sorter->keep) continue;
    if (sorter->waiting_count == sorter->waiting_capacity) {
      uint32_t capacity = sorter->waiting_capacity ? 2 * sorter->waiting_capacity : 64;
      struct range *waiting =
          mem_resize(sorter->exec->options.account, sorter->waiting,
                     sorter->waiting_capacity * sizeof *waiting, capacity * sizeof *waiting);
      if (!waiting) return exec__refused(sorter->exec, capacity * sizeof *waiting, err);
      sorter->waiting = waiting;
      sorter->waiting_capacity = capacity;
    }
    sorter->waiting[sorter->waiting_count++] =
        (struct range){from, level->range.from + level->ends[b] - from, level->range.depth + 8};
  }
  return ERR_OK;
}

static int split_level(struct sorter *sorter, struct err *err) {
  struct level *level = sorter->level;
  int code = choose_splitters(sorter, err);
  if (!code) code = exec__parallel(sorter->exec, level->piece_count, count_buckets, sorter, err);
  if (code) return code;
  place_buckets(level);
  code = exec__parallel(sorter->exec, level->piece_count, scatter, sorter, err);
  if (!code) code = plan_tasks(sorter, err);
  if (!code) code = exec__parallel(sorter->exec, level->task_count, sort_buckets, sorter, err);
  return code;
}

/* `loaded`: the rows have their words at the range's depth. */
static int sort_level(struct sorter *sorter, struct range range, bool loaded, struct err *err) {
  struct level *level = sorter->level;
  level->range = range;
  level->piece_rows = PIECE_CHUNKS * ROW_BUFFER_CHUNK;
  if (level->piece_rows > sorter->bucket_rows * 2) level->piece_rows = sorter->bucket_rows * 2;
  level->piece_count = (uint32_t)((range.count + level->piece_rows - 1) / level->piece_rows);
  size_t bucket_size = range.count * sizeof *level->buckets;
  size_t start_size = (size_t)level->piece_count * BUCKETS_MAX * sizeof *level->starts;
  level->buckets = mem_alloc(sorter->exec->options.account, bucket_size);
  level->starts = mem_alloc(sorter->exec->options.account, start_size);
  bool same = false;
  int code = ERR_OK;
  if (!level->buckets || !level->starts)
    code = exec__refused(sorter->exec, bucket_size + start_size, err);
  if (!code) code = find_depth(sorter, loaded, &same, err);
  if (!code && !same) code = split_level(sorter, err);
  give(sorter, level->buckets, bucket_size);
  give(sorter, level->starts, start_size);
  return code;
}

static int sort_all(struct sorter *sorter, struct err *err) {
  size_t size = sorter->count * sizeof *sorter->spare;
  sorter->spare = mem_alloc(sorter->exec->options.account, size);
  if (!sorter->spare) return exec__refused(sorter->exec, size, err);
  if (sorter->count < 2 * sorter->bucket_rows) {
    exec__sort_local(sorter->deeper, sorter->rows, sorter->spare, sorter->count, 0);
    return ERR_OK;
  }
  sorter->level = take(sorter, sizeof *sorter->level);
  if (!sorter->level) return exec__refused(sorter->exec, sizeof *sorter->level, err);
  int code = sort_level(sorter, (struct range){0, sorter->count, 0}, true, err);
  while (!code && sorter->waiting_count)
    code = sort_level(sorter, sorter->waiting[--sorter->waiting_count], false, err);
  return code;
}

/* ---- the whole ---- */

static bool equal_keys(const struct sorter *sorter, uint64_t a, uint64_t b) {
  const struct sort_row *rows = sorter->rows;
  return sorter->deeper ? exec__sort_source_compare(&sorter->source, rows[a].row, rows[b].row) == 0
                        : rows[a].key == rows[b].key;
}

static void cut(struct sorter *sorter, const struct sort_order_options *options,
                struct sort_order *order) {
  order->count = sorter->count;
  if (options->keep >= sorter->count) return;
  order->count = options->keep;
  while (options->with_ties && order->count && order->count < sorter->count &&
         equal_keys(sorter, options->keep - 1, order->count))
    order->count++;
}

int exec__sort_order_make(struct exec *exec, const struct row_buffer *buffer,
                          struct sort_key_layout *layout, const struct sort_order_options *options,
                          struct sort_order *order, struct err *err) {
  struct sorter sorter = {.exec = exec,
                          .buffer = buffer,
                          .first_chunk = options->first_chunk,
                          .chunk_count = options->chunk_count,
                          .layout = layout,
                          .keep = options->keep};
  *order = (struct sort_order){0};
  if (options->chunk_count == 0) return ERR_OK;
  bool ordered = false;
  int code = init_sorter(&sorter, err);
  if (!code) code = exec__parallel(exec, sorter.piece_count, make_keys, &sorter, err);
  if (!code) {
    sorter.deeper = sorter.chunks[options->first_chunk].bytes ? &sorter.source : NULL;
    code = check_order(&sorter, &ordered, err);
  }
  if (!code && !ordered) code = sort_all(&sorter, err);
  if (!code) {
    cut(&sorter, options, order);
    order->rows = sorter.rows;
    order->capacity = sorter.count;
    sorter.rows = NULL;
  }
  deinit_sorter(&sorter);
  return code;
}

void exec__sort_order_deinit(struct sort_order *order, struct exec *exec) {
  mem_free(exec->options.account, order->rows, order->capacity * sizeof *order->rows);
  *order = (struct sort_order){0};
}
