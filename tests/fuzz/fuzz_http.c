/* The HTTP parser, fed the input in pieces whose sizes its first byte chooses: it never reads
 * outside, always advances or stops, and gives the same outcome in pieces as whole. */
#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/memory.h"
#include "wire/http.h"

struct outcome {
  int code;
  uint64_t body_bytes;
  uint64_t body_sum;
  unsigned messages;
};

static void drain(struct http_parser *parser, struct str input, struct outcome *outcome) {
  size_t at = 0;
  for (;;) {
    size_t used;
    enum http_event event;
    struct str body = {NULL, 0};
    struct str rest = {input.data + at, input.size - at};
    outcome->code = http_parser_next(parser, rest, &used, &event, &body, NULL);
    assert(used <= rest.size);
    at += used;
    if (outcome->code) {
      assert(parser->error_status >= 400);
      return;
    }
    if (event == HTTP_EVENT_MORE) {
      assert(at == input.size);
      return;
    }
    if (event == HTTP_EVENT_HEAD) {
      for (size_t i = 0; i < http_header_count(parser); i++) {
        struct str name, value;
        http_header_at(parser, i, &name, &value);
        assert(name.size > 0);
        http_value_has_token(value, STR("close"));
      }
      assert(http_text(parser, parser->message.path).size <= input.size + at + 65536);
    }
    if (event == HTTP_EVENT_BODY) {
      outcome->body_bytes += body.size;
      for (size_t i = 0; i < body.size; i++) {
        outcome->body_sum = outcome->body_sum * 31 + (uint8_t)body.data[i];
      }
    }
    if (event == HTTP_EVENT_END) {
      outcome->messages++;
      http_parser_reset(parser);
    }
  }
}

static struct outcome run(struct str input, size_t step, bool response,
                          struct mem_account *account) {
  static const struct http_limits limits = {
      .line_max = 500, .header_bytes_max = 1000, .header_count_max = 10, .body_max = 5000};
  struct http_parser parser;
  if (response)
    http_parser_init_response(&parser, &limits, account);
  else
    http_parser_init(&parser, &limits, account);
  struct outcome outcome = {0};
  for (size_t at = 0; at < input.size && outcome.code == 0; at += step) {
    size_t size = input.size - at < step ? input.size - at : step;
    drain(&parser, (struct str){input.data + at, size}, &outcome);
  }
  enum http_event event;
  if (outcome.code == 0) outcome.code = http_parser_finish(&parser, &event, NULL);
  http_parser_deinit(&parser);
  return outcome;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size == 0) return 0;
  struct mem_account account;
  mem_account_init(&account, "fuzz", NULL, 0);
  struct str input = {(const char *)data + 1, size - 1};
  size_t step = (size_t)(data[0] & 0x7f) + 1;
  bool response = data[0] >> 7;
  struct outcome pieces = run(input, step, response, &account);
  struct outcome whole = run(input, input.size + 1, response, &account);
  /* A failed whole may be found at another byte of the same line, but it fails all the same. */
  assert((pieces.code == 0) == (whole.code == 0));
  assert(pieces.messages == whole.messages);
  assert(pieces.body_bytes == whole.body_bytes && pieces.body_sum == whole.body_sum);
  mem_account_deinit(&account);
  return 0;
}
