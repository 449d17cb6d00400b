/* What the files of a part's directory are called. Private to the part files.
 *
 * A column's files are `tag_<stem>.td`, `.tm` …; the stem is the column's name, escaped so that the
 * name can be had back: letters, digits, - and _ stand for themselves, every other byte is %XX. A
 * column without a name is c<id>; a name that looks like that has its c escaped. An escaped name
 * over 80 bytes is =<16 hex digits of its checksum64>. Where two columns of a part would have one
 * stem, the later ones have =<id> behind it. Stems are plain ASCII, and never begin with a dot. */
#ifndef NILO_STORE_PART_NAMES_H
#define NILO_STORE_PART_NAMES_H

#include "base/str.h"
#include "store/part_format.h"

struct buffer;

enum {
  PART_STEM_SIZE = PART_STEM_BYTES_MAX + 16, /* with =<id> and the terminator */
  PART_FILE_NAME_SIZE = PART_STEM_SIZE + 16,
};

/* The stem of a column; `with_id`: with =<id> behind it. */
void part_stem(struct str name, uint32_t id, bool with_id, char out[PART_STEM_SIZE]);
/* Appends the name that a stem stands for; false when it stands for none: an id, a checksum, or not
 * a stem at all. */
bool part_stem_name(struct str stem, struct buffer *name);

/* The files of a directory in the order in which a column-major image holds their sections: a
 * number per file, ascending. `index` is the column's among those of the part; unused for sections
 * that belong to none. */
uint64_t part_file_order(unsigned kind, uint32_t column, uint32_t index);
enum { PART_ORDER_PRIMARY = 1 };
#define PART_ORDER_META UINT64_MAX
/* The column's index in an order; UINT32_MAX for files of no column. */
uint32_t part_order_column(uint64_t order);
/* The name of the file; `stem` is its column's. */
void part_order_name(uint64_t order, const char *stem, char out[PART_FILE_NAME_SIZE]);

#endif
