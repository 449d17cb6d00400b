/* Lines of a file taken apart one by one, for those who keep rows of their own: no table, no cache,
 * and the first bad line is the end. A piece of a file may end within a line, or within a string
 * that holds line ends; such a line waits for the rest of it. */
#include <string.h>

#include "base/err.h"
#include "base/limits.h"
#include "ingest/ingest_private.h"

enum { LINE_ARENA = 8192 };

static int visit_line(struct line_context *context, const struct ingest_line_visitor *visitor,
                      struct err *err) {
  struct ingest_line line;
  uint32_t most = context->options->line_bytes_max;
  size_t size = (size_t)(context->end - context->start);
  if (!most) most = (uint32_t)LIMIT_LINE_SIZE;
  if (size > most) {
    err_set(err, ERR_LIMIT_EXCEEDED, "a line of %zu bytes is longer than %u", size, most);
    err_position(err, (int32_t)context->line, 1, -1);
    return ERR_LIMIT_EXCEEDED;
  }
  arena_reset(&context->arena);
  int code = ingest__line_parts(context, &line, err);
  return code ? code : visitor->visit(visitor->context, &line, err);
}

int ingest_lines_visit(struct str text, bool last, const struct ingest_options *options,
                       struct mem_account *account, const struct ingest_line_visitor *visitor,
                       uint32_t *lines, size_t *used, struct err *err) {
  struct line_context context = {.options = options};
  const char *at = text.data, *end = text.data + text.size;
  int code = ERR_OK;
  arena_init(&context.arena, account, LINE_ARENA);
  while (at < end && !code) {
    bool open;
    const char *line_end = ingest__line_end_open(at, end, &open);
    if (!last && (open || line_end == end) && (size_t)(end - at) <= LIMIT_LINE_SIZE) break;
    const char *next = line_end < end ? line_end + 1 : end;
    context.line = *lines + 1;
    /* Line ends in strings count, so that the lines of errors are those of an editor. */
    for (const char *c = at; (c = memchr(c, '\n', (size_t)(next - c))); c++)
      ++*lines;
    if (line_end == end) ++*lines;
    while (line_end > at && line_end[-1] == '\r')
      line_end--;
    while (at < line_end && (*at == ' ' || *at == '\t'))
      at++;
    context.start = at;
    context.end = line_end;
    if (at < line_end && *at != '#') code = visit_line(&context, visitor, err);
    at = next;
  }
  *used = (size_t)(at - text.data);
  arena_deinit(&context.arena);
  return code;
}
