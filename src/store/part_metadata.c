#include "store/part_metadata.h"

#include <math.h>
#include <stdio.h>

enum primary_flags { PRIMARY_ONE_RUN = 1, PRIMARY_SINGLE_ROWS = 2, PRIMARY_FLAGS = 3 };

enum record_shape {
  SHAPE_PRESENT = 1,
  SHAPE_NULLS = 2,
  SHAPE_NAN = 4,
  SHAPE_RANGE = 8,
  SHAPE_SUM = 16,
  SHAPE_ENDS = 32,
  SHAPE_KEYS = 64,
  SHAPE_FRAMES = 128,
};
enum record_scale {
  SCALE_DECIMALS = 31,
  SCALE_DECIMAL = 32,
  SCALE_DECIMAL_SUM = 64,
  SCALE_COMPENSATION = 128,
  SCALE_MAX = 15, /* decimals: 10^15 and the integers below 2^53 are exact */
};

static const double powers[SCALE_MAX + 1] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                             1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};

char *part_section_name(unsigned kind, uint32_t column, char *out, size_t size) {
  static const char *const names[] = {
      [PART_META] = "meta.bin",
      [PART_BLOCKS] = "blocks.bin",
      [PART_PRIMARY] = "primary.bin",
      [PART_SERIES] = "series.bin",
      [PART_TOMBSTONES] = "tombstones.bin",
      [PART_KEYS] = "keys.bin",
      [PART_PAYLOADS] = "data.bin",
      [PART_COMMITS] = "commits.bin",
      [PART_MARKS] = "marks.bin",
      [PART_NAMES] = "names",
  };
  static const char *const endings[] = {
      [PART_COLUMN] = "tm", [PART_VALUES] = "td", [PART_FILTER] = "tf", [PART_VECTORS] = "tv"};
  if (kind < sizeof(endings) / sizeof(endings[0]) && endings[kind])
    snprintf(out, size, "tag_c%u.%s", column, endings[kind]);
  else if (kind < sizeof(names) / sizeof(names[0]) && names[kind])
    snprintf(out, size, "%s", names[kind]);
  else
    snprintf(out, size, "section %u", kind);
  return out;
}

/* ---- primary.bin ---- */

static const struct part_primary before_first;

uint8_t *part_primary_write(uint8_t *at, const struct part_primary *record,
                            const struct part_primary *previous) {
  if (!previous) previous = &before_first;
  bool one = record->runs == 1;
  *at++ = (uint8_t)((one ? PRIMARY_ONE_RUN : 0) | (record->single_rows ? PRIMARY_SINGLE_ROWS : 0));
  at = varint_write(at, record->rows);
  at = varint_write(at, record->series_first - previous->series_last);
  if (!one) {
    at = varint_write(at, record->series_last - record->series_first);
    at = varint_write(at, record->runs);
  }
  at = varint_write(
      at, zigzag_encode((int64_t)((uint64_t)record->key_min - (uint64_t)previous->key_max)));
  at = varint_write(at, (uint64_t)record->key_max - (uint64_t)record->key_min);
  at = varint_write(at, record->size / PART_ALIGNMENT);
  if (!one) at = varint_write(at, record->runs_size / PART_ALIGNMENT);
  at = varint_write(at, record->keys_size / PART_ALIGNMENT);
  if (!one) {
    store_u64(at, record->runs_checksum);
    at += 8;
  }
  store_u64(at, record->keys_checksum);
  return at + 8;
}

/* A size in units of 8; anything over a unit's limit makes the reader fail. */
static uint32_t read_size(struct reader *reader) {
  uint64_t units = reader_varint(reader);
  if (units > (uint64_t)LIMIT_UNIT_SIZE / PART_ALIGNMENT) {
    reader->failed = true;
    return 0;
  }
  return (uint32_t)(units * PART_ALIGNMENT);
}

static uint32_t read_u32(struct reader *reader) {
  uint64_t value = reader_varint(reader);
  if (value > UINT32_MAX) reader->failed = true;
  return (uint32_t)value;
}

bool part_primary_read(struct reader *reader, const struct part_primary *previous,
                       struct part_primary *record) {
  if (!previous) previous = &before_first;
  *record = (struct part_primary){.runs = 1};
  uint8_t flags = reader_u8(reader);
  bool one = flags & PRIMARY_ONE_RUN;
  record->single_rows = flags & PRIMARY_SINGLE_ROWS;
  record->rows = read_u32(reader);
  record->series_first = previous->series_last + reader_varint(reader);
  record->series_last = record->series_first;
  if (!one) {
    record->series_last += reader_varint(reader);
    record->runs = read_u32(reader);
  }
  record->key_min = (int64_t)((uint64_t)previous->key_max + (uint64_t)reader_zigzag(reader));
  record->key_max = (int64_t)((uint64_t)record->key_min + reader_varint(reader));
  record->size = read_size(reader);
  if (!one) record->runs_size = read_size(reader);
  record->keys_size = read_size(reader);
  if (!one) record->runs_checksum = reader_u64(reader);
  record->keys_checksum = reader_u64(reader);
  if (reader->failed || flags & ~PRIMARY_FLAGS) return false;
  bool runs_fit =
      one ? record->runs == 1
          : record->runs > 1 && record->series_first < record->series_last && record->runs_size > 0;
  return runs_fit && record->rows >= record->runs && record->rows <= LIMIT_BLOCK_ROWS &&
         (record->runs == record->rows || !record->single_rows) && record->series_first > 0 &&
         record->series_first >= previous->series_last && record->key_min <= record->key_max &&
         record->keys_size > 0 && (uint64_t)record->runs_size + record->keys_size <= record->size;
}

/* ---- .tm: values ---- */

/* The values of one record as integers: integers are themselves; floats become decimals of one
 * scale, or their bits. */
struct packing {
  bool is_float, decimal, is_string, is_signed;
  uint8_t scale;
};

static struct packing packing_of(struct type type) {
  return (struct packing){
      .is_float = type.physical == PHYSICAL_FLOAT64,
      .is_string = type_is_string(type),
      .is_signed = type.physical == PHYSICAL_INT64,
  };
}

/* The integer whose division by 10^scale gives exactly the bits of value; false if there is none.
 */
static bool decimal_of(double value, unsigned scale, int64_t *integer) {
  double scaled = value * powers[scale];
  if (!(scaled > -9007199254740992.0 && scaled < 9007199254740992.0)) return false;
  int64_t rounded = llrint(scaled);
  *integer = rounded;
  return f64_bits((double)rounded / powers[scale]) == f64_bits(value);
}

static double decimal_value(int64_t integer, unsigned scale) {
  return (double)integer / powers[scale];
}

/* Whether all values that the record holds are decimals of this scale. */
static bool decimals_fit(const struct column_statistics *statistics, unsigned scale) {
  int64_t unused;
  if (statistics->flags & STATISTICS_RANGE)
    if (!decimal_of(statistics->min.f64, scale, &unused) ||
        !decimal_of(statistics->max.f64, scale, &unused))
      return false;
  if (statistics->flags & STATISTICS_ENDS)
    if (!decimal_of(statistics->first.f64, scale, &unused) ||
        !decimal_of(statistics->last.f64, scale, &unused))
      return false;
  return true;
}

static bool decimals_find(const struct column_statistics *statistics, uint8_t *scale) {
  if (*scale <= SCALE_MAX && decimals_fit(statistics, *scale)) return true;
  for (uint8_t i = 0; i <= SCALE_MAX; i++) {
    if (!decimals_fit(statistics, i)) continue;
    *scale = i;
    return true;
  }
  return false;
}

/* A value's integer under the packing. */
static uint64_t packed(const struct packing *packing, union statistics_value value) {
  if (!packing->decimal) return value.u64;
  int64_t integer = 0;
  decimal_of(value.f64, packing->scale, &integer);
  return (uint64_t)integer;
}
static union statistics_value unpacked(const struct packing *packing, uint64_t integer) {
  if (!packing->decimal) return (union statistics_value){.u64 = integer};
  return (union statistics_value){.f64 = decimal_value((int64_t)integer, packing->scale)};
}

/* Differences from the lowest are not negative, but for the bits of floats, and for a first or last
 * value that is NaN or a negative zero. */
static uint8_t *write_difference(uint8_t *at, const struct packing *packing, uint64_t value,
                                 uint64_t base) {
  uint64_t difference = value - base;
  return varint_write(at, packing->is_float ? zigzag_encode((int64_t)difference) : difference);
}
static uint64_t read_difference(struct reader *reader, const struct packing *packing,
                                uint64_t base) {
  return base + (packing->is_float ? (uint64_t)reader_zigzag(reader) : reader_varint(reader));
}

static uint8_t *write_sum(uint8_t *at, const struct packing *packing, uint8_t scale,
                          const struct column_statistics *statistics, uint64_t base) {
  if (packing->is_float) {
    if (scale & SCALE_DECIMAL_SUM) {
      int64_t integer = 0;
      decimal_of(statistics->sum, packing->scale, &integer);
      at = varint_write(at, zigzag_encode(integer));
    } else {
      store_f64(at, statistics->sum);
      at += 8;
    }
    if (!(scale & SCALE_COMPENSATION)) return at;
    store_f64(at, statistics->compensation);
    return at + 8;
  }
  __int128 low = packing->is_signed ? (__int128)(int64_t)base : (__int128)base;
  unsigned __int128 sum = (unsigned __int128)statistics->sum_high << 64 | statistics->sum_low;
  sum -= (unsigned __int128)low * statistics->count;
  at = varint_write(at, (uint64_t)sum);
  return varint_write(at, (uint64_t)(sum >> 64));
}

static void read_sum(struct reader *reader, const struct packing *packing, uint8_t scale,
                     struct column_statistics *statistics, uint64_t base) {
  if (packing->is_float) {
    statistics->sum = scale & SCALE_DECIMAL_SUM
                          ? decimal_value(reader_zigzag(reader), packing->scale)
                          : reader_f64(reader);
    statistics->compensation = scale & SCALE_COMPENSATION ? reader_f64(reader) : 0.0;
    return;
  }
  __int128 low = packing->is_signed ? (__int128)(int64_t)base : (__int128)base;
  unsigned __int128 sum = reader_varint(reader);
  sum |= (unsigned __int128)reader_varint(reader) << 64;
  sum += (unsigned __int128)low * statistics->count;
  statistics->sum_low = (uint64_t)sum;
  statistics->sum_high = (uint64_t)(sum >> 64);
}

/* ---- .tm: records ---- */

static uint8_t shape_of(const struct part_record *record, const struct part_record_block *block) {
  const struct column_statistics *statistics = &record->statistics;
  uint8_t shape = SHAPE_PRESENT | (record->head_size ? SHAPE_FRAMES : 0);
  if (statistics->count < block->rows) shape |= SHAPE_NULLS;
  if (statistics->nan_count) shape |= SHAPE_NAN;
  if (statistics->flags & STATISTICS_RANGE) shape |= SHAPE_RANGE;
  if (statistics->flags & STATISTICS_SUM) shape |= SHAPE_SUM;
  if (statistics->flags & STATISTICS_ENDS) {
    shape |= SHAPE_ENDS;
    if (statistics->first_key != block->key_min || statistics->last_key != block->key_max)
      shape |= SHAPE_KEYS;
  }
  return shape;
}

static uint8_t scale_of(const struct column_statistics *statistics, uint8_t *scale) {
  uint8_t result = 0;
  int64_t unused;
  if (decimals_find(statistics, scale)) {
    result = (uint8_t)(SCALE_DECIMAL | *scale);
    if (decimal_of(statistics->sum, *scale, &unused)) result |= SCALE_DECIMAL_SUM;
  }
  if (f64_bits(statistics->compensation) != 0) result |= SCALE_COMPENSATION;
  return result;
}

uint8_t *part_record_write(uint8_t *at, const struct part_record *record, struct type type,
                           const struct part_record_block *block, uint8_t *scale) {
  if (record->size == 0) {
    *at++ = 0;
    return at;
  }
  const struct column_statistics *statistics = &record->statistics;
  struct packing packing = packing_of(type);
  uint8_t shape = shape_of(record, block), scales = 0;
  *at++ = shape;
  *at++ = record->codec;
  at = varint_write(at, record->place / PART_ALIGNMENT);
  at = varint_write(at, record->size / PART_ALIGNMENT);
  if (shape & SHAPE_FRAMES) at = varint_write(at, record->head_size / PART_ALIGNMENT);
  store_u64(at, record->checksum);
  at += 8;
  if (shape & SHAPE_NULLS) at = varint_write(at, block->rows - statistics->count);
  if (shape & SHAPE_NAN) at = varint_write(at, statistics->nan_count);
  if (packing.is_float && shape & (SHAPE_RANGE | SHAPE_SUM | SHAPE_ENDS)) {
    scales = scale_of(statistics, scale);
    *at++ = scales;
    packing.decimal = scales & SCALE_DECIMAL;
    packing.scale = scales & SCALE_DECIMALS;
  }
  uint64_t base = 0;
  if (shape & SHAPE_RANGE) {
    base = packed(&packing, statistics->min);
    if (packing.is_float && !packing.decimal) {
      store_u64(at, base);
      at += 8;
    } else {
      at = varint_write(at, zigzag_encode((int64_t)base));
    }
    at = write_difference(at, &packing, packed(&packing, statistics->max), base);
  }
  if (shape & SHAPE_SUM) at = write_sum(at, &packing, scales, statistics, base);
  if (shape & SHAPE_ENDS && !packing.is_string) {
    at = write_difference(at, &packing, packed(&packing, statistics->first), base);
    at = write_difference(at, &packing, packed(&packing, statistics->last), base);
  }
  if (shape & SHAPE_KEYS) {
    at = varint_write(at, (uint64_t)statistics->first_key - (uint64_t)block->key_min);
    at = varint_write(at, (uint64_t)statistics->last_key - (uint64_t)block->key_min);
  }
  return at;
}

static void read_statistics(struct reader *reader, uint8_t shape, struct packing packing,
                            const struct part_record_block *block,
                            struct column_statistics *statistics) {
  *statistics = (struct column_statistics){.count = block->rows};
  if (shape & SHAPE_RANGE) statistics->flags |= STATISTICS_RANGE;
  if (shape & SHAPE_SUM) statistics->flags |= STATISTICS_SUM;
  if (shape & SHAPE_ENDS) statistics->flags |= STATISTICS_ENDS;
  if (shape & SHAPE_NULLS) statistics->count -= read_u32(reader);
  if (shape & SHAPE_NAN) statistics->nan_count = read_u32(reader);
  uint8_t scales = 0;
  if (packing.is_float && shape & (SHAPE_RANGE | SHAPE_SUM | SHAPE_ENDS)) {
    scales = reader_u8(reader);
    packing.decimal = scales & SCALE_DECIMAL;
    packing.scale = scales & SCALE_DECIMALS;
    if (packing.scale > SCALE_MAX) {
      reader->failed = true;
      packing.scale = 0;
    }
  }
  uint64_t base = 0;
  if (shape & SHAPE_RANGE) {
    base =
        packing.is_float && !packing.decimal ? reader_u64(reader) : (uint64_t)reader_zigzag(reader);
    statistics->min = unpacked(&packing, base);
    statistics->max = unpacked(&packing, read_difference(reader, &packing, base));
  }
  if (shape & SHAPE_SUM) read_sum(reader, &packing, scales, statistics, base);
  if (!(shape & SHAPE_ENDS)) return;
  if (!packing.is_string) {
    statistics->first = unpacked(&packing, read_difference(reader, &packing, base));
    statistics->last = unpacked(&packing, read_difference(reader, &packing, base));
  }
  statistics->first_key = block->key_min;
  statistics->last_key = block->key_max;
  if (shape & SHAPE_KEYS) {
    statistics->first_key = (int64_t)((uint64_t)block->key_min + reader_varint(reader));
    statistics->last_key = (int64_t)((uint64_t)block->key_min + reader_varint(reader));
  }
}

bool part_record_read(struct reader *reader, struct type type,
                      const struct part_record_block *block, bool with_statistics,
                      struct part_record *record) {
  *record = (struct part_record){.size = 0};
  uint8_t shape = reader_u8(reader);
  if (shape == 0) return !reader->failed;
  record->codec = reader_u8(reader);
  record->place = reader_varint(reader);
  record->size = read_size(reader);
  if (shape & SHAPE_FRAMES) record->head_size = read_size(reader);
  record->checksum = reader_u64(reader);
  if (reader->failed || !(shape & SHAPE_PRESENT) || record->size == 0 ||
      record->place > INT64_MAX / PART_ALIGNMENT || record->head_size > record->size ||
      (shape & SHAPE_FRAMES && record->head_size == 0))
    return false;
  record->place *= PART_ALIGNMENT;
  if (!with_statistics) return true;
  read_statistics(reader, shape, packing_of(type), block, &record->statistics);
  return !reader->failed && record->statistics.count <= block->rows &&
         record->statistics.count > 0 && record->statistics.nan_count <= record->statistics.count;
}

bool part_record_skip(struct reader *reader, struct type type) {
  struct part_record record;
  /* Which bytes a record has does not depend on the block's facts. */
  struct part_record_block block = {.rows = UINT32_MAX};
  return part_record_read(reader, type, &block, true, &record);
}
