/* Writes heads and chunk frames of HTTP/1.1 messages into a buffer. */
#include <stdio.h>
#include <string.h>

#include "base/time.h"
#include "wire/http.h"

const char *http_status_text(int status) {
  static const struct {
    int status;
    const char *text;
  } table[] = {
      {100, "Continue"},
      {200, "OK"},
      {202, "Accepted"},
      {204, "No Content"},
      {304, "Not Modified"},
      {400, "Bad Request"},
      {401, "Unauthorized"},
      {403, "Forbidden"},
      {404, "Not Found"},
      {405, "Method Not Allowed"},
      {406, "Not Acceptable"},
      {408, "Request Timeout"},
      {409, "Conflict"},
      {413, "Request Entity Too Large"},
      {414, "URI Too Long"},
      {415, "Unsupported Media Type"},
      {417, "Expectation Failed"},
      {422, "Unprocessable Entity"},
      {429, "Too Many Requests"},
      {431, "Request Header Fields Too Large"},
      {499, "Client Closed Request"},
      {500, "Internal Server Error"},
      {501, "Not Implemented"},
      {502, "Bad Gateway"},
      {503, "Service Unavailable"},
      {504, "Gateway Timeout"},
      {505, "HTTP Version Not Supported"},
      {507, "Insufficient Storage"},
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++) {
    if (table[i].status == status) return table[i].text;
  }
  return "Unknown";
}

void http_write_status(struct buffer *out, int status) {
  buffer_printf(out, "HTTP/1.1 %03d %s\r\n", status, http_status_text(status));
}

void http_write_request(struct buffer *out, const char *method, struct str target) {
  buffer_append_text(out, method);
  buffer_append_byte(out, ' ');
  buffer_append_str(out, target);
  buffer_append_text(out, " HTTP/1.1\r\n");
}

void http_write_header(struct buffer *out, const char *name, struct str value) {
  buffer_append_text(out, name);
  buffer_append_text(out, ": ");
  size_t start = out->size;
  buffer_append_str(out, value);
  if (out->failed) return;
  for (size_t i = start; i < out->size; i++) {
    if (out->data[i] < 0x20 || out->data[i] == 0x7f) out->data[i] = ' ';
  }
  buffer_append_text(out, "\r\n");
}

void http_write_header_u64(struct buffer *out, const char *name, uint64_t value) {
  buffer_printf(out, "%s: %llu\r\n", name, (unsigned long long)value);
}

void http_write_head_end(struct buffer *out) { buffer_append(out, "\r\n", 2); }

void http_write_chunk(struct buffer *out, struct str bytes) {
  if (bytes.size == 0) return;
  buffer_printf(out, "%zx\r\n", bytes.size);
  buffer_append_str(out, bytes);
  buffer_append(out, "\r\n", 2);
}

void http_write_chunk_end(struct buffer *out) { buffer_append_text(out, "0\r\n\r\n"); }

void http_date(int64_t seconds, char out[HTTP_DATE_SIZE]) {
  static const char week[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                     "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  if (seconds < 0) seconds = 0;
  if (seconds > 253402300799) seconds = 253402300799; /* the end of year 9999 */
  struct time_fields time;
  time_fields_from_ns(time_to_ns(seconds, TIME_S), &time);
  char text[128]; /* wide enough for what the compiler believes the fields could hold */
  snprintf(text, sizeof text, "%s, %02d %s %04d %02d:%02d:%02d GMT", week[time.weekday], time.day,
           months[time.month - 1], (int)time.year, time.hour, time.minute, time.second);
  memcpy(out, text, HTTP_DATE_SIZE - 1);
  out[HTTP_DATE_SIZE - 1] = '\0';
}
