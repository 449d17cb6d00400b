#include "base/text.h"

#include "base/bytes.h"

/* ---- nearest names ---- */

enum { DISTANCE_SIZE_MAX = 64 };

static unsigned min3(unsigned a, unsigned b, unsigned c) {
  unsigned least = a < b ? a : b;
  return least < c ? least : c;
}

/* Three rows of the table of Wagner and Fischer, 1974, with neighbour swaps. */
static unsigned distance_rows(struct str a, struct str b, unsigned limit) {
  unsigned rows[3][DISTANCE_SIZE_MAX + 1];
  unsigned *before = rows[0], *last = rows[1], *row = rows[2];
  for (size_t j = 0; j <= b.size; j++)
    last[j] = (unsigned)j;
  for (size_t i = 1; i <= a.size; i++) {
    unsigned best = row[0] = (unsigned)i;
    char ca = text_lower(a.data[i - 1]);
    for (size_t j = 1; j <= b.size; j++) {
      char cb = text_lower(b.data[j - 1]);
      row[j] = min3(last[j] + 1, row[j - 1] + 1, last[j - 1] + (ca != cb));
      if (i > 1 && j > 1 && ca == text_lower(b.data[j - 2]) && cb == text_lower(a.data[i - 2]) &&
          before[j - 2] + 1 < row[j])
        row[j] = before[j - 2] + 1;
      if (row[j] < best) best = row[j];
    }
    if (best > limit) return limit + 1;
    unsigned *free_row = before;
    before = last;
    last = row;
    row = free_row;
  }
  return last[b.size] > limit ? limit + 1 : last[b.size];
}

unsigned text_distance(struct str a, struct str b, unsigned limit) {
  if (str_equal_ignoring_case(a, b)) return 0;
  size_t gap = a.size > b.size ? a.size - b.size : b.size - a.size;
  if (gap > limit || a.size > DISTANCE_SIZE_MAX || b.size > DISTANCE_SIZE_MAX) return limit + 1;
  return distance_rows(a, b, limit);
}

struct text_nearest text_nearest_of(struct str wanted) {
  /* A third of the name may be wrong, so that short names do not suggest just anything. */
  unsigned limit = (unsigned)(wanted.size / 3);
  return (struct text_nearest){wanted, {NULL, 0}, limit > 3 ? 4 : limit + 1};
}

void text_nearest_offer(struct text_nearest *nearest, struct str candidate) {
  if (nearest->distance == 0) return;
  unsigned distance = text_distance(nearest->wanted, candidate, nearest->distance - 1);
  if (distance >= nearest->distance) return;
  nearest->distance = distance;
  nearest->best = candidate;
}

/* ---- UTF-8 ---- */

/* Bytes of the valid character at `at` (not ASCII), 0 if there is none. Table 3-7 of the Unicode
 * Standard: only the second byte's range depends on the first. */
static size_t character_size(const unsigned char *at, size_t left) {
  unsigned char lead = at[0];
  if (lead < 0xc2 || lead > 0xf4) return 0;
  size_t size = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (left < size) return 0;
  unsigned char low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
  unsigned char high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
  if (at[1] < low || at[1] > high) return 0;
  for (size_t i = 2; i < size; i++)
    if ((at[i] & 0xc0) != 0x80) return 0;
  return size;
}

size_t text_utf8_prefix(struct str text) {
  const unsigned char *bytes = (const unsigned char *)text.data;
  size_t at = 0;
  while (at < text.size) {
    while (text.size - at >= 16 &&
           ((load_u64(bytes + at) | load_u64(bytes + at + 8)) & UINT64_C(0x8080808080808080)) == 0)
      at += 16;
    if (at == text.size) break;
    size_t size = bytes[at] < 0x80 ? 1 : character_size(bytes + at, text.size - at);
    if (size == 0) return at;
    at += size;
  }
  return at;
}

struct str text_cut(struct str text, size_t size) {
  if (text.size <= size) return text;
  size_t cut = size;
  for (int back = 0; cut > 0 && back < 3 && ((unsigned char)text.data[cut] & 0xc0) == 0x80; back++)
    cut--;
  if (((unsigned char)text.data[cut] & 0xc0) == 0x80) cut = size; /* not UTF-8 anyway */
  return (struct str){text.data, cut};
}

size_t text_utf8_length(struct str text) {
  size_t count = 0;
  for (size_t at = 0; at < text.size; count++) {
    const unsigned char *byte = (const unsigned char *)text.data + at;
    size_t size = *byte < 0x80 ? 1 : character_size(byte, text.size - at);
    at += size ? size : 1;
  }
  return count;
}

size_t text_utf8_encode(uint32_t code_point, char *out) {
  if (code_point < 0x80) {
    out[0] = (char)code_point;
    return 1;
  }
  if (code_point > 0x10ffff || (code_point >= 0xd800 && code_point <= 0xdfff)) return 0;
  size_t size = code_point < 0x800 ? 2 : code_point < 0x10000 ? 3 : 4;
  for (size_t i = size - 1; i > 0; i--, code_point >>= 6)
    out[i] = (char)(0x80 | (code_point & 0x3f));
  static const unsigned char leads[5] = {0, 0, 0xc0, 0xe0, 0xf0};
  out[0] = (char)(leads[size] | code_point);
  return size;
}

/* ---- pieces ---- */

struct str text_trim(struct str text) {
  while (text.size && text_is_blank(text.data[0])) {
    text.data++;
    text.size--;
  }
  while (text.size && text_is_blank(text.data[text.size - 1]))
    text.size--;
  return text;
}

size_t text_find(struct str text, char byte) {
  const char *found = text.size ? memchr(text.data, byte, text.size) : NULL;
  return found ? (size_t)(found - text.data) : text.size;
}

struct str text_split(struct str *rest, char separator) {
  size_t at = text_find(*rest, separator);
  struct str piece = {rest->data, at};
  if (at == rest->size)
    *rest = (struct str){NULL, 0};
  else
    *rest = (struct str){rest->data + at + 1, rest->size - at - 1};
  return piece;
}
