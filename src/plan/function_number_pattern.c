/* to_char(number, pattern): '999,990.99', 'S9999', 'FM0.00PR' (PostgreSQL 15, 9.8).
 *
 * A pattern is walked twice. The first time its digits are counted: so many places in front of the
 * point and behind it. The number is rounded to these and its digits are set to the right of the
 * places in front, which tells the first place that shows anything. The second time everything is
 * written in its order, the sign just ahead of that first place unless the pattern says where. */
#include <math.h>
#include <stdio.h>

#include "base/decimal.h"
#include "plan/function_rows.h"

enum { PLACES_MAX = 400, ROMAN_WIDTH = 15, DOUBLE_DIGITS = 15 };

enum item_kind {
  ITEM_TEXT,
  ITEM_NINE,
  ITEM_ZERO,
  ITEM_POINT,
  ITEM_GROUP,
  ITEM_SIGN,
  ITEM_SIGN_HERE, /* SG */
  ITEM_MINUS,
  ITEM_PLUS,
  ITEM_ANGLES, /* PR */
  ITEM_CURRENCY,
  ITEM_ROMAN,
  ITEM_ORDINAL,
  ITEM_SHIFT,
  ITEM_EXPONENT,
  ITEM_FILL,
};
static const struct word {
  const char *text;
  uint8_t kind;
} words[] = {{"EEEE", ITEM_EXPONENT}, {"FM", ITEM_FILL},    {"MI", ITEM_MINUS},
             {"PL", ITEM_PLUS},       {"PR", ITEM_ANGLES},  {"RN", ITEM_ROMAN},
             {"SG", ITEM_SIGN_HERE},  {"TH", ITEM_ORDINAL}, {"S", ITEM_SIGN},
             {"D", ITEM_POINT},       {".", ITEM_POINT},    {"G", ITEM_GROUP},
             {",", ITEM_GROUP},       {"9", ITEM_NINE},     {"0", ITEM_ZERO},
             {"L", ITEM_CURRENCY},    {"V", ITEM_SHIFT}};

struct item {
  enum item_kind kind;
  struct str text;
};

/* The item at *offset, which moves behind it. "Quoted" text comes a character at a time. */
static struct item next_item(struct str pattern, size_t *offset, bool *quoted) {
  struct str rest = {pattern.data + *offset, pattern.size - *offset};
  for (size_t i = 0; !*quoted && i < sizeof words / sizeof words[0]; i++) {
    size_t size = strlen(words[i].text), same = 0;
    while (same < size && same < rest.size &&
           (rest.data[same] == words[i].text[same] ||
            (rest.data[same] >= 'a' && rest.data[same] - 32 == words[i].text[same])))
      same++;
    if (same < size) continue;
    *offset += size;
    return (struct item){(enum item_kind)words[i].kind, {rest.data, size}};
  }
  if (rest.data[0] == '"') {
    *quoted = !*quoted;
    *offset += 1;
    return (struct item){ITEM_TEXT, {rest.data, 0}};
  }
  size_t escaped = rest.data[0] == '\\' && rest.size > 1 && (*quoted || rest.data[1] == '"');
  size_t size = plan__char_size(pattern, *offset + escaped);
  *offset += escaped + size;
  return (struct item){ITEM_TEXT, {rest.data + escaped, size}};
}

/* What a pattern says as a whole. */
struct shape {
  uint32_t before, behind, shifted; /* places; `before` has the shifted ones, too */
  uint32_t first_zero, last_zero;   /* places from 1 on; 0: no 0 */
  bool point, fill, angles, sign, sign_behind, sign_here, minus, plus, roman, exponent;
};

static int refused(struct function_row *at, const char *text) {
  return err_set(at->err, ERR_PARSE, "%s", text);
}

static int measure_item(struct function_row *at, struct shape *shape, enum item_kind kind) {
  bool signs = shape->sign || shape->sign_here || shape->minus || shape->plus || shape->angles;
  uint32_t places = shape->before + shape->behind;
  switch (kind) {
  case ITEM_ZERO:
  case ITEM_NINE:
    if (shape->angles) return refused(at, "\"9\" must be ahead of \"PR\"");
    if (kind == ITEM_ZERO && !shape->first_zero && !shape->point) shape->first_zero = places + 1;
    if (kind == ITEM_ZERO) shape->last_zero = places + 1;
    *(shape->point ? &shape->behind : &shape->before) += 1;
    break;
  case ITEM_POINT:
    if (shape->point) return refused(at, "multiple decimal points");
    if (shape->shifted) return refused(at, "cannot use \"V\" and decimal point together");
    shape->point = true;
    break;
  case ITEM_SIGN:
    if (shape->sign) return refused(at, "cannot use \"S\" twice");
    if (signs) return refused(at, "cannot use \"S\" and \"PL\"/\"MI\"/\"SG\"/\"PR\" together");
    shape->sign = true;
    shape->sign_behind = places > 0;
    break;
  case ITEM_SIGN_HERE:
  case ITEM_MINUS:
  case ITEM_PLUS:
    if (shape->sign)
      return refused(at, kind == ITEM_MINUS  ? "cannot use \"S\" and \"MI\" together"
                         : kind == ITEM_PLUS ? "cannot use \"S\" and \"PL\" together"
                                             : "cannot use \"S\" and \"SG\" together");
    *(kind == ITEM_MINUS  ? &shape->minus
      : kind == ITEM_PLUS ? &shape->plus
                          : &shape->sign_here) = true;
    break;
  case ITEM_ANGLES:
    if (signs) return refused(at, "cannot use \"PR\" and \"S\"/\"PL\"/\"MI\"/\"SG\" together");
    shape->angles = true;
    break;
  case ITEM_EXPONENT:
    shape->exponent = true;
    break;
  case ITEM_FILL:
    shape->fill = true;
    break;
  case ITEM_ROMAN:
    shape->roman = true;
    break;
  default:
    break;
  }
  return ERR_OK;
}

static int measure(struct function_row *at, struct str pattern, struct shape *shape) {
  bool quoted = false, shifts = false;
  *shape = (struct shape){0};
  for (size_t offset = 0; offset < pattern.size;) {
    enum item_kind kind = next_item(pattern, &offset, &quoted).kind;
    if (kind == ITEM_SHIFT && shape->point)
      return refused(at, "cannot use \"V\" and decimal point together");
    if (kind == ITEM_SHIFT) shifts = true;
    if (shifts && (kind == ITEM_NINE || kind == ITEM_ZERO)) shape->shifted++;
    int code = measure_item(at, shape, kind);
    if (code) return code;
  }
  if (shape->before + shape->behind > PLACES_MAX)
    return err_set(at->err, ERR_LIMIT_EXCEEDED, "a pattern of more than %d digits", PLACES_MAX);
  if (shape->exponent && (shape->fill || shape->sign || shape->sign_here || shape->minus ||
                          shape->plus || shape->angles || shape->roman || shape->shifted))
    return refused(at, "\"EEEE\" is incompatible with other formats");
  return ERR_OK;
}

/* The digits of a number, rounded as the pattern wants it. */
struct digits {
  bool negative;
  char text[1024]; /* without a sign */
  uint32_t before, behind;
};

static void split(struct digits *digits, const char *text, size_t size) {
  digits->negative = size && text[0] == '-';
  size_t skipped = digits->negative;
  if (size - skipped >= sizeof digits->text) size = sizeof digits->text - 1 + skipped;
  memcpy(digits->text, text + skipped, size - skipped);
  digits->text[size - skipped] = 0;
  digits->before = (uint32_t)strcspn(digits->text, ".");
  const char *point = digits->text + digits->before;
  digits->behind = *point ? (uint32_t)strlen(point + 1) : 0;
}

static void of_double(double value, int precise, const struct shape *shape, struct digits *digits) {
  char text[512];
  if (shape->exponent) {
    snprintf(text, sizeof text, "%.*e", (int)shape->behind, value);
  } else {
    if (shape->shifted) value *= pow(10, shape->shifted);
    int before = snprintf(text, sizeof text, "%.0f", fabs(value));
    int behind = before >= precise                       ? 0
                 : before + (int)shape->behind > precise ? precise - before
                                                         : (int)shape->behind;
    snprintf(text, sizeof text, "%.*f", behind, value);
  }
  if (!isfinite(value))
    snprintf(text, sizeof text, isnan(value) ? "NaN" : value < 0 ? "-Infinity" : "Infinity");
  split(digits, text, strlen(text));
}

/* All digits of a number, without its point and sign; how many. */
static unsigned digits_of(const struct decimal *value, char text[DECIMAL_TEXT_MAX]) {
  struct decimal whole = *value;
  whole.scale = 0;
  decimal_abs(&whole);
  return decimal_print(&whole, text);
}

/* d.ddde+xx; halves are rounded away from zero. */
static int of_scientific(struct decimal value, const struct shape *shape, struct digits *digits) {
  char all[DECIMAL_TEXT_MAX], text[PLACES_MAX + 32];
  int exponent = (int)digits_of(&value, all) - 1 - value.scale;
  int scale = (int)shape->behind - exponent;
  if (scale < DECIMAL_SCALE_MAX) decimal_round(&value, scale, DECIMAL_HALF_AWAY, &value);
  unsigned count = digits_of(&value, all), size = 0;
  exponent = value.m ? (int)count - 1 - value.scale : 0;
  if (value.m < 0) text[size++] = '-';
  for (unsigned i = 0; i <= shape->behind; i++) {
    if (i == 1) text[size++] = '.';
    text[size++] = i < count ? all[i] : '0';
  }
  size += (unsigned)snprintf(text + size, sizeof text - size, "e%+03d", exponent);
  split(digits, text, size);
  return ERR_OK;
}

static int of_decimal(struct function_row *at, struct decimal value, const struct shape *shape,
                      struct digits *digits) {
  char text[DECIMAL_TEXT_MAX + 1];
  struct decimal factor = decimal_of_i64(10);
  int code = ERR_OK;
  if (shape->exponent && !value.kind) {
    return of_scientific(value, shape, digits);
  }
  for (uint32_t i = 0; i < shape->shifted && !code; i++)
    code = decimal_multiply(&value, &factor, &value);
  int scale = shape->behind < DECIMAL_SCALE_MAX ? (int)shape->behind : DECIMAL_SCALE_MAX;
  if (!code) code = decimal_round(&value, scale, DECIMAL_HALF_AWAY, &value);
  if (code) return decimal_explain(code, at->err);
  split(digits, text, decimal_print(&value, text));
  if (value.kind || digits->behind == shape->behind) return ERR_OK;
  char *end = digits->text + digits->before; /* zeros that did not fit are added */
  *end = '.';
  end += 1 + digits->behind;
  memset(end, '0', shape->behind - digits->behind);
  end[shape->behind - digits->behind] = 0;
  digits->behind = shape->behind;
  return ERR_OK;
}

static int take_digits(struct function_row *at, const struct shape *shape, struct digits *digits) {
  struct type type = row_type(at, 0);
  struct decimal value;
  if (type.physical == PHYSICAL_FLOAT64) {
    of_double(row_f64(at, 0), DOUBLE_DIGITS, shape, digits);
    return ERR_OK;
  }
  if (type.physical == PHYSICAL_INT64)
    value = decimal_of_i64(row_i64(at, 0));
  else if (type.physical == PHYSICAL_UINT64)
    value = decimal_of_u64((uint64_t)row_i64(at, 0));
  else if (!decimal_load(row_text(at, 0), &value))
    return err_set(at->err, ERR_CORRUPTION, "a stored numeric is damaged");
  return of_decimal(at, value, shape, digits);
}

/* ---- writing ---- */

struct writer {
  const struct shape *shape;
  struct digits *digits;
  struct buffer *out;
  uint32_t place;       /* the next digit, from 0 */
  uint32_t first;       /* place that shows something, or `before`: the point */
  uint32_t shown;       /* places behind the point that show something */
  bool too_long, begun; /* begun: a digit stands there */
  bool hides_zero, signed_yet;
};

static void put(struct writer *w, char c) { buffer_append(w->out, &c, 1); }
static void put_blank(struct writer *w) {
  if (!w->shape->fill) put(w, ' ');
}

/* The sign ahead of the first place that shows anything. */
static void lead(struct writer *w) {
  const struct shape *shape = w->shape;
  if (w->signed_yet) return;
  w->signed_yet = true;
  bool negative = w->digits->negative;
  if (shape->minus || shape->sign_here || (shape->sign && shape->sign_behind)) return;
  if (shape->sign)
    put(w, negative ? '-' : '+');
  else if (negative)
    put(w, shape->angles ? '<' : '-');
  else
    put_blank(w);
}

/* What stands behind the last digit. */
static void trail(struct writer *w) {
  bool negative = w->digits->negative;
  if (w->shape->sign && w->shape->sign_behind) put(w, negative ? '-' : '+');
  if (w->shape->angles && negative) put(w, '>');
  if (w->shape->angles && !negative) put_blank(w);
}

static void write_before(struct writer *w) {
  uint32_t start = w->too_long ? 0 : w->shape->before - w->digits->before;
  if (w->place < w->first) {
    put_blank(w);
    return;
  }
  lead(w);
  w->begun = true;
  put(w, w->too_long ? '#' : w->place < start ? '0' : w->digits->text[w->place - start]);
}

static void write_behind(struct writer *w) {
  uint32_t place = w->place - w->shape->before;
  if (place >= w->shown) return;
  w->begun = true;
  put(w, w->too_long ? '#' : w->digits->text[w->digits->before + 1 + place]);
}

static void write_ordinal(struct writer *w, struct str text) {
  static const char *const ends[] = {"th", "st", "nd", "rd"};
  if (w->too_long || w->digits->negative || w->shape->point || !w->digits->before) return;
  const char *last = w->digits->text + w->digits->before - 1;
  bool teens = w->digits->before > 1 && last[-1] == '1';
  const char *end = ends[!teens && *last >= '1' && *last <= '3' ? *last - '0' : 0];
  bool upper = text.data[0] == 'T';
  put(w, upper ? (char)(end[0] - 32) : end[0]);
  put(w, upper ? (char)(end[1] - 32) : end[1]);
}

static void write_roman(struct writer *w, struct str text) {
  static const struct {
    int value;
    const char *letters;
  } parts[] = {{1000, "M"}, {900, "CM"}, {500, "D"}, {400, "CD"}, {100, "C"}, {90, "XC"}, {50, "L"},
               {40, "XL"},  {10, "X"},   {9, "IX"},  {5, "V"},    {4, "IV"},  {1, "I"}};
  char roman[ROMAN_WIDTH + 1] = {0};
  int value = 0;
  size_t size = 0;
  for (uint32_t i = 0; i < w->digits->before && value < 10000; i++)
    value = value * 10 + (w->digits->text[i] - '0');
  bool bad = w->digits->negative || value < 1 || value > 3999;
  for (size_t i = 0; !bad && i < sizeof parts / sizeof parts[0]; i++)
    for (; value >= parts[i].value; value -= parts[i].value) {
      size_t letters = strlen(parts[i].letters);
      memcpy(roman + size, parts[i].letters, letters);
      size += letters;
    }
  if (bad) memset(roman, '#', ROMAN_WIDTH);
  for (size_t i = bad ? ROMAN_WIDTH : size; i < ROMAN_WIDTH; i++)
    put_blank(w);
  for (const char *c = roman; *c; c++)
    put(w, text.data[0] == 'r' && !bad ? (char)(*c + 32) : *c);
}

static void write_digit(struct writer *w) {
  const struct shape *shape = w->shape;
  if (w->place < shape->before)
    write_before(w);
  else
    write_behind(w);
  if (++w->place == shape->before + shape->behind) trail(w);
}

static void write_item(struct writer *w, struct item item) {
  bool negative = w->digits->negative;
  switch (item.kind) {
  case ITEM_NINE:
  case ITEM_ZERO:
    write_digit(w);
    break;
  case ITEM_POINT:
    lead(w);
    if (w->too_long || w->digits->behind) put(w, '.');
    break;
  case ITEM_GROUP:
    if (w->begun)
      put(w, ',');
    else
      put_blank(w);
    break;
  case ITEM_SIGN_HERE:
    put(w, negative ? '-' : '+');
    break;
  case ITEM_MINUS:
    if (negative)
      put(w, '-');
    else
      put_blank(w);
    break;
  case ITEM_PLUS:
    if (!negative)
      put(w, '+');
    else
      put_blank(w);
    break;
  case ITEM_CURRENCY:
    put(w, ' ');
    break;
  case ITEM_ORDINAL:
    write_ordinal(w, item.text);
    break;
  case ITEM_TEXT:
    buffer_append_str(w->out, item.text);
    break;
  default:
    break;
  }
}

/* Where the number begins and ends among the places. */
static void place_number(struct writer *w) {
  const struct shape *shape = w->shape;
  const struct digits *digits = w->digits;
  bool zero = digits->before == 1 && digits->text[0] == '0';
  w->too_long = digits->before > shape->before;
  w->shown = w->too_long || digits->behind > shape->behind ? shape->behind : digits->behind;
  if (shape->fill && !w->too_long) {
    uint32_t least = shape->last_zero > shape->before ? shape->last_zero - shape->before : 0;
    while (w->shown > least && digits->text[digits->before + w->shown] == '0')
      w->shown--;
  }
  bool hidden = zero && shape->behind && !shape->first_zero && !(shape->fill && w->shown == 0);
  w->first = w->too_long ? 0 : hidden ? shape->before : shape->before - digits->before;
  if (shape->first_zero && shape->first_zero - 1 < w->first) w->first = shape->first_zero - 1;
}

/* A mantissa and an exponent: the places are those of the mantissa. */
static void write_exponent(struct writer *w) {
  if (!w->digits->negative) put(w, ' ');
  if (w->digits->negative) put(w, '-');
  if (w->digits->text[0] >= '0' && w->digits->text[0] <= '9') {
    buffer_append_text(w->out, w->digits->text);
    return;
  }
  for (uint32_t i = 0; i < w->shape->before + w->shape->behind + 5; i++)
    put(w, i == w->shape->before && w->shape->point ? '.' : '#');
}

static int to_char(struct function_row *at) {
  struct str pattern = row_text(at, 1);
  struct shape shape;
  struct digits digits;
  struct buffer out = row_buffer_of(at);
  int code = measure(at, pattern, &shape);
  if (!code) code = take_digits(at, &shape, &digits);
  if (code) return code;
  struct writer w = {.shape = &shape, .digits = &digits, .out = &out};
  bool quoted = false;
  place_number(&w);
  if (shape.exponent) write_exponent(&w);
  for (size_t offset = 0; offset < pattern.size && !shape.exponent;) {
    struct item item = next_item(pattern, &offset, &quoted);
    if (item.kind == ITEM_ROMAN)
      write_roman(&w, item.text);
    else if (!shape.roman)
      write_item(&w, item);
  }
  return row_give_buffer(at, &out);
}

int plan__run_number_pattern(struct plan_call *call, const uint64_t *rows, struct err *err) {
  return plan__each_row(call, rows, to_char, err);
}
