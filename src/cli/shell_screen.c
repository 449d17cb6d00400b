/* The terminal around the shell: its size, the pager, the editor. Through libuv, which starts
 * programs and knows terminals on every system. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "cli/shell.h"

void shell_screen_size(size_t *columns, size_t *rows) {
  uv_loop_t loop;
  uv_tty_t terminal;
  int width = 0, height = 0;
  *columns = 80;
  *rows = 24;
  if (!os_is_terminal(1) || uv_loop_init(&loop)) return;
  if (uv_tty_init(&loop, &terminal, 1, 0) == 0) {
    if (uv_tty_get_winsize(&terminal, &width, &height) == 0 && width > 0 && height > 0) {
      *columns = (size_t)width;
      *rows = (size_t)height;
    }
    uv_close((uv_handle_t *)&terminal, NULL);
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_loop_close(&loop);
}

static void on_ended(uv_process_t *process, int64_t status, int signal) {
  (void)status;
  (void)signal;
  uv_close((uv_handle_t *)process, NULL);
}

static void on_written(uv_write_t *writing, int status) {
  (void)status; /* a pager that was left early has enough */
  uv_close((uv_handle_t *)writing->handle, NULL);
}

bool shell_start(const char *command, const char *file, struct str input) {
  uv_loop_t loop;
  uv_process_t process;
  uv_pipe_t pipe;
  uv_write_t writing;
  if (uv_loop_init(&loop)) return false;
  /* By the system's shell, so that "less -S" and "vi +5" are what they say; the file is $1. */
  char script[512];
  snprintf(script, sizeof script, file ? "%s \"$1\"" : "%s", command);
  const char *words[] = {"/bin/sh", "-c", script, "sh", file ? file : "", NULL};
  char *arguments[6]; /* which libuv does not change */
  memcpy(arguments, words, sizeof arguments);
  uv_stdio_container_t streams[3] = {
      {.flags = UV_INHERIT_FD, .data.fd = 0},
      {.flags = UV_INHERIT_FD, .data.fd = 1},
      {.flags = UV_INHERIT_FD, .data.fd = 2},
  };
  if (input.data) {
    uv_pipe_init(&loop, &pipe, 0);
    streams[0].flags = UV_CREATE_PIPE | UV_READABLE_PIPE;
    streams[0].data.stream = (uv_stream_t *)&pipe;
  }
  uv_process_options_t options = {.file = arguments[0],
                                  .args = arguments,
                                  .exit_cb = on_ended,
                                  .stdio = streams,
                                  .stdio_count = 3};
  bool started = uv_spawn(&loop, &process, &options) == 0;
  if (!started) uv_close((uv_handle_t *)&process, NULL);
  if (input.data && started) {
    uv_buf_t bytes = uv_buf_init((char *)(uintptr_t)input.data, (unsigned)input.size);
    if (uv_write(&writing, (uv_stream_t *)&pipe, &bytes, 1, on_written))
      uv_close((uv_handle_t *)&pipe, NULL);
  } else if (input.data) {
    uv_close((uv_handle_t *)&pipe, NULL);
  }
  uv_run(&loop, UV_RUN_DEFAULT);
  uv_loop_close(&loop);
  return started;
}

void shell_show(struct shell *shell, struct str text, size_t widest) {
  if (!text.size) return;
  if (shell->output) {
    struct err err;
    err_reset(&err);
    if (os_file_write(shell->output, shell->output_size, text.data, text.size, &err))
      cli_fail(&err);
    else
      shell->output_size += text.size;
    return;
  }
  size_t columns, rows, lines = 0;
  shell_screen_size(&columns, &rows);
  for (size_t i = 0; i < text.size; i++)
    lines += text.data[i] == '\n';
  const char *pager = getenv("PAGER");
  fflush(stdout);
  if (shell->pager && shell->interactive && os_is_terminal(1) &&
      (lines + 1 > rows || widest > columns) &&
      shell_start(pager && *pager ? pager : "less -FRSX", NULL, text))
    return;
  fwrite(text.data, 1, text.size, stdout);
}
