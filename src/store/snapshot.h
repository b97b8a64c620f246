// What is registered, as files that a server can be started again with (contracts,
// TorchServe 5.4).
#ifndef HEADRACE_STORE_SNAPSHOT_H_
#define HEADRACE_STORE_SNAPSHOT_H_

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "store/model_store.h"

namespace headrace::store {

// The value of the property `model_snapshot`. Workflows' nodes are left out.
std::string SnapshotJson(std::string_view name, std::int64_t created_unix_ms,
                         const std::vector<ModelFacts>& models);

// What that value says is to be registered, in its order, with all of its settings as wishes: they
// win over what the archives say. Members that are missing are as if nobody had said anything.
// INVALID_ARGUMENT names what is wrong: no JSON object, a version without `marName`. Pure.
Result<std::vector<ModelStore::StartModel>> ParseSnapshot(std::string_view json);

// The archives of `models` that are not in the store: a snapshot cannot be restored without them.
// Blocks on the file system.
std::vector<std::string> MissingArchives(const std::vector<ModelStore::StartModel>& models,
                                         const std::string& store_directory);

// The newest snapshot in `directory`; nothing if there is none. Blocks on the file system.
std::optional<std::string> NewestSnapshot(const std::string& directory);

enum class SnapshotOccasion : std::uint8_t { kStartup, kChange, kShutdown };

// Thread-safe.
class SnapshotWriter {
 public:
  using Properties = std::vector<std::pair<std::string, std::string>>;

  // Files go into `directory`, which is made for the first one, with all of `properties` but for
  // model_snapshot and load_models. Of those after changes the newest `change_count_max` are kept.
  SnapshotWriter(std::string directory, Properties properties, std::size_t change_count_max = 100)
      : directory_(std::move(directory)),
        properties_(std::move(properties)),
        change_count_max_(change_count_max) {}

  // Writes "<yyyyMMddHHmmssSSS>-startup.cfg", "-snapshot.cfg" or "-shutdown.cfg", of mode 0600, and
  // only as a whole. The failure says which file and why. Blocks on the file system.
  Status Write(SnapshotOccasion occasion, const ModelStore& store);

 private:
  std::string NewName(SnapshotOccasion occasion, std::int64_t& created_unix_ms);
  Status WriteFile(const std::string& name, const std::string& content) const;
  void RemoveOld() const;

  const std::string directory_;
  const Properties properties_;
  const std::size_t change_count_max_;
  std::mutex mutex_;               // one at a time
  std::int64_t last_unix_ms_ = 0;  // guarded by mutex_
};

}  // namespace headrace::store

#endif  // HEADRACE_STORE_SNAPSHOT_H_
