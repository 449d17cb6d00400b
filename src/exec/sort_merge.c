/* Merging: a tree of losers over readers (Knuth, "The Art of Computer Programming" 3, 5.4.1).
 *
 * Each reader holds one batch and its keys. The tree's inner nodes hold who lost there, node 0 who
 * won; after the winner has moved on, only the path from its leaf is played again. Rows are copied
 * in runs of one reader's consecutive rows. */
#include "exec/sort_merge.h"

#include "base/err.h"
#include "exec/row_buffer.h"

struct source {
  struct spill_reader *reader;
  struct batch batch; /* length 0: at its end */
  int64_t at;
  struct arena arena; /* of the keys of a batch */
  struct sort_keys keys;
};
struct sort_merge {
  struct exec *exec;
  const struct sort_key_layout *layout;
  struct sort_merge_options options;
  uint32_t count, capacity; /* sources */
  struct source *sources;
  uint32_t *losers;
  uint64_t given;
  struct arena last_arena; /* with ties: the key that rows behind `keep` must have */
  struct sort_keys last;
};

/* The next batch of a source. */
static int fill(struct sort_merge *merge, struct source *source, struct err *err) {
  source->at = 0;
  arena_reset(&source->arena);
  int code = exec__check(merge->exec, err);
  if (!code) code = exec__spill_next(source->reader, &source->batch, err);
  if (code || source->batch.length == 0) return code;
  return exec__sort_keys_make(merge->layout, source->batch.columns, 0, source->batch.length,
                              &source->arena, &source->keys, err);
}

static void close_source(struct source *source) {
  if (source->reader) exec__spill_close(source->reader);
  if (source->arena.account) arena_deinit(&source->arena);
  *source = (struct source){0};
}

static bool before(const struct sort_merge *merge, uint32_t a, uint32_t b) {
  const struct source *x = &merge->sources[a], *y = &merge->sources[b];
  if (x->at == x->batch.length || y->at == y->batch.length) {
    bool x_ended = x->at == x->batch.length, y_ended = y->at == y->batch.length;
    return x_ended == y_ended ? a < b : y_ended;
  }
  int order = exec__sort_keys_compare(&x->keys, x->at, &y->keys, y->at);
  return order ? order < 0 : a < b;
}

/* Source `who` has a new row: plays its path up to the root. */
static void play(struct sort_merge *merge, uint32_t who) {
  for (uint32_t node = (who + merge->count) / 2; node > 0; node /= 2) {
    if (!before(merge, merge->losers[node], who)) continue;
    uint32_t winner = merge->losers[node];
    merge->losers[node] = who;
    who = winner;
  }
  merge->losers[0] = who;
}

/* The whole tree: leaves of node i are nodes 2i and 2i + 1, source s is node count + s. */
static uint32_t build(struct sort_merge *merge, uint32_t node) {
  if (node >= merge->count) return node - merge->count;
  uint32_t a = build(merge, 2 * node), b = build(merge, 2 * node + 1);
  bool first = before(merge, a, b);
  merge->losers[node] = first ? b : a;
  return first ? a : b;
}

static int open_source(struct sort_merge *merge, struct spill_stream *stream, struct err *err) {
  struct source *source = &merge->sources[merge->count];
  arena_init(&source->arena, merge->exec->options.account, 4096);
  int code = exec__spill_open(stream, &source->reader, err);
  if (!code) code = fill(merge, source, err);
  if (code)
    close_source(source);
  else
    merge->count++;
  return code;
}

/* Bytes of a batch of rows as the first source has them. */
static size_t output_size(const struct sort_merge *merge) {
  const struct batch *batch = &merge->sources[0].batch;
  if (batch->length == 0) return 0;
  return (exec__batches_size(batch, 1, 0) / (size_t)batch->length + 1) * LIMIT_BLOCK_ROWS;
}

/* Opens sources while there is memory, less what the rows that come out will take. */
static int open_sources(struct sort_merge *merge, struct spill_stream *const *streams,
                        struct err *err) {
  while (merge->count < merge->capacity) {
    if (merge->count >= 3 && exec__memory_tight_with(merge->exec, output_size(merge))) break;
    int code = open_source(merge, streams[merge->count], err);
    if (code == ERR_MEMORY_LIMIT && merge->count > 2) {
      close_source(&merge->sources[--merge->count]);
      break;
    }
    if (code) return code;
  }
  return ERR_OK;
}

int exec__sort_merge_open(struct exec *exec, const struct sort_key_layout *layout,
                          struct spill_stream *const *streams, uint32_t count,
                          const struct sort_merge_options *options, uint32_t *taken,
                          struct sort_merge **out, struct err *err) {
  struct mem_account *account = exec->options.account;
  struct sort_merge *merge = mem_alloc_zero(account, sizeof *merge);
  if (!merge) return exec__refused(exec, sizeof *merge, err);
  *merge =
      (struct sort_merge){.exec = exec, .layout = layout, .options = *options, .capacity = count};
  arena_init(&merge->last_arena, account, 512);
  merge->sources = mem_alloc_zero(account, count * sizeof *merge->sources);
  merge->losers = mem_alloc_zero(account, count * sizeof *merge->losers);
  int code = ERR_OK;
  if (!merge->sources || !merge->losers)
    code = exec__refused(exec, count * sizeof *merge->sources, err);
  if (!code) code = open_sources(merge, streams, err);
  if (code) {
    exec__sort_merge_close(merge);
    return code;
  }
  merge->losers[0] = build(merge, 1);
  *taken = merge->count;
  *out = merge;
  return ERR_OK;
}

/* The winner, or NULL when there is nothing more to give. */
static struct source *winner(struct sort_merge *merge) {
  struct source *source = &merge->sources[merge->losers[0]];
  if (source->at == source->batch.length) return NULL;
  if (merge->given < merge->options.keep) return source;
  if (!merge->options.with_ties || merge->last.count == 0) return NULL;
  return exec__sort_keys_compare(&source->keys, source->at, &merge->last, 0) == 0 ? source : NULL;
}

static int advance(struct sort_merge *merge, struct source *source, struct err *err) {
  int code = ERR_OK;
  merge->given++;
  if (merge->given == merge->options.keep && merge->options.with_ties)
    code = exec__sort_keys_make(merge->layout, source->batch.columns, source->at, 1,
                                &merge->last_arena, &merge->last, err);
  source->at++;
  if (!code && source->at == source->batch.length) code = fill(merge, source, err);
  if (!code) play(merge, merge->losers[0]);
  return code;
}

static void copy(struct exec_rows *rows, const struct source *source, int64_t from, int64_t count) {
  for (uint32_t c = 0; c < rows->schema->count && count; c++)
    builder_append_column(&rows->builders[c], &source->batch.columns[c], from, count);
}

int exec__sort_merge_rows(struct sort_merge *merge, int64_t count, struct exec_rows *rows,
                          struct err *err) {
  struct source *source;
  for (int64_t done = 0; done < count && (source = winner(merge)) != NULL;) {
    /* Rows of one source that follow each other; those at a batch's end before it is let go. */
    int64_t from = source->at, run = 1;
    bool last = from + 1 == source->batch.length;
    if (last) copy(rows, source, from, run);
    int code = advance(merge, source, err);
    for (; !code && !last && done + run < count && winner(merge) == source; run++) {
      last = source->at + 1 == source->batch.length;
      if (last) copy(rows, source, from, run + 1);
      code = advance(merge, source, err);
    }
    if (code) return code;
    if (!last) copy(rows, source, from, run);
    done += run;
  }
  return ERR_OK;
}

int exec__sort_merge_skip(struct sort_merge *merge, uint64_t count, struct err *err) {
  struct source *source;
  for (uint64_t i = 0; i < count && (source = winner(merge)) != NULL; i++) {
    int code = advance(merge, source, err);
    if (code) return code;
  }
  return ERR_OK;
}

void exec__sort_merge_close(struct sort_merge *merge) {
  if (!merge) return;
  struct mem_account *account = merge->exec->options.account;
  for (uint32_t i = 0; merge->sources && i < merge->count; i++)
    close_source(&merge->sources[i]);
  arena_deinit(&merge->last_arena);
  mem_free(account, merge->sources, merge->capacity * sizeof *merge->sources);
  mem_free(account, merge->losers, merge->capacity * sizeof *merge->losers);
  mem_free(account, merge, sizeof *merge);
}
