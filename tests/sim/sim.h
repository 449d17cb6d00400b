/* The simulator: the whole engine on the simulated machine, a plan drawn from a seed, and an
 * oracle.
 *
 * A **plan** is everything that is drawn before a run: the configuration, the **steps** of the
 * **actors** (writers, readers, an administrator; a fiber each) in each **generation** (from one
 * start of the store to its end), and the **faults** of each generation. A **world** is one run of
 * a plan. Each step draws its details from dice of its own, so that a plan from which steps and
 * faults were taken away still means the same: that is how a failing run is shrunk.
 *
 * Everything that was tried stands in the **history**. An **attempt** is one commit that a writer
 * tried; the history gives each the number it was acknowledged with, or finds out at the next start
 * whether it is there. See docs/simulation.md for what the oracle demands. */
#ifndef NILO_TESTS_SIM_H
#define NILO_TESTS_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/memory.h"
#include "os/os.h"
#include "os/sim.h"
#include "store/store.h"

struct ingest_cache;
struct table_engine;
struct table_snapshot;

enum {
  SIM_STORES_MAX = 6,
  SIM_WRITERS_MAX = 4,
  SIM_READERS_MAX = 2,
  SIM_ACTORS_MAX = SIM_WRITERS_MAX + SIM_READERS_MAX + 1,
  SIM_COLUMNS = 3,
  SIM_GENERATIONS_MAX = 8,
  SIM_COPIES_MAX = 8,
  SIM_HELD_MAX = 3, /* snapshots that a reader holds at once */
};

/* ---- dice ---- */

/* splitmix64: the same numbers everywhere for the same state. */
uint64_t sim_draw(uint64_t *dice);
/* A number below `bound` (at least 1). */
uint64_t sim_draw_below(uint64_t *dice, uint64_t bound);
/* True once in `times`. */
bool sim_draw_once_in(uint64_t *dice, uint64_t times);

/* ---- plans ---- */

struct sim_config {
  uint64_t seed;
  bool tables; /* the world of tables (lines, several tables per body) instead of stores */
  enum store_form form;
  enum store_sync sync;
  int64_t sync_interval_ns;
  bool background;
  unsigned stores, writers, readers;
  enum store_policy policy[SIM_STORES_MAX + 1]; /* by store id */
  uint64_t partition_width, history_commits;
  uint64_t log_segment_bytes, log_bytes_max, memory_bytes, part_bytes_max;
  bool lying_drive; /* to test the oracle: nothing is ever synced */
};

enum sim_step_kind {
  STEP_WRITE,
  STEP_WRITE_LARGE,
  STEP_DELETE,
  STEP_DROP,
  STEP_FLUSH,
  STEP_MERGE,
  STEP_WORK,
  STEP_SLEEP,
  STEP_READ,
  STEP_HOLD,
  STEP_LOOK_AGAIN,
  STEP_LET_GO,
  STEP_LINK,
  STEP_KINDS
};

struct sim_step {
  uint8_t generation, actor, kind;
  bool off;
  uint64_t dice;
};

enum sim_fault_kind {
  FAULT_POWER,   /* power is lost; of what was not synced each sector and name is drawn */
  FAULT_WORST,   /* power is lost, and everything that was not synced */
  FAULT_KILL,    /* the process is killed */
  FAULT_IO,      /* calls fail with ERR_IO */
  FAULT_FULL,    /* calls fail with ERR_DISK_FULL */
  FAULT_NO_ROOM, /* the disk is nearly full for a while */
  FAULT_MEMORY,  /* an allocation is refused */
  FAULT_CLOCK,   /* the wall clock jumps */
  FAULT_FLIP,    /* a bit of a file is turned before the start */
  FAULT_KINDS
};

struct sim_fault {
  uint8_t generation, kind;
  bool off;
  const char *call; /* strikes at calls of this name; NULL: at any call */
  uint32_t skip;    /* that pass before */
  uint32_t length;  /* how many calls it strikes, or lasts */
  uint64_t dice;
};

struct sim_plan {
  struct sim_config config;
  unsigned generations;
  struct sim_step *steps;
  size_t step_count;
  struct sim_fault *faults;
  size_t fault_count;
};

/* Draws the plan of a seed. Ends the process when memory is refused, as all of the simulator does.
 */
void sim_plan_init(struct sim_plan *plan, uint64_t seed);
/* The plan of a short sequence: one actor that does everything, a few stores, no faults. */
void sim_plan_init_sequence(struct sim_plan *plan, uint64_t seed);
void sim_plan_deinit(struct sim_plan *plan);
/* Items are the faults, then the steps: what shrinking takes away. */
size_t sim_plan_items(const struct sim_plan *plan);
void sim_plan_switch(struct sim_plan *plan, size_t item, bool off);
bool sim_plan_is_off(const struct sim_plan *plan, size_t item);
void sim_plan_print(const struct sim_plan *plan);
const char *sim_fault_name(unsigned kind);
const char *sim_step_name(unsigned kind);

/* ---- what is counted ---- */

enum { SIM_PLACES_MAX = 4096, SIM_PLACE_TEXT = 72 };

/* A place: call, kind of file, actor. */
struct sim_place {
  char text[SIM_PLACE_TEXT];
  uint64_t calls, crashes, failures;
};

struct sim_stats {
  uint64_t seeds, generations, operations, starts;
  uint64_t commits_acknowledged, commits_undecided, commits_found, commits_lost_by_mode;
  uint64_t rows_written, snapshots_checked, snapshots_looked_again, stores_checked, rows_checked;
  uint64_t answers_as_of, copies_made, copies_checked, degraded_answers, refused_starts;
  uint64_t faults[FAULT_KINDS];
  uint64_t sectors_lost, sectors_torn, names_lost;
  uint64_t hash; /* of the run */
  uint64_t seed; /* that is at work */
  char violation[512];
  struct sim_place places[SIM_PLACES_MAX];
};

void sim_stats_add(struct sim_stats *into, const struct sim_stats *from);
/* The place of a call; NULL when the table is full. */
struct sim_place *sim_stats_place(struct sim_stats *stats, const char *text);

/* ---- the history ---- */

struct sim_row {
  uint64_t series;
  int64_t key;
  uint64_t commit;
  uint32_t order;
  uint8_t present; /* a bit per column */
  bool mark;       /* the place is deleted as of this row */
  uint32_t value[SIM_COLUMNS];
};
struct sim_rows {
  struct sim_row *rows;
  size_t count, capacity;
};

struct sim_delete {
  uint64_t series[4];
  size_t series_count; /* 0: all */
  int64_t key_min, key_max;
};

/* What an attempt does to one store. */
struct sim_change {
  uint64_t store;
  struct sim_rows rows;
  struct sim_delete deletes[2];
  size_t delete_count;
  bool drop;
};

enum sim_fate {
  FATE_TRIED,        /* no answer yet */
  FATE_ACKNOWLEDGED, /* has a number */
  FATE_REFUSED,      /* an error was the answer */
  FATE_GONE,         /* not there at a later start: never comes back */
};

struct sim_attempt {
  uint64_t id; /* from 1; its witness row in store 1 has it as key */
  enum sim_fate fate;
  uint64_t number;
  int64_t acknowledged_ns;
  struct sim_change *changes;
  size_t change_count;
};

struct sim_history {
  struct sim_attempt **attempts; /* by id - 1 */
  size_t count, capacity;
  struct sim_attempt **numbered; /* by commit number; NULL where nobody knows */
  size_t numbered_capacity;
  struct sim_attempt burnt; /* has the numbers of commits that their sync mode lost */
};

/* The series of witness rows; tombstones spare it. */
#define SIM_WITNESS 1000000

void sim_rows_add(struct sim_rows *rows, const struct sim_row *row);
void sim_rows_deinit(struct sim_rows *rows);
void sim_rows_sort(struct sim_rows *rows);
struct sim_attempt *sim_history_attempt(struct sim_history *history);
struct sim_change *sim_attempt_change(struct sim_attempt *attempt, uint64_t store);
/* Gives an attempt its commit number. False when another one has it. */
bool sim_history_number(struct sim_history *history, struct sim_attempt *attempt, uint64_t number);
/* Forgets who has numbers above `last`. */
void sim_history_cut(struct sim_history *history, uint64_t last);
struct sim_attempt *sim_history_at(const struct sim_history *history, uint64_t number);
/* True when every commit up to `commit` is known. */
bool sim_history_knows(const struct sim_history *history, uint64_t commit);
/* The rows of a store as they must be after `commit`, in order, twins and older rows folded. */
void sim_history_rows(const struct sim_history *history, uint64_t store, enum store_policy policy,
                      uint64_t commit, struct sim_rows *out);
/* True when the store was dropped by then: history goes with it. */
bool sim_history_dropped(const struct sim_history *history, uint64_t store, uint64_t commit);
/* True when some attempt wrote this row, or, value by value, its columns. */
bool sim_history_wrote(const struct sim_history *history, uint64_t store,
                       const struct sim_row *row);
void sim_history_deinit(struct sim_history *history);

/* What a reader asks for. */
struct sim_question {
  uint64_t store;
  uint64_t series_min, series_max;
  int64_t key_min, key_max;
  uint8_t columns; /* a bit per column */
  uint32_t head, tail;
  uint64_t as_of; /* 0: as the snapshot has it */
};
/* Takes away what the question does not ask for. */
void sim_rows_filter(struct sim_rows *rows, const struct sim_question *question);
/* The first row that differs, or SIZE_MAX when they are equal. */
size_t sim_rows_difference(const struct sim_rows *a, const struct sim_rows *b);
/* One line of text about a row. */
const char *sim_row_text(const struct sim_row *row, char out[160]);

/* ---- worlds ---- */

/* An answer that waits until the history knows every commit in it. */
struct sim_answer {
  uint64_t commit;
  struct sim_question question;
  struct sim_rows rows;
};

/* A linked snapshot that must hold the rows of its commit from then on. */
struct sim_copy {
  char path[24];
  uint64_t commit;
};

struct sim_world {
  const struct sim_plan *plan;
  struct sim_stats *stats;
  bool trace;
  struct os *os;
  struct mem_account account; /* the store's, where refusals are drawn */
  struct mem_account own;     /* the simulator's */
  struct store_options options;
  struct store_shard *shard;
  struct table_engine *engine; /* in the world of tables: it has the shard */
  struct ingest_cache *cache;  /* of lines; whoever parses takes it */
  struct sim_history history;
  struct sim_answer *answers;
  size_t answer_count, answer_capacity;
  struct sim_copy copies[SIM_COPIES_MAX];
  size_t copy_count;
  unsigned copies_tried;

  unsigned generation;
  bool armed;            /* the faults of this generation may strike */
  unsigned struck;       /* a bit per kind that did in this generation */
  uint32_t passed[64];   /* calls that each fault of this generation let pass */
  uint64_t room_until;   /* calls; 0: there is room */
  uint64_t calls;        /* of this generation */
  int64_t now_ns;        /* at the last file call */
  enum os_sim_loss loss; /* of the crash that comes */
  /* Since the oracle was last content: */
  bool lost;            /* power was lost */
  unsigned lost_struck; /* faults that struck before */
  int64_t lost_ns;      /* when it was first */
  uint64_t floor;       /* commits up to it must survive in every mode */
  uint64_t highest;     /* acknowledged */
};

/* Runs a plan to its end. Returns when the oracle is content; otherwise it says what is wrong and
 * ends the process with SIM_EXIT_VIOLATION. */
void sim_run(const struct sim_plan *plan, struct sim_stats *stats, bool trace);
enum { SIM_EXIT_VIOLATION = 3 };

/* Ends the process with a report: the violation and the tail of the trace. */
_Noreturn void sim_violation(struct sim_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* sim_faults.c: the machine and its faults. */
void sim_machine_create(struct sim_world *world);
void sim_machine_destroy(struct sim_world *world);
void sim_faults_begin(struct sim_world *world);
/* Every fault ends, but for the crash that happened. */
void sim_faults_end(struct sim_world *world);
/* Loses power, or kills, as the generation's plan says, and starts the machine again. */
void sim_machine_reboot(struct sim_world *world);
/* Turns a bit of a file below `path`, and notes it in the arguments. False: there is no file. */
bool sim_flip(struct sim_world *world, const char *path, uint64_t dice, char name[256],
              uint64_t *bit);
/* The byte that holds a bit of a file; -1: there is none. */
int sim_byte(struct sim_world *world, const char *path, uint64_t bit);
/* Demands that an error is one that the faults of this generation explain. */
void sim_expect_explained(struct sim_world *world, const char *what, int code,
                          const struct err *err);

/* sim_actors.c: writers, readers and the administrator of a generation. */
void sim_actors_run(struct sim_world *world);
/* One commit as `dice` have it, and its answer. */
int sim_write(struct sim_world *world, unsigned kind, uint64_t dice);

/* sim_table.c: in the world of tables, store n is the table "tn" of the database "db": series are
 * the tag "host", columns the fields a, b and c. */
/* Opens the engine (else the store alone), makes the database where it is missing, and sets
 * world->shard. */
int sim_open(struct sim_world *world, struct err *err);
void sim_close(struct sim_world *world);
/* Writes an attempt as one body of line protocol. */
int sim_table_write(struct sim_world *world, const struct sim_attempt *attempt, uint64_t *number,
                    struct err *err);
/* As sim_read. */
int sim_table_read(struct sim_world *world, struct table_snapshot *snapshot,
                   const struct sim_question *question, struct sim_rows *rows, uint64_t *damaged,
                   struct err *err);

/* A pinned snapshot of either world. */
struct sim_pin {
  struct store_snapshot *store;
  struct table_snapshot *tables;
};
int sim_pin_acquire(struct sim_world *world, struct sim_pin *pin, struct err *err);
void sim_pin_release(struct sim_pin *pin);

/* sim_oracle.c */
/* The number that a stored value of column c was made from (sim_actors.c, fill_columns). */
uint32_t sim_value_of(struct sim_world *world, const struct column *column, int c, int64_t row);
/* Reads what is asked for; rows that do not fit the columns' types are a violation. */
int sim_read(struct sim_world *world, const struct sim_pin *pin,
             const struct sim_question *question, struct sim_rows *rows, uint64_t *damaged,
             struct err *err);
struct sim_question sim_question_all(uint64_t store);
/* Compares an answer now if the history allows it, else keeps it. Takes the rows. */
void sim_answer_check(struct sim_world *world, uint64_t commit, const struct sim_question *question,
                      struct sim_rows *rows);
/* Checks the answers that can be decided; `final`: and forgets the others. */
void sim_answers_settle(struct sim_world *world, bool final);
/* After a start: decides which attempts are there, and compares every store with the history. */
void sim_oracle_start(struct sim_world *world);
/* Opens the linked snapshots and compares them; they are forgotten then. */
void sim_oracle_copies(struct sim_world *world);
/* The same where a bit was turned: what is not exact must say so. Returns false when it is not. */
bool sim_oracle_degraded(struct sim_world *world);

#endif
