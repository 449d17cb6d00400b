/* Rows of named cells, shown as an aligned table or as JSON objects. Private to the api. */
#ifndef NILO_API_SHEET_H
#define NILO_API_SHEET_H

#include "base/buffer.h"
#include "wire/json.h"

enum { SHEET_COLUMNS_MAX = 24 };
struct sheet {
  const char *const *names; /* of the columns, ends with NULL; with a '.' in front: in JSON only,
                               '-': in tables only */
  struct buffer cells;      /* each a struct cell and its text */
  uint32_t columns;
};
/* Begins one; `names` is static and ends with NULL. */
void sheet_init(struct sheet *sheet, const char *const *names, struct mem_account *account);
void sheet_deinit(struct sheet *sheet);
/* The next cell of the row at hand, in the order of names. Texts are escaped where they are shown.
 */
void sheet_text(struct sheet *sheet, struct str text);
void sheet_number(struct sheet *sheet, uint64_t value);
void sheet_signed(struct sheet *sheet, int64_t value);
/* A number of bytes: with its unit in the table. */
void sheet_bytes(struct sheet *sheet, uint64_t value);
/* Writes all rows: a table under a title, or the member `title` with an array of objects. */
void sheet_write_text(const struct sheet *sheet, const char *title, struct buffer *out);
void sheet_write_json(const struct sheet *sheet, const char *title, struct json_writer *json);

#endif
