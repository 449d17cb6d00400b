/* How the tools' events are shown, wherever they come from. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/api_tools.h"
#include "base/buffer.h"
#include "cli/cli_private.h"
#include "server/http_client.h"
#include "wire/json.h"
#include "wire/url.h"

/* ---- an event's members ---- */

enum { MEMBERS_MAX = 32 };
struct member {
  struct str name, value; /* numbers as they stand; null: empty */
};
struct event {
  struct arena arena;
  struct member members[MEMBERS_MAX];
  size_t count;
};

static bool event_read(struct event *event, struct mem_account *account, struct str json) {
  struct json_reader reader;
  struct json_token token;
  arena_init(&event->arena, account, 1024);
  event->count = 0;
  json_reader_init(&reader, json, &event->arena, 0);
  if (json_reader_next(&reader, &token, NULL) || token.kind != JSON_BEGIN_OBJECT) return false;
  while (json_reader_next(&reader, &token, NULL) == ERR_OK && token.kind == JSON_KEY) {
    struct str name = token.text;
    if (json_reader_next(&reader, &token, NULL)) return false;
    if (event->count < MEMBERS_MAX)
      event->members[event->count++] = (struct member){
          name, token.kind == JSON_STRING || token.kind == JSON_NUMBER ? token.text : STR("")};
    if (json_reader_skip(&reader, &token, NULL)) return false;
  }
  return token.kind == JSON_END_OBJECT;
}

static struct str text_of(const struct event *event, const char *name) {
  for (size_t i = 0; i < event->count; i++)
    if (str_equal(event->members[i].name, str_from(name))) return event->members[i].value;
  return (struct str){"", 0};
}

static uint64_t number_of(const struct event *event, const char *name) {
  char digits[32];
  struct str value = text_of(event, name);
  snprintf(digits, sizeof digits, "%.*s", STR_ARG(value));
  return strtoull(digits, NULL, 10);
}

/* ---- printing ---- */

static void print_escaped(struct str text) {
  char out[4 * 512];
  text = text.size > 512 ? str_of(text.data, 512) : text;
  fwrite(out, 1, cli_escape(text, out), stdout);
}

/* Words wrapped at 80 columns behind eight blanks. */
static void print_wrapped(const char *lead, struct str text) {
  size_t column = 8 + strlen(lead);
  printf("        %s", lead);
  for (size_t at = 0; at < text.size;) {
    size_t end = at;
    while (end < text.size && text.data[end] != ' ')
      end++;
    if (column > 8 + strlen(lead) && column + 1 + (end - at) > 79) {
      printf("\n        ");
      column = 8;
    } else if (at) {
      putchar(' ');
      column++;
    }
    print_escaped(str_of(text.data + at, end - at));
    column += end - at;
    at = end + 1;
  }
  putchar('\n');
}

static void clear_progress(struct cli_tool *tool) {
  if (!tool->shown) return;
  fputs("\r\33[K", stderr);
  tool->shown = false;
}

static void show_progress(struct cli_tool *tool, uint64_t done, uint64_t total) {
  if (tool->json || !os_is_terminal(2)) return;
  uint64_t percent = total ? (done < total ? done * 100 / total : 100) : 0;
  fprintf(stderr, "\r%3" PRIu64 " %%\33[K", percent);
  tool->shown = true;
}

static void show_finding(struct cli_tool *tool, const struct event *event) {
  struct str kind = text_of(event, "kind"), file = text_of(event, "file"),
             offset = text_of(event, "offset"), section = text_of(event, "section"),
             remedy = text_of(event, "remedy");
  (void)tool;
  printf("%-6.*s  ", STR_ARG(kind));
  print_escaped(file.size ? file : STR("(no file)"));
  if (offset.size) printf(", offset %.*s", STR_ARG(offset));
  if (section.size) {
    fputs(", ", stdout);
    print_escaped(section);
  }
  putchar('\n');
  print_wrapped("", text_of(event, "what"));
  if (remedy.size) print_wrapped("-> ", remedy);
}

void cli_tool_event(void *context, struct str json) {
  struct cli_tool *tool = context;
  struct event event;
  if (event_read(&event, &tool->cli->account, json)) {
    struct str kind = text_of(&event, "event");
    bool progress = str_equal(kind, STR("progress"));
    if (str_equal(kind, STR("finding")) && str_equal(text_of(&event, "kind"), STR("damage")))
      tool->wrong++;
    if (progress) {
      show_progress(tool, number_of(&event, "done"), number_of(&event, "total"));
    } else {
      clear_progress(tool);
      if (tool->json) {
        fwrite(json.data, 1, json.size, stdout);
        putchar('\n');
      } else if (str_equal(kind, STR("finding"))) {
        show_finding(tool, &event);
      } else if (text_of(&event, "text").size) {
        print_escaped(text_of(&event, "text"));
        putchar('\n');
      }
    }
  }
  arena_deinit(&event.arena);
}

/* ---- beginning and end ---- */

const char *cli_tool_directory(struct cli *cli, int *status) {
  const struct cli_arguments *arguments = &cli->arguments;
  const char *data = cli_value(arguments, "data"), *server = cli_value(arguments, "server");
  *status = 0;
  int named = (data != NULL) + (server != NULL) + arguments->operand_count;
  if (named > 1) {
    *status = cli_usage("name one directory, or --server URL");
    return NULL;
  }
  if (server) return NULL;
  return data ? data : arguments->operand_count ? arguments->operands[0] : "nilo-data";
}

int cli_tool_alone(struct cli *cli, const char *path, struct api_options *options, bool *alone,
                   struct err *err) {
  *options = (struct api_options){.path = path, .os = cli->os, .account = &cli->account};
  *alone = api_is_alone(cli->os, path);
  return *alone ? cli_load_settings(cli, NULL, err) : ERR_OK;
}

int cli_tool_end(struct cli_tool *tool, int code, struct err *err) {
  clear_progress(tool);
  if (code == ERR_LOCKED)
    err_hint(
        err,
        "ask the server that has it, or stop that first: --server URL in place of the directory");
  if (code) return cli_fail(err);
  return tool->wrong ? 1 : 0;
}

void cli_append_param(struct buffer *target, const char *name, const char *value) {
  if (!value) return;
  bool first = target->size && !memchr(target->data, '?', target->size);
  buffer_printf(target, "%c%s=", first ? '?' : '&', name);
  url_encode(target, str_from(value));
}

/* ---- jobs ---- */

/* Copies "error" and "hint" of a job's last event. */
static int job_failed(const struct event *event, struct err *err) {
  struct str hint = text_of(event, "hint");
  err_set(err, ERR_IO, "%.*s", STR_ARG(text_of(event, "error")));
  err_detail(err, "%.*s", STR_ARG(text_of(event, "detail")));
  if (hint.size) err_hint(err, "%.*s", STR_ARG(hint));
  return ERR_IO;
}

static int take_event(struct cli_tool *tool, struct str json, struct err *err) {
  struct event event;
  int code = ERR_OK;
  if (event_read(&event, &tool->cli->account, json) &&
      str_equal(text_of(&event, "event"), STR("error")))
    code = job_failed(&event, err);
  else
    cli_tool_event(tool, json);
  arena_deinit(&event.arena);
  return code;
}

/* The elements of "events", which stand last: each a flat object on its own. */
static int take_events(struct cli_tool *tool, struct str answer, struct err *err) {
  static const char mark[] = "\"events\":[";
  const char *at = memmem(answer.data, answer.size, mark, sizeof mark - 1);
  const char *end = answer.data + answer.size;
  int code = ERR_OK;
  at = at ? at + sizeof mark - 1 : end;
  while (!code && at < end && *at == '{') {
    const char *from = at;
    bool quoted = false;
    for (; at < end && (quoted || *at != '}'); at++) {
      if (quoted && *at == '\\')
        at++;
      else if (*at == '"')
        quoted = !quoted;
    }
    if (at >= end) break;
    code = take_event(tool, str_of(from, (size_t)(++at - from)), err);
    if (at < end && *at == ',') at++;
  }
  return code;
}

static int poll(struct cli_tool *tool, struct cli_door *door, uint64_t job, struct err *err) {
  struct buffer target, answer;
  uint64_t from = 0;
  int code = ERR_OK;
  buffer_init(&target, &tool->cli->account);
  buffer_init(&answer, &tool->cli->account);
  for (bool running = true; running && !code;) {
    struct event event = {.count = 0};
    buffer_reset(&target);
    buffer_reset(&answer);
    buffer_printf(&target, "/api/v1/admin/job?id=%" PRIu64 "&from=%" PRIu64, job, from);
    code = buffer_check(&target, err);
    if (!code)
      code = cli_door_call(door, "GET", buffer_str(&target), "", (struct str){"", 0}, &answer, err);
    if (code) break;
    if (!event_read(&event, &tool->cli->account, buffer_str(&answer))) {
      code = err_set(err, ERR_PARSE, "the server's answer is no job");
    } else {
      from = number_of(&event, "next");
      running = str_equal(text_of(&event, "state"), STR("running"));
      if (running) show_progress(tool, number_of(&event, "done"), number_of(&event, "total"));
      code = take_events(tool, buffer_str(&answer), err);
    }
    arena_deinit(&event.arena);
    if (running && !code) os_sleep_ns(tool->cli->os, 100000000);
  }
  buffer_deinit(&target);
  buffer_deinit(&answer);
  return code;
}

int cli_tool_job(struct cli_tool *tool, struct str target, struct err *err) {
  struct cli_door door;
  struct buffer answer;
  struct event event = {.count = 0};
  buffer_init(&answer, &tool->cli->account);
  int code = cli_door_open(tool->cli, &door, false, err);
  if (!code) {
    code = cli_door_call(&door, "POST", target, "", (struct str){"", 0}, &answer, err);
    if (!code) {
      if (event_read(&event, &tool->cli->account, buffer_str(&answer)))
        code = poll(tool, &door, number_of(&event, "job"), err);
      else
        code = err_set(err, ERR_PARSE, "the server's answer is no job");
      arena_deinit(&event.arena);
    }
    cli_door_close(&door);
  }
  buffer_deinit(&answer);
  return code;
}
