/* Ctrl-C while a statement runs: a thread with a loop of libuv waits for the signal and cancels the
 * query at hand. Calls of a server watch for themselves (http_client.h). */
#include <signal.h>
#include <stdatomic.h>
#include <uv.h>

#include "cli/shell.h"
#include "query/query.h"

struct shell_interrupt {
  struct shell *shell;
  uv_loop_t loop;
  uv_signal_t signal;
  uv_async_t wake;
  struct os_thread *thread;
  struct os_mutex lock;
  struct query *query; /* under the lock */
  atomic_bool pressed;
};

static void on_signal(uv_signal_t *signal, int number) {
  struct shell_interrupt *interrupt = signal->data;
  (void)number;
  atomic_store(&interrupt->pressed, true);
  os_mutex_lock(&interrupt->lock);
  if (interrupt->query) query_cancel(interrupt->query);
  os_mutex_unlock(&interrupt->lock);
}

static void on_wake(uv_async_t *wake) {
  struct shell_interrupt *interrupt = wake->data;
  uv_close((uv_handle_t *)&interrupt->signal, NULL);
  uv_close((uv_handle_t *)&interrupt->wake, NULL);
}

static void watch(void *context) {
  struct shell_interrupt *interrupt = context;
  uv_run(&interrupt->loop, UV_RUN_DEFAULT);
}

struct shell_interrupt *shell_interrupt_create(struct shell *shell) {
  struct shell_interrupt *interrupt = mem_alloc_zero(&shell->cli->account, sizeof *interrupt);
  if (!interrupt) return NULL;
  interrupt->shell = shell;
  if (uv_loop_init(&interrupt->loop)) {
    mem_free(&shell->cli->account, interrupt, sizeof *interrupt);
    return NULL;
  }
  os_mutex_init(&interrupt->lock, shell->cli->os);
  uv_signal_init(&interrupt->loop, &interrupt->signal);
  uv_async_init(&interrupt->loop, &interrupt->wake, on_wake);
  interrupt->signal.data = interrupt->wake.data = interrupt;
  uv_signal_start(&interrupt->signal, on_signal, SIGINT);
  if (os_thread_create(shell->cli->os, "interrupt", watch, interrupt, &interrupt->thread, NULL)) {
    interrupt->thread = NULL;
    shell_interrupt_destroy(interrupt);
    return NULL;
  }
  return interrupt;
}

void shell_interrupt_destroy(struct shell_interrupt *interrupt) {
  if (!interrupt) return;
  if (interrupt->thread) {
    uv_async_send(&interrupt->wake);
    os_thread_join(interrupt->thread);
  } else {
    on_wake(&interrupt->wake);
    uv_run(&interrupt->loop, UV_RUN_DEFAULT);
  }
  uv_loop_close(&interrupt->loop);
  os_mutex_deinit(&interrupt->lock);
  mem_free(&interrupt->shell->cli->account, interrupt, sizeof *interrupt);
}

void shell_interrupt_query(struct shell_interrupt *interrupt, struct query *query) {
  if (!interrupt) return;
  os_mutex_lock(&interrupt->lock);
  interrupt->query = query;
  os_mutex_unlock(&interrupt->lock);
}

bool shell_interrupted(struct shell *shell) {
  return shell->interrupt && atomic_exchange(&shell->interrupt->pressed, false);
}
