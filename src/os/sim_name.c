/* Names of simulated files.
 *
 * A directory has two sets of names: what everybody sees, and what is on the disk. Each change of
 * the first is noted in one list, in order; a sync of a directory applies the changes that touch it
 * to the second set; a power loss applies some of the rest. A rename is one change with two halves,
 * so old or new name survives, never neither. Changes of one name keep their order; changes of
 * different names may overtake each other, within one directory too. */
#include <errno.h>
#include <string.h>

#include "base/err.h"
#include "os/sim_private.h"

enum { NAME_BYTES_MAX = 255 };

/* ---- sets of names ---- */

/* The place of a name, or where it would be inserted. */
static size_t find_name(const struct sim_names *names, const char *name, bool *found) {
  size_t low = 0, high = names->count;
  *found = false;
  while (low < high) {
    size_t middle = low + (high - low) / 2;
    int order = strcmp(names->list[middle].name, name);
    if (order == 0) {
      *found = true;
      return middle;
    }
    if (order < 0)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

static struct sim_inode *get_name(const struct sim_names *names, const char *name) {
  bool found;
  size_t i = find_name(names, name, &found);
  return found ? names->list[i].inode : NULL;
}

static void erase_name(struct sim *sim, struct sim_names *names, const char *name) {
  bool found;
  size_t i = find_name(names, name, &found);
  if (!found) return;
  struct sim_name gone = names->list[i];
  memmove(&names->list[i], &names->list[i + 1], (--names->count - i) * sizeof *names->list);
  sim__free_text(sim, gone.name);
  sim__inode_release(sim, gone.inode);
}

/* Adds or replaces. */
static void set_name(struct sim *sim, struct sim_names *names, const char *name,
                     struct sim_inode *inode) {
  sim__inode_retain(inode);
  bool found;
  size_t i = find_name(names, name, &found);
  if (found) {
    struct sim_inode *replaced = names->list[i].inode;
    names->list[i].inode = inode;
    sim__inode_release(sim, replaced);
    return;
  }
  names->list = sim__grow(sim, names->list, names->count, &names->capacity, sizeof *names->list);
  memmove(&names->list[i + 1], &names->list[i], (names->count++ - i) * sizeof *names->list);
  names->list[i] = (struct sim_name){sim__copy_text(sim, name, strlen(name)), inode};
}

void sim__names_clear(struct sim *sim, struct sim_names *names) {
  struct sim_names gone = *names;
  *names = (struct sim_names){0};
  for (size_t i = 0; i < gone.count; i++) {
    sim__free_text(sim, gone.list[i].name);
    sim__inode_release(sim, gone.list[i].inode);
  }
  sim__free(sim, gone.list, gone.capacity * sizeof *gone.list);
}

/* ---- paths ---- */

struct place {
  struct sim_inode *dir;
  char name[NAME_BYTES_MAX + 1]; /* empty: the path is the root itself */
};

/* Cuts the next component off *path; false at the end. Empty components and "." are nothing. */
static bool next_part(const char **path, char *name, int *number) {
  for (;;) {
    *path += strspn(*path, "/");
    size_t size = strcspn(*path, "/");
    if (size == 0) return false;
    bool dot = size == 1 && **path == '.';
    if (size > NAME_BYTES_MAX || (size == 2 && memcmp(*path, "..", 2) == 0)) {
      *number = size > NAME_BYTES_MAX ? ENAMETOOLONG : EINVAL;
      return false;
    }
    memcpy(name, *path, size);
    name[size] = 0;
    *path += size;
    if (!dot) return true;
  }
}

/* Finds the directory and the last name of a path; the name itself need not exist. An errno value
 * or 0. */
static int find_place(struct sim *sim, const char *path, struct place *place) {
  *place = (struct place){.dir = sim->root};
  char name[NAME_BYTES_MAX + 1];
  int number = *path ? 0 : ENOENT;
  while (number == 0 && next_part(&path, name, &number)) {
    if (place->name[0]) {
      struct sim_inode *inner = get_name(&place->dir->now, place->name);
      if (!inner) return ENOENT;
      place->dir = inner;
    }
    if (!place->dir->is_dir) return ENOTDIR;
    memcpy(place->name, name, sizeof name);
  }
  return number;
}

static struct sim_inode *inode_at(const struct place *place) {
  return place->name[0] ? get_name(&place->dir->now, place->name) : place->dir;
}

struct sim_inode *sim__resolve(struct sim *sim, const char *path, int *number) {
  struct place place;
  *number = find_place(sim, path, &place);
  if (*number) return NULL;
  struct sim_inode *inode = inode_at(&place);
  if (!inode) *number = ENOENT;
  return inode;
}

/* ---- changes ---- */

static void free_change(struct sim *sim, struct sim_change *change) {
  sim__free_text(sim, change->from);
  sim__free_text(sim, change->to);
  if (change->from_dir) sim__inode_release(sim, change->from_dir);
  if (change->to_dir) sim__inode_release(sim, change->to_dir);
  sim__inode_release(sim, change->inode);
}

static void note_change(struct sim *sim, struct sim_inode *inode, const struct place *from,
                        const struct place *to) {
  sim->changes =
      sim__grow(sim, sim->changes, sim->change_count, &sim->change_capacity, sizeof *sim->changes);
  struct sim_change *change = &sim->changes[sim->change_count++];
  *change = (struct sim_change){.inode = inode};
  sim__inode_retain(inode);
  if (from) {
    change->from_dir = from->dir;
    change->from = sim__copy_text(sim, from->name, strlen(from->name));
    sim__inode_retain(from->dir);
  }
  if (to) {
    change->to_dir = to->dir;
    change->to = sim__copy_text(sim, to->name, strlen(to->name));
    sim__inode_retain(to->dir);
  }
}

/* Takes a name away from what is seen. */
static void hide(struct sim *sim, const struct place *place) {
  struct sim_inode *inode = inode_at(place);
  inode->links--;
  sim__inode_unused(sim, inode);
  erase_name(sim, &place->dir->now, place->name);
}

/* Lets a name be seen. */
static void show(struct sim *sim, const struct place *place, struct sim_inode *inode) {
  inode->links++;
  if (inode->is_dir) inode->parent = place->dir;
  set_name(sim, &place->dir->now, place->name, inode);
}

static bool same_name(const struct sim_inode *dir, const char *name,
                      const struct sim_inode *other_dir, const char *other) {
  return name && other && dir == other_dir && strcmp(name, other) == 0;
}

/* A move to another directory: the file would be lost if only its first half survived. */
static bool moves(const struct sim_change *change) {
  return change->from && change->to && change->from_dir != change->to_dir;
}

/* True when `earlier` must be on the disk before `change` can be. */
static bool comes_first(const struct sim_change *earlier, const struct sim_change *change,
                        bool with_dirs) {
  const struct sim_change *a = earlier, *b = change;
  if (same_name(a->from_dir, a->from, b->from_dir, b->from) ||
      same_name(a->from_dir, a->from, b->to_dir, b->to) ||
      same_name(a->to_dir, a->to, b->from_dir, b->from) ||
      same_name(a->to_dir, a->to, b->to_dir, b->to))
    return true;
  return b->to && (with_dirs || moves(b)) && a->to && a->inode == b->to_dir;
}

/* Makes one change durable; changes[i] leaves the list as NULL inode. Earlier changes of the same
 * names go first, as in every journal: a name must not come back that was given up later. A move to
 * another directory also takes along the changes that brought its new directory into being
 * (with_dirs: so does any change), or a loss of those would lose the file. */
static void apply_change(struct sim *sim, size_t i, bool with_dirs) {
  struct sim_change change = sim->changes[i];
  if (!change.inode) return;
  sim->changes[i].inode = NULL;
  for (size_t k = 0; k < i; k++)
    if (sim->changes[k].inode && comes_first(&sim->changes[k], &change, with_dirs))
      apply_change(sim, k, with_dirs || moves(&change));
  if (change.from && get_name(&change.from_dir->durable, change.from) == change.inode)
    erase_name(sim, &change.from_dir->durable, change.from);
  if (change.to) set_name(sim, &change.to_dir->durable, change.to, change.inode);
  free_change(sim, &change);
}

static void drop_applied(struct sim *sim) {
  size_t left = 0;
  for (size_t i = 0; i < sim->change_count; i++)
    if (sim->changes[i].inode) sim->changes[left++] = sim->changes[i];
  sim->change_count = left;
}

static void sync_dir(struct sim *sim, struct sim_inode *dir) {
  for (size_t i = 0; i < sim->change_count; i++) {
    struct sim_change *change = &sim->changes[i];
    if (change->inode && (change->from_dir == dir || change->to_dir == dir))
      apply_change(sim, i, false);
  }
  drop_applied(sim);
}

/* ---- power loss ---- */

static void settle_changes(struct sim *sim, enum os_sim_loss loss) {
  struct sim_random *random = &sim->disk_random;
  /* Either a prefix of the changes survives, as journals have it, or any selection. */
  bool ordered = sim__draw_below(random, 2) == 0;
  uint64_t prefix = sim__draw_below(random, sim->change_count + 1);
  uint64_t of_eight = sim__draw_below(random, 9);
  for (size_t i = 0; i < sim->change_count; i++) {
    uint64_t dice = sim__draw_below(random, 8);
    bool keep = ordered ? i < prefix : dice < of_eight;
    if (loss != OS_SIM_LOSS_DRAWN) keep = loss == OS_SIM_LOSS_NONE;
    if (keep) apply_change(sim, i, false);
  }
  sim->outcome.names_kept = sim->change_count;
  for (size_t i = 0; i < sim->change_count; i++) {
    if (!sim->changes[i].inode) continue;
    sim->outcome.names_lost++;
    sim->outcome.names_kept--;
    free_change(sim, &sim->changes[i]);
  }
  sim->change_count = 0;
}

void sim__names_settle(struct sim *sim, enum os_sim_loss loss) {
  settle_changes(sim, loss);
  /* Every inode is held while the sets are exchanged, so that the list stays whole. */
  struct sim_inode *inode = sim->root;
  do {
    sim__inode_retain(inode);
    inode->links = 0;
    inode = inode->behind;
  } while (inode != sim->root);
  do {
    sim__names_clear(sim, &inode->now);
    inode = inode->behind;
  } while (inode != sim->root);
  do {
    for (size_t i = 0; i < inode->durable.count; i++) {
      struct place place = {.dir = inode};
      const char *name = inode->durable.list[i].name;
      memcpy(place.name, name, strlen(name) + 1);
      show(sim, &place, inode->durable.list[i].inode);
    }
    inode = inode->behind;
  } while (inode != sim->root);
  sim->root->links = 1;
  inode = sim->root->behind;
  while (inode != sim->root) {
    struct sim_inode *next = inode->behind;
    sim__inode_release(sim, inode);
    inode = next;
  }
  sim__inode_release(sim, sim->root);
}

void sim__names_deinit(struct sim *sim) {
  for (size_t i = 0; i < sim->change_count; i++)
    free_change(sim, &sim->changes[i]);
  sim__free(sim, sim->changes, sim->change_capacity * sizeof *sim->changes);
  /* Directories first lose their names, then nothing but handles holds an inode. Lost circles of
   * directories end here too. */
  struct sim_inode *inode = sim->root;
  do {
    sim__inode_retain(inode);
    inode = inode->behind;
  } while (inode != sim->root);
  do {
    sim__names_clear(sim, &inode->now);
    sim__names_clear(sim, &inode->durable);
    inode = inode->behind;
  } while (inode != sim->root);
  inode = sim->root->behind;
  while (inode != sim->root) {
    struct sim_inode *next = inode->behind;
    sim__inode_release(sim, inode);
    inode = next;
  }
  sim__inode_release(sim, sim->root);
  sim__inode_release(sim, sim->root);
}

/* ---- calls ---- */

/* What a call found and may do; done by the caller when the fate lets it. */
static enum sim_fate enter(struct sim *sim, const char *name, const char *path, int *code,
                           struct err *err) {
  struct sim_call call = {.name = name, .path = path, .changes = true};
  call.makes_durable = strcmp(name, "dirsync") == 0;
  enum sim_fate fate = sim__enter(sim, &call, code, err);
  /* A change of names happens or does not: nothing is half done. */
  if (fate == SIM_CRASH && !sim__crash_took_effect(sim)) return SIM_FAIL;
  return fate;
}

/* A call that is refused while the power fails is off like any other. */
static int refuse(struct sim *sim, struct err *err, const char *what, const char *path,
                  int number) {
  return sim->crashed ? sim__lost(err, path) : os__fail(err, what, path, number);
}

static int leave(struct sim *sim, enum sim_fate fate, int code) {
  if (fate != SIM_CRASH) sim__leave(sim);
  return code;
}

/* The inode to open, made or cut as the flags say; an errno value or 0. */
static int open_inode(struct sim *sim, const char *path, unsigned flags, struct sim_inode **inode) {
  struct place place;
  int number = find_place(sim, path, &place);
  if (number) return number;
  *inode = inode_at(&place);
  if (*inode && (flags & OS_EXCLUSIVE)) return EEXIST;
  if (*inode && (*inode)->is_dir) return EISDIR;
  if (*inode) {
    if ((flags & OS_TRUNCATE) && (*inode)->size > 0) sim__inode_truncate(sim, *inode, 0);
    return 0;
  }
  if (!(flags & OS_CREATE)) return ENOENT;
  if (sim->blocks_used >= sim->blocks_total) return ENOSPC;
  *inode = sim__inode_create(sim, false);
  show(sim, &place, *inode);
  note_change(sim, *inode, NULL, &place);
  sim__inode_release(sim, *inode); /* the names hold it now */
  return 0;
}

/* True when an open changes something, which makes it an operation. */
static bool open_changes(struct sim *sim, const char *path, unsigned flags) {
  int number;
  struct sim_inode *inode = sim__resolve(sim, path, &number);
  if (!inode) return (flags & OS_CREATE) && number == ENOENT;
  return (flags & OS_TRUNCATE) && inode->size > 0;
}

int sim__file_open(struct os *os, const char *path, unsigned flags, struct os_file **file,
                   struct err *err) {
  struct sim *sim = sim_of(os);
  int code;
  struct sim_call call = {.name = "open", .path = path, .a = flags};
  call.changes = open_changes(sim, path, flags);
  enum sim_fate fate = sim__enter(sim, &call, &code, err);
  if (fate == SIM_FAIL) return code;
  if (fate == SIM_CRASH && !sim__crash_took_effect(sim)) return code;
  struct sim_inode *inode;
  int number = open_inode(sim, path, flags, &inode);
  if (number) return refuse(sim, err, "cannot open the file", path, number);
  if (fate == SIM_CRASH) return code;
  struct sim_file *simulated = os__file_alloc(os, sizeof *simulated, path, flags);
  if (!simulated) return mem_refused(&os->account, sizeof *simulated, err);
  simulated->inode = inode;
  simulated->boot = sim->boot;
  inode->handles++;
  if (++sim->files_open > sim->files_open_most) sim->files_open_most = sim->files_open;
  sim__inode_retain(inode);
  *file = &simulated->file;
  if (call.changes) sim__leave(sim);
  return ERR_OK;
}

void sim__file_close(struct os_file *file) {
  struct sim *sim = sim_of(file->os);
  struct sim_file *simulated = (struct sim_file *)file;
  struct sim_inode *inode = simulated->inode;
  sim__point(sim, 1000);
  sim->files_open--;
  if (inode->locked_by == simulated) inode->locked_by = NULL;
  if (simulated->boot == sim->boot) {
    inode->handles--;
    sim__inode_unused(sim, inode);
  }
  sim__inode_release(sim, inode);
  os__file_free(file);
}

int sim__file_remove(struct os *os, const char *path, struct err *err) {
  struct sim *sim = sim_of(os);
  int code;
  enum sim_fate fate = enter(sim, "remove", path, &code, err);
  if (fate == SIM_FAIL) return code;
  struct place place;
  int number = find_place(sim, path, &place);
  struct sim_inode *inode = number ? NULL : inode_at(&place);
  if (!number && !inode) number = ENOENT;
  if (!number && inode->is_dir) number = EISDIR;
  if (number) return refuse(sim, err, "cannot remove the file", path, number);
  note_change(sim, inode, &place, NULL);
  hide(sim, &place);
  return leave(sim, fate, code);
}

static bool is_below(const struct sim_inode *inode, const struct sim_inode *above) {
  for (; inode; inode = inode->parent)
    if (inode == above) return true;
  return false;
}

/* Why a rename can't be; 0 when it can. */
static int rename_refusal(struct sim *sim, const char *from, const char *to, struct place *source,
                          struct place *target) {
  int number = find_place(sim, from, source);
  if (!number) number = find_place(sim, to, target);
  if (number) return number;
  if (!source->name[0] || !target->name[0]) return EBUSY;
  struct sim_inode *inode = inode_at(source), *there = inode_at(target);
  if (!inode) return ENOENT;
  if (inode->is_dir && is_below(target->dir, inode)) return EINVAL;
  if (!there || there == inode) return 0;
  if (there->is_dir && !inode->is_dir) return EISDIR;
  if (!there->is_dir && inode->is_dir) return ENOTDIR;
  return there->is_dir && there->now.count > 0 ? ENOTEMPTY : 0;
}

int sim__file_rename(struct os *os, const char *from, const char *to, struct err *err) {
  struct sim *sim = sim_of(os);
  int code;
  enum sim_fate fate = enter(sim, "rename", from, &code, err);
  if (fate == SIM_FAIL) return code;
  struct place source = {.dir = sim->root}, target = source;
  int number = rename_refusal(sim, from, to, &source, &target);
  if (number) return refuse(sim, err, "cannot rename the file", from, number);
  struct sim_inode *inode = inode_at(&source);
  if (inode_at(&target) == inode) return leave(sim, fate, code); /* as POSIX has it: nothing */
  note_change(sim, inode, &source, &target);
  if (inode_at(&target)) hide(sim, &target);
  show(sim, &target, inode);
  hide(sim, &source);
  return leave(sim, fate, code);
}

int sim__file_link(struct os *os, const char *from, const char *to, struct err *err) {
  struct sim *sim = sim_of(os);
  int code;
  enum sim_fate fate = enter(sim, "link", to, &code, err);
  if (fate == SIM_FAIL) return code;
  struct place target = {.dir = sim->root};
  int number = 0;
  struct sim_inode *inode = sim__resolve(sim, from, &number);
  if (inode) number = find_place(sim, to, &target);
  if (!number && inode_at(&target)) number = EEXIST;
  if (!number && inode->is_dir) number = EPERM;
  if (number) return refuse(sim, err, "cannot link the file", number == EEXIST ? to : from, number);
  show(sim, &target, inode);
  note_change(sim, inode, NULL, &target);
  return leave(sim, fate, code);
}

bool sim__path_exists(struct os *os, const char *path) {
  struct sim *sim = sim_of(os);
  int code, number;
  struct sim_call call = {.name = "exists", .path = path};
  return sim__enter(sim, &call, &code, NULL) == SIM_GO && sim__resolve(sim, path, &number);
}

int sim__dir_create(struct os *os, const char *path, struct err *err) {
  struct sim *sim = sim_of(os);
  int code;
  enum sim_fate fate = enter(sim, "mkdir", path, &code, err);
  if (fate == SIM_FAIL) return code;
  struct place place;
  int number = find_place(sim, path, &place);
  struct sim_inode *there = number ? NULL : inode_at(&place);
  if (there && there->is_dir) return leave(sim, fate, code);
  if (there) number = EEXIST;
  if (!number && sim->blocks_used >= sim->blocks_total) number = ENOSPC;
  if (number) return refuse(sim, err, "cannot create the directory", path, number);
  struct sim_inode *inode = sim__inode_create(sim, true);
  show(sim, &place, inode);
  note_change(sim, inode, NULL, &place);
  sim__inode_release(sim, inode);
  return leave(sim, fate, code);
}

int sim__dir_remove(struct os *os, const char *path, struct err *err) {
  struct sim *sim = sim_of(os);
  int code;
  enum sim_fate fate = enter(sim, "rmdir", path, &code, err);
  if (fate == SIM_FAIL) return code;
  struct place place;
  int number = find_place(sim, path, &place);
  struct sim_inode *inode = number ? NULL : inode_at(&place);
  if (!number && !inode) number = ENOENT;
  if (!number && !inode->is_dir) number = ENOTDIR;
  if (!number && !place.name[0]) number = EBUSY;
  if (!number && inode->now.count > 0) number = ENOTEMPTY;
  if (number) return refuse(sim, err, "cannot remove the directory", path, number);
  note_change(sim, inode, &place, NULL);
  inode->parent = NULL;
  hide(sim, &place);
  return leave(sim, fate, code);
}

int sim__dir_sync(struct os *os, const char *path, struct err *err) {
  struct sim *sim = sim_of(os);
  int code;
  enum sim_fate fate = enter(sim, "dirsync", path, &code, err);
  if (fate == SIM_FAIL) return code;
  int number;
  struct sim_inode *inode = sim__resolve(sim, path, &number);
  if (inode && !inode->is_dir) number = ENOTDIR;
  if (number) return refuse(sim, err, "cannot sync the directory", path, number);
  if (fate != SIM_PRETEND) sync_dir(sim, inode);
  return leave(sim, fate, code);
}

int sim__dir_list(struct os *os, const char *path,
                  int (*visit)(void *context, const char *name, bool is_dir), void *context,
                  struct err *err) {
  struct sim *sim = sim_of(os);
  int code, number;
  struct sim_call call = {.name = "list", .path = path};
  if (sim__enter(sim, &call, &code, err) != SIM_GO) return code;
  struct sim_inode *inode = sim__resolve(sim, path, &number);
  if (inode && !inode->is_dir) number = ENOTDIR;
  if (number) return os__fail(err, "cannot list the directory", path, number);
  struct os__names names = {.account = &os->account};
  for (size_t i = 0; i < inode->now.count && !code; i++)
    code = os__names_add(&names, inode->now.list[i].name, inode->now.list[i].inode->is_dir, err);
  if (!code) code = os__names_visit(&names, visit, context, err);
  os__names_deinit(&names);
  return code;
}
