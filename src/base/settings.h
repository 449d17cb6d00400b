/* Settings: tables that modules declare, and the values that files, environment and flags give.
 *
 * A module declares its settings as a constant table and reads them by name. The wiring collects
 * the tables, loads the sources in any order (defaults < file < environment < flags: a weaker
 * source never replaces a stronger one), and hands the object down. Once loaded it is only read,
 * from any thread.
 *
 * File:
 *     # comment
 *     [wal]
 *     sync = "always"        # = wal.sync
 *     segment_size = 64MiB
 * Environment: NILO_WAL_SYNC=always (dots become underscores). Flag: --wal.sync=always.
 *
 * Values: booleans true/false, on/off, yes/no, 1/0; integers, with underscores
 * between digits; sizes in bytes with KiB, MiB, GiB, TiB (also K, M, G, T) or KB, MB, GB, TB of
 * 1,000, any case; durations as duration_parse, and 0; strings and enum names bare or in double
 * quotes with \" \\ \n \t. */
#ifndef NILO_BASE_SETTINGS_H
#define NILO_BASE_SETTINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

struct buffer;
struct err;
struct mem_account;
struct settings;

enum setting_type {
  SETTING_BOOL,
  SETTING_INT,
  SETTING_SIZE,     /* bytes */
  SETTING_DURATION, /* nanoseconds */
  SETTING_STRING,
  SETTING_ENUM,
};

struct setting {
  const char *name; /* "wal.sync": section, dot, key; lower case, digits, underscores */
  enum setting_type type;
  const char *fallback; /* the default, as text in the file's spelling without quotes */
  int64_t min, max;     /* of numbers, both inclusive; both 0: any. Strings: max is the size */
  const char *choices;  /* of an enum, in the order of its numbers, blanks between: "always off" */
  const char *help;     /* one sentence or more, without line breaks */
};
struct setting_table {
  const struct setting *settings;
  size_t count;
};

enum setting_origin {
  SETTING_DEFAULT,
  SETTING_FILE,
  SETTING_ENVIRONMENT,
  SETTING_FLAG,
};

/* Collects the tables (which must outlive it) with their defaults. Errors: ERR_INTERNAL when a
 * default does not parse or a name is declared twice, ERR_NO_MEMORY, ERR_MEMORY_LIMIT. */
int settings_create(struct mem_account *account, const struct setting_table *tables, size_t count,
                    struct settings **settings, struct err *err);
void settings_destroy(struct settings *settings);

/* ---- sources ---- Errors of all: ERR_PARSE, ERR_OUT_OF_RANGE, ERR_NOT_FOUND for an unknown name
 * (the hint names the nearest one), ERR_NO_MEMORY, ERR_MEMORY_LIMIT; the detail names the place
 * ("nilo.toml:12", "environment NILO_WAL_SYNC", "flag --wal.sync"). What was loaded before the
 * fault stays. */

/* The text of a file; `file` is only its name for messages. */
int settings_load_file(struct settings *settings, const char *file, struct str text,
                       struct err *err);
/* The variables of an environment (NULL-terminated, "NAME=value") that name a setting's section:
 * NILO_WAL_… where there is a section wal. Of those, a name that is no setting is an error; other
 * NILO_… variables are somebody else's. */
int settings_load_environment(struct settings *settings, char *const *environment, struct err *err);
/* One flag's name and value, without dashes. */
int settings_load_flag(struct settings *settings, struct str name, struct str value,
                       struct err *err);
/* True when a setting of this name exists: for telling flags apart. */
bool settings_known(const struct settings *settings, struct str name);

/* ---- reading ---- The name must be declared with that type (asserted). */
bool settings_bool(const struct settings *settings, const char *name);
/* INT, SIZE (bytes), DURATION (ns). */
int64_t settings_number(const struct settings *settings, const char *name);
/* STRING and ENUM; terminated, lives as long as the settings. */
const char *settings_string(const struct settings *settings, const char *name);
/* ENUM: the place among its choices. */
int settings_choice(const struct settings *settings, const char *name);
enum setting_origin settings_origin(const struct settings *settings, const char *name);

/* ---- writing ---- */

/* One setting as it is told. `value` is its text in the file's spelling, texts without quotes;
 * `place` where it comes from: "default", "nilo.toml:12" … */
struct setting_told {
  const struct setting *setting;
  struct str value;
  const char *place;
};
/* Calls visit for each, in the order of the tables; what it is given is borrowed. ERR_NO_MEMORY,
 * ERR_MEMORY_LIMIT. */
int settings_visit(const struct settings *settings,
                   void (*visit)(void *context, const struct setting_told *told), void *context,
                   struct err *err);

/* One aligned line per setting: name = value  # origin. */
void settings_write_effective(const struct settings *settings, struct buffer *buffer);
/* A file with every setting at its default, commented out, under its help. */
void settings_write_default_file(const struct settings *settings, struct buffer *buffer);

#endif
