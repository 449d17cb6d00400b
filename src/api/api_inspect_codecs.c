/* Views of `nilo inspect` on encodings: which one each column got and what it beat, and what that
 * saves and costs by table. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/viewing.h"
#include "base/err.h"
#include "codec/compare.h"
#include "store/tools.h"
#include "table/read.h"

/* ---- codecs ---- */

/* A column over some blocks. */
struct codec_sum {
  uint32_t column;
  struct type type;
  uint64_t blocks, values, bytes;
  uint64_t chosen[STORE_LOOK_CODECS];                           /* blocks */
  uint64_t tried[STORE_LOOK_CODECS], tried_[STORE_LOOK_CODECS]; /* blocks, bytes */
};

/* What is the same in every row is not shown to people. */
#define CODEC_COLUMNS(part, block)                                                                 \
  {                                                                                                \
    ".database", ".table", "-table", part, block, "column", ".type", ".blocks", "values",          \
        ".bytes", "-bits", "codec", "-instead", ".instead", NULL                                   \
  }
static const char *const columns_by_table[] = CODEC_COLUMNS(".part", ".block");
static const char *const columns_by_part[] = CODEC_COLUMNS("part", ".block");
static const char *const columns_by_block[] = CODEC_COLUMNS("part", "block");
enum { INSTEAD_SHOWN = 2 };

static bool is_by(const struct viewing *viewing, const char *unit) {
  struct str by = viewing->what->by.size ? viewing->what->by : STR("table");
  return str_equal(by, str_from(unit));
}

const char *const *api__codec_columns(const struct viewing *viewing) {
  return is_by(viewing, "block")  ? columns_by_block
         : is_by(viewing, "part") ? columns_by_part
                                  : columns_by_table;
}

/* The sum of a column, which becomes one if there is none. NULL: memory was refused. */
static struct codec_sum *sum_of(struct viewing *viewing, uint32_t column, struct type type) {
  struct buffer *sums = &viewing->sums;
  size_t count = sums->size / sizeof(struct codec_sum), low = 0, high = count;
  struct codec_sum *list = (struct codec_sum *)(void *)sums->data;
  while (low < high) {
    size_t middle = (low + high) / 2;
    if (list[middle].column < column)
      low = middle + 1;
    else
      high = middle;
  }
  if (low < count && list[low].column == column) return &list[low];
  if (!buffer_append_zero(sums, sizeof *list)) return NULL;
  list = (struct codec_sum *)(void *)sums->data;
  memmove(list + low + 1, list + low, (count - low) * sizeof *list);
  list[low] = (struct codec_sum){.column = column, .type = type};
  return &list[low];
}

struct instead {
  int codec;
  uint64_t bytes;
};

static int by_bytes(const void *a, const void *b) {
  const struct instead *x = a, *y = b;
  return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

/* What all blocks would take in one of the codecs that can do them all, smallest first; not the one
 * that they all have. */
static size_t list_instead(const struct codec_sum *sum, struct instead list[STORE_LOOK_CODECS]) {
  size_t count = 0;
  for (int codec = 0; codec < STORE_LOOK_CODECS; codec++)
    if (sum->tried[codec] == sum->blocks && sum->chosen[codec] != sum->blocks)
      list[count++] = (struct instead){codec, sum->tried_[codec]};
  qsort(list, count, sizeof *list, by_bytes);
  return count;
}

static double bits_of(uint64_t bytes, uint64_t values) {
  return values ? (double)bytes * 8 / (double)values : 0;
}

static void add_choice(struct sheet *sheet, const struct codec_sum *sum) {
  char text[512];
  size_t size = 0;
  for (int codec = 0; codec < STORE_LOOK_CODECS && size < sizeof text - 48; codec++) {
    if (!sum->chosen[codec]) continue;
    size += (size_t)snprintf(text + size, sizeof text - size, "%s%s", size ? ", " : "",
                             codec_name(codec));
    if (sum->chosen[codec] != sum->blocks)
      size += (size_t)snprintf(text + size, sizeof text - size, " %llu",
                               (unsigned long long)sum->chosen[codec]);
  }
  text[size] = 0;
  sheet_text(sheet, str_from(text));
}

/* For people the best few in bits a value, for programs all in bytes. */
static void add_instead(struct sheet *sheet, const struct codec_sum *sum) {
  struct instead list[STORE_LOOK_CODECS];
  char text[1024] = "";
  size_t count = list_instead(sum, list), size = 0;
  for (size_t i = 0; i < count && i < INSTEAD_SHOWN; i++)
    size += (size_t)snprintf(text + size, sizeof text - size, "%s%s %.2f", i ? ", " : "",
                             codec_name(list[i].codec), bits_of(list[i].bytes, sum->values));
  sheet_text(sheet, str_from(text));
  size = 0;
  text[0] = 0;
  for (size_t i = 0; i < count && size < sizeof text - 48; i++)
    size += (size_t)snprintf(text + size, sizeof text - size, "%s%s %llu", i ? ", " : "",
                             codec_name(list[i].codec), (unsigned long long)list[i].bytes);
  sheet_text(sheet, str_from(text));
}

static void add_sum(struct viewing *viewing, const struct codec_sum *sum, const char *block) {
  struct sheet *sheet = &viewing->sheet;
  char name[64], bits[32];
  if (is_by(viewing, "table")) snprintf(viewing->part, sizeof viewing->part, "all");
  api__view_place(viewing, sheet);
  sheet_text(sheet, str_from(block));
  sheet_text(sheet, sum->column == STORE_LOOK_KEYS
                        ? STR("(time)")
                        : api__view_column(viewing, sum->column, name, sizeof name));
  sheet_text(sheet, str_from(type_name(sum->type)));
  sheet_number(sheet, sum->blocks);
  sheet_number(sheet, sum->values);
  sheet_number(sheet, sum->bytes);
  snprintf(bits, sizeof bits, "%.2f", bits_of(sum->bytes, sum->values));
  sheet_text(sheet, str_from(bits));
  add_choice(sheet, sum);
  add_instead(sheet, sum);
}

static void tell_sums(struct viewing *viewing, const char *block) {
  const struct codec_sum *list = (const struct codec_sum *)(const void *)viewing->sums.data;
  size_t count = viewing->sums.size / sizeof *list;
  for (size_t i = 0; i < count; i++)
    add_sum(viewing, &list[i], block);
  buffer_reset(&viewing->sums);
}

struct block_at {
  struct viewing *viewing;
  uint32_t block;
};

static void end_block(const struct block_at *at) {
  char text[16];
  snprintf(text, sizeof text, "%u", at->block);
  if (is_by(at->viewing, "block")) tell_sums(at->viewing, text);
}

static int add_block(void *context, const struct store_codec_look *look) {
  struct block_at *at = context;
  if (look->block != at->block) end_block(at);
  at->block = look->block;
  struct codec_sum *sum = sum_of(at->viewing, look->column, look->type);
  if (!sum) return buffer_check(&at->viewing->sums, at->viewing->err);
  sum->blocks++;
  sum->values += look->values;
  sum->bytes += look->bytes;
  if (look->codec < STORE_LOOK_CODECS) sum->chosen[look->codec]++;
  for (size_t i = 0; i < look->trial_count; i++) {
    if (look->trials[i].codec >= STORE_LOOK_CODECS) continue;
    sum->tried[look->trials[i].codec]++;
    sum->tried_[look->trials[i].codec] += look->trials[i].bytes;
  }
  return ERR_OK;
}

int api__view_codecs(struct viewing *viewing, struct store_part *part) {
  struct block_at at = {viewing, 0};
  int code = store_part_compare(part, viewing->account, add_block, &at, viewing->err);
  if (code) return code;
  end_block(&at);
  if (is_by(viewing, "part")) tell_sums(viewing, "all");
  return ERR_OK;
}

void api__view_codecs_end(struct viewing *viewing) { tell_sums(viewing, "all"); }

/* ---- compression ---- */

const char *const api__compression_columns[] = {
    ".database", ".table",    "-table",      "setting",      "level",   ".parts",   "rows", "plain",
    "bytes",     "-bits/row", ".encoded_in", ".encoded_out", ".cpu_ns", "-written", "-CPU", NULL};

struct level_sum {
  uint64_t parts, rows, plain, bytes;
};

static void add_level(struct viewing *viewing, const char *setting, unsigned level,
                      const struct level_sum *sum, const struct store_encoding *encoding) {
  struct sheet *sheet = &viewing->sheet;
  char text[32];
  api__view_table(viewing, sheet);
  sheet_text(sheet, str_from(setting));
  sheet_text(sheet, str_from(store_encoding_name(level - CODEC_HOT)));
  sheet_number(sheet, sum->parts);
  sheet_number(sheet, sum->rows);
  sheet_bytes(sheet, sum->plain);
  sheet_bytes(sheet, sum->bytes);
  snprintf(text, sizeof text, "%.2f", bits_of(sum->bytes, sum->rows));
  sheet_text(sheet, str_from(text));
  sheet_number(sheet, encoding->bytes_in);
  sheet_number(sheet, encoding->bytes_out);
  sheet_number(sheet, encoding->cpu_ns);
  sheet_bytes(sheet, encoding->bytes_out);
  snprintf(text, sizeof text, "%.3f s", (double)encoding->cpu_ns / 1e9);
  sheet_text(sheet, str_from(text));
}

void api__view_compression(struct viewing *viewing, uint64_t store) {
  static const struct store_encoding none = {0};
  struct level_sum sums[CODEC_HOT + STORE_ENCODINGS] = {{0}};
  struct store_amplification figures = {0};
  struct store_part *const *parts;
  size_t count = store_snapshot_parts(viewing->stores, store, &parts);
  for (size_t i = 0; i < count; i++) {
    struct store_part_facts facts;
    store_part_facts(parts[i], &facts);
    if (facts.level >= CODEC_HOT + STORE_ENCODINGS) continue;
    struct level_sum *sum = &sums[facts.level];
    sum->parts++;
    sum->rows += facts.rows;
    sum->plain += facts.bytes_plain;
    sum->bytes += facts.bytes;
  }
  (void)store_amplification(viewing->alone ? viewing->alone->shard
                                           : table_engine_shard(viewing->api->engine),
                            store, &figures);
  const char *setting =
      viewing->catalog_table
          ? catalog_codec_name((int)catalog_table_settings(viewing->catalog_table)->codec)
          : "entropy";
  for (unsigned level = 0; level < CODEC_HOT + STORE_ENCODINGS; level++) {
    const struct store_encoding *encoding =
        level < CODEC_HOT ? &none : &figures.encodings[level - CODEC_HOT];
    if (sums[level].parts || encoding->bytes_in)
      add_level(viewing, setting, level, &sums[level], encoding);
  }
}
