/* How far back a store can be read (AS OF).
 *
 * Parts in which rows of several commits were folded can only be read as of their last commit, and
 * those that keep history from some commit on; each says so itself. The greatest of these numbers
 * is the store's: as of commits from there on every row is what it was. What leaves no part behind
 * raises the version's own number. */
#include "store/shard_private.h"

void shard__settings(const struct store_shard *shard, uint64_t store,
                     struct store_settings *settings) {
  const struct store_hooks *hooks = shard->options.hooks;
  *settings = (struct store_settings){0};
  if (hooks && hooks->settings) hooks->settings(shard->options.hooks_context, store, settings);
}

bool shard__newest_wins(const struct store_version *version) {
  return version->policy == STORE_NEWEST_COLUMN || version->policy == STORE_NEWEST_ROW;
}

void shard__history(const struct store_version *version, const struct store_settings *settings,
                    struct output_source *source) {
  source->history_commits = shard__newest_wins(version) ? settings->history_commits : 0;
  source->history_since = store_version_history_since(version);
  source->has_history = source->history_commits > 0;
  for (uint32_t i = 0; i < version->disk_count; i++)
    source->has_history |= part_has_history(version->parts[i]);
  atomic_store_explicit(&version->live->no_history, source->history_commits == 0,
                        memory_order_relaxed);
}

bool shard__seal_folds(const struct store_shard *shard, const struct store_version *version) {
  const struct store_hooks *hooks = shard->options.hooks;
  if (!hooks || !hooks->settings || !shard__newest_wins(version)) return true;
  return atomic_load_explicit(&version->live->no_history, memory_order_relaxed);
}
