/* The life of a query: statements one after another, each opened, pulled dry and closed.
 *
 *     IDLE -> OPENING -> RUNNING -> IDLE of the next statement
 *                  \-> FAILED <-/   (told as QUERY_DONE with the error)
 *
 * A statement that fails ends the query: those behind it are answered with ERR_NOT_EXECUTED, since
 * they may build on what it should have done. Everything a
 * statement holds is charged to the query's account and given back before the next one begins. */
#include "query/query_private.h"

#include "base/limits.h"
#include "os/os.h"
#include "query/query.h"
#include "query/query_session.h"
#include "store/health.h"

/* Memory of one query by default: a tenth of what a small machine has. */
#define MEMORY_BYTES_DEFAULT LIMIT_MIB(256)

int query__check(struct query *query, struct err *err) {
  if (atomic_load_explicit(&query->cancelled, memory_order_relaxed))
    return err_set(err, ERR_CANCELLED, "query was cancelled");
  if (query->deadline_ns && os_monotonic_ns(table_engine_os(query->engine)) >= query->deadline_ns)
    return err_set(err, ERR_DEADLINE, "query took longer than it may");
  return ERR_OK;
}

/* What was refused is rarely told by its full size (arenas take chunks), so "no memory" near the
 * query's limit is the limit. */
static int name_refusal(const struct query *query, int code, struct err *err) {
  int64_t limit = query->account.limit;
  if (code != ERR_NO_MEMORY || mem_account_used(&query->account) < limit - LIMIT_MIB(2))
    return code;
  err_set(err, ERR_MEMORY_LIMIT, "query needs more than its %lld bytes of memory",
          (long long)limit);
  err_hint(err, "narrow the range of time, group by fewer tags, or raise query.memory_max");
  return ERR_MEMORY_LIMIT;
}

static int copy_options(struct query *query, const struct query_options *options, struct err *err) {
  query->database = arena_copy(&query->arena, options->database);
  query->schema = arena_copy(&query->arena, options->schema);
  if ((options->database.size && !query->database.data) ||
      (options->schema.size && !query->schema.data))
    return mem_refused(&query->account, options->database.size, err);
  struct str text = options->text;
  if (text.size > QUERY_TEXT_KEPT) text.size = QUERY_TEXT_KEPT;
  query->entry.language = options->language == QUERY_SQL ? "sql" : "influxql";
  query->entry.database = query->database;
  query->entry.account = &query->account;
  query->entry.text = arena_copy(&query->arena, text);
  if (text.size && !query->entry.text.data) return mem_refused(&query->account, text.size, err);
  return query->dialect->parse(query, options, err);
}

int query_open(struct table_engine *engine, const struct query_options *options, struct query **out,
               struct err *err) {
  struct query_control *control = options->control;
  struct mem_account *parent =
      control ? query__control_account(control) : table_engine_account(engine);
  int64_t memory_max = control ? query__control_memory_max(control) : MEMORY_BYTES_DEFAULT;
  struct query *query = mem_alloc_zero(parent, sizeof *query);
  *out = NULL;
  if (!query) return mem_refused(parent, sizeof *query, err);
  mem_account_init(&query->account, "query", parent,
                   options->memory_bytes_max ? options->memory_bytes_max : memory_max);
  arena_init(&query->arena, &query->account, 4096);
  query->engine = engine;
  query->control = control;
  query->totals = options->totals;
  query->copy = options->copy;
  query->dialect = options->language == QUERY_SQL ? &query__sql : &query__influxql;
  query->session = options->session;
  query->system_tables = options->tables;
  query->system_table_count = options->table_count;
  query->read_only = options->read_only;
  query->deadline_ns = options->deadline_ns;
  if (!query->deadline_ns && control) query->deadline_ns = query__control_deadline(control);
  query->own_deadline_ns = query->deadline_ns;
  query->now_ns = options->now_ns ? options->now_ns : os_wall_ns(table_engine_os(engine));
  int code = copy_options(query, options, err);
  if (!code && control) code = query__control_enter(control, query->deadline_ns, err);
  if (code) {
    code = name_refusal(query, code, err);
    query_close(query);
    return code;
  }
  query->entered = query->placed = control != NULL;
  if (control) query__list_add(query__control_list(control), &query->entry);
  *out = query;
  return ERR_OK;
}

/* ---- statements ---- */

static void begin_statement(struct query *query) {
  struct statement *s = &query->statement;
  *s = (struct statement){.row_count = -1};
  arena_init(&s->arena, &query->account, 4096);
  arena_init(&s->rows, &query->account, 4096);
  query->dialect->begin(query);
  query->has_statement = true;
}

static void end_statement(struct query *query) {
  struct statement *s = &query->statement;
  if (!query->has_statement) return;
  if (s->exec) exec_close(s->exec);
  query->dialect->end(query);
  for (uint32_t i = 0; i < s->table_count; i++)
    catalog_table_release(s->tables[i]);
  if (s->snapshot) table_snapshot_release(s->snapshot);
  arena_deinit(&s->rows);
  arena_deinit(&s->arena);
  query->has_statement = false;
}

static int open_statement(struct query *query, struct err *err) {
  int code = query__check(query, err);
  return code ? code : query->dialect->open(query, err);
}

/* ---- answers that lack rows ---- */

void query__note_damage(struct statement *statement, uint64_t store, uint64_t parts) {
  if (parts <= statement->parts_damaged) return;
  statement->parts_damaged = parts;
  statement->damaged_store = store;
}

static void note_reason(void *context, const struct store_health_reason *reason) {
  struct statement *s = context;
  if (s->message.data || !str_equal(str_from(reason->name), STR("damaged_part"))) return;
  s->message = arena_format(&s->arena, "%llu damaged %s left out: this answer lacks its rows: %.*s",
                            (unsigned long long)s->parts_damaged,
                            s->parts_damaged == 1 ? "part is" : "parts are", (int)reason->text.size,
                            reason->text.data);
}

/* The warning that goes with such an answer. */
static int warn_of_damage(struct query *query, struct err *err) {
  struct statement *s = &query->statement;
  if (!s->parts_damaged || s->message.data) return ERR_OK;
  (void)store_shard_health(table_engine_shard(query->engine), s->damaged_store, note_reason, s);
  if (!s->message.data) /* it is gone meanwhile */
    s->message =
        arena_format(&s->arena, "damaged parts are left out: this answer lacks their rows");
  s->parts_damaged = 0;
  return s->message.data ? ERR_OK : mem_refused(&query->account, 256, err);
}

/* The next event of an open statement; *done when there is none. */
static int run_statement(struct query *query, struct query_event *event, bool *done,
                         struct err *err) {
  struct statement *s = &query->statement;
  int code = query->dialect->next(query, event, done, err);
  if (!code && *done) code = warn_of_damage(query, err);
  if (code || !*done || !s->message.data) return code;
  event->kind = QUERY_MESSAGE;
  event->message = s->message;
  s->message.data = NULL;
  *done = false;
  return ERR_OK;
}

static void fail_statement(struct query *query, const struct err *error, int code) {
  query->error = *error;
  code = name_refusal(query, code, &query->error);
  if (!query->error.code) err_set(&query->error, code, "%s", err_info(code)->text);
  query->state = QUERY_FAILED;
}

int query_next(struct query *query, struct query_event *event, struct err *err) {
  (void)err; /* an error of a statement is an event */
  if (query->entered && !query->placed) {
    query__control_resume(query->control);
    query->placed = true;
  }
  *event = (struct query_event){.statement = query->next, .error = {.offset = -1}};
  struct err error = {.offset = -1};
  int code = ERR_OK;
  bool done = false;
  switch (query->state) {
  case QUERY_IDLE:
    if (query->next == query->statement_count) {
      event->kind = QUERY_END;
      return ERR_OK;
    }
    event->kind = QUERY_STATEMENT;
    query->state = QUERY_OPENING;
    return ERR_OK;
  case QUERY_OPENING:
    begin_statement(query);
    code = query->failed ? err_set(&error, ERR_NOT_EXECUTED, "not executed")
                         : open_statement(query, &error);
    query->state = QUERY_RUNNING;
    /* fall through */
  case QUERY_RUNNING:
    if (!code) code = query__check(query, &error);
    if (!code) code = run_statement(query, event, &done, &error);
    if (!code && !done) {
      if (event->kind == QUERY_ROWS)
        atomic_fetch_add_explicit(&query->entry.rows, event->batch.length, memory_order_relaxed);
      return ERR_OK;
    }
    if (code) fail_statement(query, &error, code);
    break;
  default:
    break;
  }
  *event =
      (struct query_event){.kind = QUERY_DONE, .statement = query->next, .error = {.offset = -1}};
  if (query->state == QUERY_FAILED) event->error = query->error;
  event->command = query->statement.command;
  event->rows = query->statement.row_count;
  atomic_store_explicit(&query->entry.error, event->error.code, memory_order_relaxed);
  query->failed = query->failed || query->state == QUERY_FAILED;
  end_statement(query);
  query->next = event->error.code == ERR_CANCELLED ? query->statement_count : query->next + 1;
  query->state = QUERY_IDLE;
  return ERR_OK;
}

void query_rest(struct query *query) {
  if (query->placed) query__control_rest(query->control);
  query->placed = false;
}

void query_cancel(struct query *query) {
  atomic_store_explicit(&query->cancelled, true, memory_order_relaxed);
}

uint32_t query_statement_count(const struct query *query) { return query->statement_count; }

void query_close(struct query *query) {
  if (!query) return;
  struct mem_account *parent = query->account.parent;
  end_statement(query);
  query_rest(query);
  if (query->entered) {
    query__list_remove(query__control_list(query->control), &query->entry);
    query__control_leave(query->control);
  }
  if (query->own_session) query_session_destroy(query->session);
  arena_deinit(&query->arena);
  mem_account_deinit(&query->account);
  mem_free(parent, query, sizeof *query);
}
