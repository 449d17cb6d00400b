/* The registry: which column a tag is.
 *
 * A tag gets its id when it is first used. Every commit names the tags that it uses, in its note,
 * so that the log explains itself: whatever has become of older parts, replaying a commit finds its
 * names. Parts name their columns, so that they explain themselves too. Opening puts both together;
 * nothing else is stored.
 *
 * A tag is **written** once a commit with it is visible. Before that its type is that of whoever
 * uses it; when every such commit has failed, the next user may choose another one. Tags are never
 * given up, so pointers and names stay good for the registry's life. */
#include <stdlib.h>

#include "base/bytes.h"
#include "base/limits.h"
#include "element/element_private.h"

enum { NOTE_VERSION = 1 };

struct type element_column_type(enum nilo_store_type type) {
  switch (type) {
  case NILO_STORE_STRING:
    return TYPE_STRING;
  case NILO_STORE_INT64:
    return TYPE_INT64;
  case NILO_STORE_UINT64:
    return TYPE_UINT64;
  case NILO_STORE_FLOAT64:
    return TYPE_FLOAT64;
  case NILO_STORE_BOOL:
    return TYPE_BOOL;
  case NILO_STORE_BYTES:
    return TYPE_BYTES;
  case NILO_STORE_STRING_LIST:
    return TYPE_LIST_STRING;
  case NILO_STORE_INT64_LIST:
    return TYPE_LIST_INT64;
  case NILO_STORE_NULL:
    break;
  }
  return (struct type){0};
}

enum nilo_store_type element_tag_type(struct type type) {
  for (int i = NILO_STORE_STRING; i <= NILO_STORE_INT64_LIST; i++)
    if (type_equal(type, element_column_type((enum nilo_store_type)i)))
      return (enum nilo_store_type)i;
  return NILO_STORE_NULL;
}

const char *element_type_name(enum nilo_store_type type) {
  static const char *const names[] = {"null",    "string", "int64",       "uint64",    "float64",
                                      "boolean", "bytes",  "string list", "int64 list"};
  return type <= NILO_STORE_INT64_LIST ? names[type] : "no type";
}

/* ---- life ---- */

void element_registry_init(struct element_registry *registry, struct os *os,
                           struct mem_account *account) {
  os_mutex_init(&registry->lock, os);
  registry->account = account;
  str_table_init(&registry->by_name, account, false, os_random_u64(os));
  u64_table_init(&registry->by_id, account);
  registry->id_next = 1;
}

static size_t tag_bytes(size_t name_size) { return sizeof(struct element_tag) + name_size + 1; }

void element_registry_deinit(struct element_registry *registry) {
  for (size_t i = 0; i < registry->count; i++)
    mem_free(registry->account, registry->tags[i], tag_bytes(registry->tags[i]->name_size));
  mem_free(registry->account, registry->tags, registry->capacity * sizeof *registry->tags);
  str_table_deinit(&registry->by_name);
  u64_table_deinit(&registry->by_id);
  os_mutex_deinit(&registry->lock);
}

/* ---- under the lock ---- */

static struct element_tag *find_name(struct element_registry *registry, struct str name) {
  uint64_t *index = str_table_find(&registry->by_name, name);
  return index ? registry->tags[*index] : NULL;
}

static struct element_tag *find_id(struct element_registry *registry, uint32_t id) {
  uint64_t *index = u64_table_find(&registry->by_id, id);
  return index ? registry->tags[*index] : NULL;
}

/* Room for one more tag in every table, so that entering one can't fail in the middle. */
static bool make_room(struct element_registry *registry) {
  if (registry->count == registry->capacity) {
    size_t wanted = registry->capacity ? 2 * registry->capacity : 16;
    struct element_tag **tags =
        mem_resize(registry->account, registry->tags, registry->capacity * sizeof *tags,
                   wanted * sizeof *tags);
    if (!tags) return false;
    registry->tags = tags;
    registry->capacity = wanted;
  }
  return str_table_reserve(&registry->by_name, registry->count + 1) &&
         u64_table_reserve(&registry->by_id, registry->count + 1);
}

static int add_tag(struct element_registry *registry, struct str name, uint32_t id,
                   struct type type, struct element_tag **added, struct err *err) {
  struct element_tag *tag = mem_alloc(registry->account, tag_bytes(name.size));
  if (!tag || !make_room(registry)) {
    mem_free(registry->account, tag, tag_bytes(name.size));
    return mem_refused(registry->account, tag_bytes(name.size), err);
  }
  *tag = (struct element_tag){.id = id, .type = type, .name_size = name.size};
  memcpy(tag->name, name.data, name.size);
  tag->name[name.size] = 0;
  *str_table_insert(&registry->by_name, str_of(tag->name, name.size), NULL) = registry->count;
  *u64_table_insert(&registry->by_id, id, NULL) = registry->count;
  registry->tags[registry->count++] = tag;
  if (id >= registry->id_next) registry->id_next = id + 1;
  *added = tag;
  return ERR_OK;
}

/* ---- writers ---- */

static int other_type(struct str name, struct type has, struct type given, struct err *err) {
  int code =
      err_set(err, ERR_TYPE_CONFLICT, "tag \"%.*s\" is %s, and %s was given",
              (int)(name.size > 100 ? 100 : name.size), name.data,
              element_type_name(element_tag_type(has)), element_type_name(element_tag_type(given)));
  err_hint(err, "a tag keeps the type of its first value; give the other values another name");
  return code;
}

int element_registry_use(struct element_registry *registry, struct str name, struct type type,
                         struct element_tag **used, struct err *err) {
  if (name.size == 0) return err_set(err, ERR_INVALID_ARGUMENT, "a tag without a name");
  if (name.size > LIMIT_NAME_SIZE)
    return err_set(err, ERR_INVALID_ARGUMENT, "the name of a tag has %zu bytes, at most %d",
                   name.size, LIMIT_NAME_SIZE);
  int code = ERR_OK;
  os_mutex_lock(&registry->lock);
  struct element_tag *tag = find_name(registry, name);
  if (!tag) {
    if (registry->count >= LIMIT_COLUMNS_PER_TABLE)
      code =
          err_set(err, ERR_LIMIT_EXCEEDED, "a store has at most %d tags", LIMIT_COLUMNS_PER_TABLE);
    else
      code = add_tag(registry, name, registry->id_next, type, &tag, err);
  } else if (!type_equal(tag->type, type)) {
    if (tag->written || tag->pending)
      code = other_type(name, tag->type, type, err);
    else
      tag->type = type;
  }
  if (!code) {
    tag->pending++;
    *used = tag;
  }
  os_mutex_unlock(&registry->lock);
  return code;
}

void element_registry_settle(struct element_registry *registry, struct element_tag *tag,
                             bool written) {
  os_mutex_lock(&registry->lock);
  tag->pending--;
  tag->written |= written;
  os_mutex_unlock(&registry->lock);
}

void element_note_begin(struct buffer *note) { buffer_append_byte(note, NOTE_VERSION); }

void element_note_append(struct buffer *note, const struct element_tag *tag) {
  buffer_append_varint(note, tag->id);
  buffer_append(note, &tag->type, sizeof tag->type);
  buffer_append_sized(note, str_of(tag->name, tag->name_size));
}

/* ---- readers ---- */

bool element_registry_find(struct element_registry *registry, struct str name, uint32_t *id,
                           struct type *type) {
  os_mutex_lock(&registry->lock);
  const struct element_tag *tag = find_name(registry, name);
  bool found = tag && (tag->written || tag->pending);
  if (found) {
    *id = tag->id;
    *type = tag->type;
  }
  os_mutex_unlock(&registry->lock);
  return found;
}

static int by_name(const void *a, const void *b) {
  return str_compare(((const struct element_known *)a)->name,
                     ((const struct element_known *)b)->name);
}

int element_registry_list(struct element_registry *registry, struct arena *arena,
                          struct element_known **known, size_t *count, struct err *err) {
  int code = ERR_OK;
  *count = 0;
  os_mutex_lock(&registry->lock);
  *known = arena_alloc(arena, registry->count * sizeof **known);
  if (!*known) code = mem_refused(arena->account, registry->count * sizeof **known, err);
  for (size_t i = 0; !code && i < registry->count; i++) {
    const struct element_tag *tag = registry->tags[i];
    if (tag->written || tag->pending) /* its first commit may be visible already */
      (*known)[(*count)++] =
          (struct element_known){str_of(tag->name, tag->name_size), tag->id, tag->type};
  }
  os_mutex_unlock(&registry->lock);
  if (!code) qsort(*known, *count, sizeof **known, by_name);
  return code;
}

/* ---- opening ---- */

int element_registry_enter(struct element_registry *registry, struct str name, uint32_t id,
                           struct type type, struct err *err) {
  int code = ERR_OK;
  os_mutex_lock(&registry->lock);
  struct element_tag *named = find_name(registry, name), *numbered = find_id(registry, id);
  if (!named && !numbered) {
    code = add_tag(registry, name, id, type, &named, err);
  } else if (named != numbered || !type_equal(named->type, type)) {
    code = err_set(err, ERR_CORRUPTION, "tag \"%.*s\" is column %u of type %s here",
                   (int)(name.size > 100 ? 100 : name.size), name.data, id,
                   element_type_name(element_tag_type(type)));
    if (named)
      err_detail(err, "elsewhere it is column %u of type %s", named->id,
                 element_type_name(element_tag_type(named->type)));
    else
      err_detail(err, "elsewhere that column is \"%.100s\"", numbered->name);
    err_hint(err, "check the directory with \"nilo check\"");
  }
  if (!code) named->written = true;
  os_mutex_unlock(&registry->lock);
  return code;
}

int element_registry_replay(struct element_registry *registry, struct str note, struct err *err) {
  struct reader reader = reader_of(note.data, note.size);
  int code = ERR_OK;
  if (note.size && reader_u8(&reader) != NOTE_VERSION)
    return err_set(err, ERR_BAD_VERSION, "the note of a commit has another version");
  while (!code && reader_left(&reader)) {
    uint64_t id = reader_varint(&reader);
    const uint8_t *at = reader_bytes(&reader, sizeof(struct type));
    struct type type = {0};
    if (at) memcpy(&type, at, sizeof type);
    struct str name = reader_sized(&reader);
    if (reader.failed || id == 0 || id >= STORE_COLUMN_RESERVED || name.size == 0 ||
        name.size > LIMIT_NAME_SIZE || element_tag_type(type) == NILO_STORE_NULL)
      code = err_set(err, ERR_CORRUPTION, "the note of a commit is damaged");
    else
      code = element_registry_enter(registry, name, (uint32_t)id, type, err);
  }
  return code;
}

int element_registry_name(struct element_registry *registry, uint32_t column, struct buffer *out) {
  os_mutex_lock(&registry->lock);
  const struct element_tag *tag = find_id(registry, column);
  if (tag) buffer_append(out, tag->name, tag->name_size);
  os_mutex_unlock(&registry->lock);
  return tag ? ERR_OK : ERR_UNKNOWN_COLUMN;
}

/* One part's columns. What a merge under way has just replaced says the same. */
static int load_part(struct nilo_store *store, const struct store_part *part, struct err *err) {
  const uint32_t *ids;
  const struct type *types;
  uint32_t count = store_part_columns(part, &ids, &types);
  for (uint32_t i = 0; i < count; i++) {
    struct str name = store_part_column_name(part, i);
    if (ids[i] >= STORE_COLUMN_RESERVED || name.size == 0) continue;
    int code = element_registry_enter(&store->registry, name, ids[i], types[i], err);
    if (code) return code;
  }
  return ERR_OK;
}

int element_registry_load(struct nilo_store *store, struct err *err) {
  struct store_snapshot *snapshot;
  int code = store_snapshot_acquire(store->shard, &snapshot, err);
  if (code) return code;
  struct store_part *const *parts;
  size_t count = store_snapshot_parts(snapshot, ELEMENT_STORE, &parts);
  for (size_t i = 0; i < count && !code; i++)
    code = load_part(store, parts[i], err);
  store_snapshot_release(snapshot);
  return code;
}
