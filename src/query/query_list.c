/* Open and slow queries. The lock is held while the list is told, so no query can close meanwhile;
 * telling is copying into columns. */
#include "query/query_list.h"

#include <string.h>

#include "query/query_control.h"
#include "query/query_private.h"

struct slow_query {
  struct query_running as_told;
  char database[QUERY_NAME_KEPT];
  char text[QUERY_TEXT_KEPT];
};

void query__list_init(struct query_list *list, struct os *os, struct mem_account *account,
                      int64_t slow_ns) {
  *list = (struct query_list){.os = os, .account = account, .next_id = 1, .slow_ns = slow_ns};
  os_mutex_init(&list->lock, os);
}

void query__list_deinit(struct query_list *list) {
  mem_free(list->account, list->slow, SLOW_QUERIES_KEPT * sizeof *list->slow);
  os_mutex_deinit(&list->lock);
}

void query__list_add(struct query_list *list, struct query_entry *entry) {
  entry->begun_ns = os_wall_ns(list->os);
  entry->start_ns = os_monotonic_ns(list->os);
  os_mutex_lock(&list->lock);
  entry->id = list->next_id++;
  entry->next = list->first;
  if (entry->next) entry->next->place = &entry->next;
  entry->place = &list->first;
  list->first = entry;
  os_mutex_unlock(&list->lock);
}

static struct query_running told(const struct query_entry *entry, int64_t now) {
  return (struct query_running){.id = entry->id,
                                .language = entry->language,
                                .database = entry->database,
                                .text = entry->text,
                                .begun_ns = entry->begun_ns,
                                .elapsed_ns = now - entry->start_ns,
                                .memory_bytes = mem_account_used(entry->account),
                                .rows = entry->rows,
                                .error = entry->error};
}

static struct str keep(char *room, size_t size, struct str text) {
  size_t kept = text.size < size ? text.size : size;
  if (kept) memcpy(room, text.data, kept);
  return str_of(room, kept);
}

/* Under the lock. */
static void remember(struct query_list *list, const struct query_running *running) {
  if (!list->slow)
    list->slow = mem_alloc_zero(list->account, SLOW_QUERIES_KEPT * sizeof *list->slow);
  if (!list->slow) return;
  struct slow_query *slow = &list->slow[list->slow_next];
  list->slow_next = (list->slow_next + 1) % SLOW_QUERIES_KEPT;
  if (list->slow_count < SLOW_QUERIES_KEPT) list->slow_count++;
  slow->as_told = *running;
  slow->as_told.database = keep(slow->database, sizeof slow->database, running->database);
  slow->as_told.text = keep(slow->text, sizeof slow->text, running->text);
}

void query__list_remove(struct query_list *list, struct query_entry *entry) {
  if (!entry->place) return;
  int64_t now = os_monotonic_ns(list->os);
  os_mutex_lock(&list->lock);
  *entry->place = entry->next;
  if (entry->next) entry->next->place = entry->place;
  entry->place = NULL;
  if (list->slow_ns && now - entry->start_ns >= list->slow_ns) {
    struct query_running running = told(entry, now);
    remember(list, &running);
  }
  os_mutex_unlock(&list->lock);
}

void query_control_running(struct query_control *control,
                           void (*visit)(void *context, const struct query_running *running),
                           void *context) {
  struct query_list *list = query__control_list(control);
  int64_t now = os_monotonic_ns(list->os);
  os_mutex_lock(&list->lock);
  for (struct query_entry *entry = list->first; entry; entry = entry->next) {
    struct query_running running = told(entry, now);
    visit(context, &running);
  }
  os_mutex_unlock(&list->lock);
}

void query_control_slow(struct query_control *control,
                        void (*visit)(void *context, const struct query_running *slow),
                        void *context) {
  struct query_list *list = query__control_list(control);
  os_mutex_lock(&list->lock);
  for (uint32_t i = 0; i < list->slow_count; i++) {
    uint32_t newest = (list->slow_next + SLOW_QUERIES_KEPT - 1 - i) % SLOW_QUERIES_KEPT;
    visit(context, &list->slow[newest].as_told);
  }
  os_mutex_unlock(&list->lock);
}
