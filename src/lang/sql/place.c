/* The place of an error in its text: the line and a caret below it. */
#include "base/buffer.h"
#include "base/text.h"
#include "lang/sql/sql.h"

/* Of a long line, only what is around the place. */
enum { SHOWN_BEFORE = 60, SHOWN_BEHIND = 40 };

/* From `at` back to the beginning of a character. */
static size_t character_begin(struct str text, size_t at) {
  while (at > 0 && at < text.size && ((unsigned char)text.data[at] & 0xc0) == 0x80)
    at--;
  return at;
}

void sql_print_place(struct str text, const struct err *err, struct buffer *out) {
  if (!err || err->offset < 0 || (uint64_t)err->offset > text.size || err->line < 1) return;
  size_t at = (size_t)err->offset, begin = at, end = at;
  while (begin > 0 && text.data[begin - 1] != '\n')
    begin--;
  while (end < text.size && text.data[end] != '\n' && text.data[end] != '\r')
    end++;
  size_t from = begin, to = end;
  if (at - begin > SHOWN_BEFORE) from = character_begin(text, at - SHOWN_BEFORE);
  if (end - at > SHOWN_BEHIND) to = character_begin(text, at + SHOWN_BEHIND);
  size_t head = out->size;
  buffer_printf(out, "LINE %d: %s", err->line, from > begin ? "..." : "");
  size_t indent = out->size - head;
  struct str before = str_of(text.data + from, at - from);
  /* A tab is as wide as the reader's terminal has it: it stands in both lines. */
  for (size_t i = from; i < to; i++)
    buffer_append_byte(out, (uint8_t)text.data[i]);
  buffer_printf(out, "%s\n%*s", to < end ? "..." : "", (int)indent, "");
  for (size_t i = 0; i < before.size; i++)
    if (((unsigned char)before.data[i] & 0xc0) != 0x80)
      buffer_append_byte(out, before.data[i] == '\t' ? '\t' : ' ');
  buffer_append_text(out, "^\n");
}
