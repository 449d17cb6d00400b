/* The dialog: lines are gathered until a statement is whole. */
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "cli/shell.h"
#include "server/http_client.h"

/* "nilo=> ", and behind the first line what is open: "nilo-> ", "nilo'> ", "nilo(> ". */
static void make_prompt(struct shell *shell, const struct buffer *pending, char *out, size_t size) {
  struct shell_scan scan;
  bool whole;
  char mark = '=';
  if (pending->size) {
    shell_statement_end(buffer_str(pending), &whole, &scan);
    mark = scan.comment_depth  ? '*'
           : scan.quote == 'e' ? '\''
           : scan.quote        ? scan.quote
           : scan.parentheses  ? '('
                               : '-';
  }
  snprintf(out, size, "%.40s%c> ", (const char *)shell->database.data, mark);
}

/* Runs what is whole; what is not stays. */
static void run_whole(struct shell *shell, struct buffer *pending) {
  for (;;) {
    struct shell_scan scan;
    bool whole;
    struct str text = shell_strip(buffer_str(pending));
    size_t size = shell_statement_end(text, &whole, &scan);
    if (!whole) {
      if (!text.size) buffer_reset(pending);
      return;
    }
    struct str statement = str_of(text.data, size);
    if (shell->line) shell_line_remember(shell->line, statement);
    buffer_reset(&shell->text);
    buffer_append_str(&shell->text, statement);
    buffer_append_byte(&shell->text, 0);
    shell_execute(shell, str_of(shell->text.data, shell->text.size - 1));
    size_t used = (size_t)(text.data + size - (const char *)pending->data);
    memmove(pending->data, pending->data + used, pending->size - used);
    pending->size -= used;
  }
}

/* A command may stand behind the lines of a statement that is not whole: it is about that. */
static void run_command(struct shell *shell, struct buffer *pending, struct str line) {
  if (shell->line) shell_line_remember(shell->line, line);
  if (shell_strip(buffer_str(pending)).size) {
    buffer_reset(&shell->text);
    buffer_append_str(&shell->text, buffer_str(pending));
    buffer_append_byte(&shell->text, 0);
  }
  bool keeps = str_starts_with(line, STR("\\p")) || str_starts_with(line, STR("\\?")) ||
               str_starts_with(line, STR("\\h"));
  shell_command(shell, line);
  if (!keeps) buffer_reset(pending);
}

static void greet(struct shell *shell) {
  printf("nilo %s", NILO_VERSION);
  if (shell->door.client)
    printf(", on %s", http_client_address(shell->door.client));
  else
    printf(", on a directory");
  puts(". \\? lists commands, \\q ends.");
}

int shell_dialog(struct shell *shell) {
  struct buffer pending;
  buffer_init(&pending, &shell->cli->account);
  shell->interactive = true;
  shell->interrupt = shell->door.client ? NULL : shell_interrupt_create(shell);
  shell->line = shell_line_create(shell);
  greet(shell);
  while (shell->line && !shell->stop) {
    char prompt[64];
    bool interrupted;
    make_prompt(shell, &pending, prompt, sizeof prompt);
    struct str line = shell_line_read(shell->line, prompt, &interrupted);
    shell_interrupted(shell); /* what was pressed before is past */
    if (interrupted) {
      buffer_reset(&pending);
      continue;
    }
    if (!line.data) {
      puts("");
      break;
    }
    struct shell_scan scan;
    bool whole;
    shell_statement_end(buffer_str(&pending), &whole, &scan);
    struct str trimmed = text_trim(line);
    if (!scan.quote && !scan.comment_depth && trimmed.size && trimmed.data[0] == '\\') {
      run_command(shell, &pending, trimmed);
    } else {
      buffer_append_str(&pending, line);
      buffer_append_byte(&pending, '\n');
      run_whole(shell, &pending);
    }
  }
  shell_line_destroy(shell->line);
  shell_interrupt_destroy(shell->interrupt);
  shell->line = NULL;
  shell->interrupt = NULL;
  buffer_deinit(&pending);
  return 0;
}
