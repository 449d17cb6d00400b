/* \copy: CSV files of this machine into a table, or an answer into a file, whatever the door.
 *
 *   \copy TABLE [(COLUMNS)] FROM 'FILE' [CSV] [HEADER]
 *   \copy TABLE | (QUERY) TO 'FILE' [CSV] [HEADER]
 *
 * FROM sends the rows as INSERTs of many; fields are literals of no type, which become what their
 * columns are; a field that is empty and not quoted is NULL. With HEADER, or without a list of
 * columns and a first row that is no data, the names come from the file. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/shell.h"
#include "wire/csv.h"

enum { ROWS_PER_INSERT = 1000, INSERT_SIZE_MAX = 256 << 10 };

struct copying {
  struct shell *shell;
  struct str target, columns, file; /* as written; columns with parentheses, or empty */
  bool to, header;
  struct csv_reader reader;
  struct buffer insert;
  uint64_t pending, rows, line;
};

static struct str next_word(struct str *rest) {
  *rest = text_trim(*rest);
  size_t size = 0;
  char quote = 0;
  int depth = 0;
  for (; size < rest->size; size++) {
    char c = rest->data[size];
    if (quote) {
      if (c == quote) quote = 0;
    } else if (c == '\'' || c == '"') {
      quote = c;
    } else if (c == '(') {
      if (size && !depth) break;
      depth++;
    } else if (c == ')' && depth) {
      if (--depth == 0) {
        size++;
        break;
      }
    } else if (!depth && (text_is_blank(c) || c == ';' || c == ',')) {
      break;
    }
  }
  struct str word = str_of(rest->data, size);
  if (size < rest->size && (rest->data[size] == ';' || rest->data[size] == ',')) size++;
  *rest = str_of(rest->data + size, rest->size - size);
  return word;
}

static bool is(struct str word, const char *text) {
  return str_equal_ignoring_case(word, str_from(text));
}

static int parse(struct copying *copying, struct str text, struct err *err) {
  struct str rest = text;
  copying->target = next_word(&rest);
  struct str word = next_word(&rest);
  if (word.size && word.data[0] == '(') {
    copying->columns = word;
    word = next_word(&rest);
  }
  copying->to = is(word, "to");
  copying->file = next_word(&rest);
  if (copying->file.size > 1 && copying->file.data[0] == '\'')
    copying->file = str_of(copying->file.data + 1, copying->file.size - 2);
  bool good = copying->target.size && copying->file.size && (copying->to || is(word, "from"));
  while (good && text_trim(rest).size) {
    word = next_word(&rest);
    bool list = word.size && word.data[0] == '(';
    for (struct str inner = list ? str_of(word.data + 1, word.size - 2) : word; inner.size;) {
      struct str option = next_word(&inner);
      copying->header |= is(option, "header");
      good &= !option.size || is(option, "header") || is(option, "csv") || is(option, "with") ||
              is(option, "format") || is(option, "true");
      if (!option.size) break;
    }
  }
  if (good) return ERR_OK;
  err_set(err, ERR_PARSE, "\\copy cannot read this");
  err_hint(err, "\\copy TABLE [(COLUMNS)] FROM 'FILE' [CSV] [HEADER], or \\copy TABLE | (QUERY) TO "
                "'FILE' [CSV] [HEADER].");
  return ERR_PARSE;
}

/* ---- FROM ---- */

static int send(struct copying *copying, struct err *err) {
  if (!copying->pending) return ERR_OK;
  struct shell_result result;
  shell_result_init(&result, &copying->shell->cli->account);
  int code = buffer_check(&copying->insert, err);
  if (!code) code = shell_query(copying->shell, buffer_str(&copying->insert), &result, err);
  if (!code && result.error.code) {
    *err = result.error;
    err_position(err, 0, 0, -1);
    code = err_wrap(err, "rows of lines %llu to %llu were refused",
                    (unsigned long long)(copying->line - copying->pending + 1),
                    (unsigned long long)copying->line);
  }
  if (!code) copying->rows += copying->pending;
  copying->pending = 0;
  buffer_reset(&copying->insert);
  shell_result_deinit(&result);
  return code;
}

static int take_row(struct copying *copying, const struct csv_row *row, struct err *err) {
  struct buffer *out = &copying->insert;
  copying->line = (uint64_t)row->line;
  if (copying->header) { /* the first row */
    copying->header = false;
    if (copying->columns.size) return ERR_OK;
    struct buffer names;
    buffer_init(&names, &copying->shell->cli->account);
    for (size_t i = 0; i < row->count; i++) {
      buffer_append_text(&names, i ? ", " : "(");
      shell_append_name(&names, row->fields[i].text);
    }
    buffer_append_byte(&names, ')');
    copying->columns = arena_copy(&copying->shell->words_arena, buffer_str(&names));
    buffer_deinit(&names);
    return copying->columns.data ? ERR_OK : mem_refused(&copying->shell->cli->account, 1, err);
  }
  if (!copying->pending)
    buffer_printf(out, "INSERT INTO %.*s %.*s VALUES ", STR_ARG(copying->target),
                  STR_ARG(copying->columns));
  buffer_append_text(out, copying->pending ? ", (" : "(");
  for (size_t i = 0; i < row->count; i++) {
    if (i) buffer_append_text(out, ", ");
    if (!row->fields[i].text.size && !row->fields[i].quoted)
      buffer_append_text(out, "NULL");
    else
      shell_append_literal(out, row->fields[i].text);
  }
  buffer_append_byte(out, ')');
  copying->pending++;
  bool full = copying->pending == ROWS_PER_INSERT || out->size > INSERT_SIZE_MAX;
  return full ? send(copying, err) : ERR_OK;
}

static int take(void *context, struct str bytes, bool last, struct err *err) {
  struct copying *copying = context;
  int code = csv_reader_feed(&copying->reader, bytes, err);
  if (last) csv_reader_finish(&copying->reader);
  for (bool found = true; !code && found;) {
    struct csv_row row;
    code = csv_reader_next(&copying->reader, &row, &found, err);
    if (!code && found) code = take_row(copying, &row, err);
  }
  if (!code && shell_interrupted(copying->shell))
    code = err_set(err, ERR_CANCELLED, "canceling statement due to user request");
  return code;
}

static int copy_from(struct copying *copying, const char *path, struct err *err) {
  csv_reader_init(&copying->reader, NULL, &copying->shell->cli->account);
  int code = cli_read_file(copying->shell->cli, path, take, copying, err);
  if (!code) code = send(copying, err);
  csv_reader_deinit(&copying->reader);
  return code;
}

/* ---- TO ---- */

static int copy_to(struct copying *copying, const char *path, struct err *err) {
  struct shell *shell = copying->shell;
  struct shell_result result;
  struct buffer text, out;
  buffer_init(&text, &shell->cli->account);
  buffer_init(&out, &shell->cli->account);
  shell_result_init(&result, &shell->cli->account);
  if (copying->target.data[0] == '(')
    buffer_append_str(&text, str_of(copying->target.data + 1, copying->target.size - 2));
  else
    buffer_printf(
        &text, "SELECT %.*s FROM %.*s", copying->columns.size ? (int)copying->columns.size - 2 : 1,
        copying->columns.size ? copying->columns.data + 1 : "*", STR_ARG(copying->target));
  int code = shell_query(shell, buffer_str(&text), &result, err);
  if (!code && result.error.code) {
    *err = result.error;
    code = err->code;
  }
  struct shell csv = *shell;
  csv.format = SHELL_CSV;
  csv.header = copying->header;
  size_t widest;
  if (!code) code = shell_print(&csv, &result, &out, &widest, err);
  struct os_file *file = NULL;
  if (!code)
    code = os_file_open(shell->cli->os, path, OS_WRITE | OS_CREATE | OS_TRUNCATE, &file, err);
  if (!code) code = os_file_write(file, 0, out.data, out.size, err);
  os_file_close(file);
  copying->rows = shell_rows(&result);
  shell_result_deinit(&result);
  buffer_deinit(&out);
  buffer_deinit(&text);
  return code;
}

bool shell_copy(struct shell *shell, struct str arguments) {
  struct copying copying = {.shell = shell};
  struct err err;
  char path[LIMIT_PATH_SIZE];
  err_reset(&err);
  buffer_init(&copying.insert, &shell->cli->account);
  int code = parse(&copying, arguments, &err);
  if (!code && copying.file.size >= sizeof path)
    code = err_set(&err, ERR_LIMIT_EXCEEDED, "the name of the file is too long");
  if (!code) {
    snprintf(path, sizeof path, "%.*s", STR_ARG(copying.file));
    code = copying.to ? copy_to(&copying, path, &err) : copy_from(&copying, path, &err);
  }
  if (code) shell_tell_error(shell, (struct str){"", 0}, &err, NULL);
  if (!code && !shell->quiet) printf("COPY %llu\n", (unsigned long long)copying.rows);
  buffer_deinit(&copying.insert);
  return !code;
}
