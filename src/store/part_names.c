#include "store/part_names.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/checksum.h"

/* ---- columns ---- */

static bool stands_for_itself(char byte) {
  return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
         (byte >= '0' && byte <= '9') || byte == '-' || byte == '_';
}

/* c and nothing but digits. */
static bool looks_like_id(struct str name) {
  if (name.size < 2 || name.data[0] != 'c') return false;
  for (size_t i = 1; i < name.size; i++)
    if (name.data[i] < '0' || name.data[i] > '9') return false;
  return true;
}

/* Escapes into out; false when it would be too long. */
static bool escape(struct str name, char *out) {
  static const char digits[] = "0123456789ABCDEF";
  bool id = looks_like_id(name);
  size_t at = 0;
  for (size_t i = 0; i < name.size; i++) {
    bool plain = stands_for_itself(name.data[i]) && !(id && i == 0);
    if (at + (plain ? 1 : 3) > PART_STEM_BYTES_MAX) return false;
    if (plain) {
      out[at++] = name.data[i];
      continue;
    }
    out[at++] = '%';
    out[at++] = digits[(uint8_t)name.data[i] >> 4];
    out[at++] = digits[(uint8_t)name.data[i] & 15];
  }
  out[at] = 0;
  return true;
}

void part_stem(struct str name, uint32_t id, bool with_id, char out[PART_STEM_SIZE]) {
  if (name.size == 0)
    snprintf(out, PART_STEM_SIZE, "c%u", id);
  else if (!escape(name, out))
    snprintf(out, PART_STEM_SIZE, "=%016llx", (unsigned long long)checksum64(name.data, name.size));
  size_t size = strlen(out);
  if (with_id) snprintf(out + size, PART_STEM_SIZE - size, "=%u", id);
}

static int hex_digit(char byte) {
  if (byte >= '0' && byte <= '9') return byte - '0';
  if (byte >= 'A' && byte <= 'F') return byte - 'A' + 10;
  return -1;
}

bool part_stem_name(struct str stem, struct buffer *name) {
  const char *mark = stem.size ? memchr(stem.data, '=', stem.size) : NULL;
  size_t size = mark ? (size_t)(mark - stem.data) : stem.size;
  if (size == 0 || looks_like_id((struct str){stem.data, size})) return false;
  for (size_t i = 0; i < size; i++) {
    char byte = stem.data[i];
    if (byte == '%') {
      if (size - i < 3) return false;
      int high = hex_digit(stem.data[i + 1]), low = hex_digit(stem.data[i + 2]);
      if (high < 0 || low < 0) return false;
      buffer_append_byte(name, (uint8_t)(high << 4 | low));
      i += 2;
    } else if (stands_for_itself(byte)) {
      buffer_append_byte(name, (uint8_t)byte);
    } else {
      return false;
    }
  }
  return true;
}

/* ---- files ---- */

enum { ORDER_KEYS = 2, ORDER_PAYLOADS, ORDER_COMMITS, ORDER_MARKS };
#define ORDER_COLUMNS (UINT64_C(1) << 40)
static const char *const endings[] = {"td", "tm", "tf", "tv"};

static uint64_t column_order(uint32_t index, unsigned ending) {
  return ORDER_COLUMNS | (uint64_t)index << 8 | ending;
}

uint64_t part_file_order(unsigned kind, uint32_t column, uint32_t index) {
  switch (kind) {
  case PART_PRIMARY:
    return PART_ORDER_PRIMARY;
  case PART_KEYS:
    return ORDER_KEYS;
  case PART_PAYLOADS:
    return ORDER_PAYLOADS;
  case PART_COMMITS:
    return ORDER_COMMITS;
  case PART_MARKS:
    return ORDER_MARKS;
  case PART_VALUES:
    return column_order(index, 0);
  case PART_COLUMN: /* the store's own columns have no names: theirs is beside the blocks' */
    return part_values_kind(column) == PART_VALUES ? column_order(index, 1) : PART_ORDER_PRIMARY;
  case PART_FILTER:
    return column_order(index, 2);
  case PART_VECTORS:
    return column_order(index, 3);
  default:
    return PART_ORDER_META;
  }
}

uint32_t part_order_column(uint64_t order) {
  return order == PART_ORDER_META || order < ORDER_COLUMNS
             ? UINT32_MAX
             : (uint32_t)((order - ORDER_COLUMNS) >> 8);
}

void part_order_name(uint64_t order, const char *stem, char out[PART_FILE_NAME_SIZE]) {
  static const char *const names[] = {
      [PART_ORDER_PRIMARY] = "primary.bin", [ORDER_KEYS] = "keys.bin",
      [ORDER_PAYLOADS] = "data.bin",        [ORDER_COMMITS] = "commits.bin",
      [ORDER_MARKS] = "marks.bin",
  };
  if (order == PART_ORDER_META)
    snprintf(out, PART_FILE_NAME_SIZE, "meta.bin");
  else if (order < ORDER_COLUMNS)
    snprintf(out, PART_FILE_NAME_SIZE, "%s", names[order]);
  else
    snprintf(out, PART_FILE_NAME_SIZE, "tag_%s.%s", stem, endings[order & 3]);
}
