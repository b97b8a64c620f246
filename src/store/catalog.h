// Which versions a model store has.
#ifndef HEADRACE_STORE_CATALOG_H_
#define HEADRACE_STORE_CATALOG_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "engine/backend.h"
#include "store/model_settings.h"
#include "store/model_store.h"
#include "store/store_error.h"

namespace headrace::store {

// What a version is, from its registration to its end. Its engine::Model is in the registry alone,
// so that a drain can tell when nobody has it any more.
struct VersionRecord {
  std::string name, version, url, runtime;
  std::string workflow;      // whose node it is; empty: none's
  std::string fetched_file;  // goes with the version; empty: it was in the store already
  std::int64_t number = 1;   // in the registry
  ModelSettings settings;    // but for the worker counts, which change: see VersionState
  ArchiveFacts archive;
  bool at_start = false;
};

// What changes of it.
struct VersionState {
  std::int64_t worker_count_min = 0, worker_count_max = 0;  // that it is to have
  std::vector<engine::InstancePlacement> workers;           // that it was given
  std::int64_t starting = 0;                                // workers, just now
  std::string load_error;                // of the last start of workers that failed; empty: none
  std::string scaling_reason;            // of the last Resize; empty: there was none
  std::int64_t worker_count_wanted = 0;  // by it
};

using VersionPtr = std::shared_ptr<const VersionRecord>;

// Thread-safe; nothing blocks. A model's versions are in the order in which they were registered.
class Catalog {
 public:
  // A model's name that lookups do not find: kModelNotFound "Model not found: X"; a version:
  // kVersionNotFound "Model version: V does not exist for model: M".
  struct Entry {
    VersionPtr version;
    VersionState state;
    bool is_default = false;
  };
  // `version` empty: the default one.
  StoreError Find(std::string_view name, std::string_view version, Entry& entry) const;
  StoreError FindAll(std::string_view name, std::vector<Entry>& entries) const;
  // The default versions, by name.
  std::vector<Entry> Defaults() const;
  // Forgets all, and returns what there was.
  std::vector<VersionPtr> Clear();
  std::size_t version_count() const;

  bool Has(std::string_view name, std::string_view version) const;
  // The number that a new version would have.
  std::int64_t NumberFor(std::string_view name, std::string_view version) const;
  // The first version of a model becomes its default. Returns whether it has.
  bool Add(VersionPtr version, VersionState state);
  // Forgets it. kVersionInUse if it is the default one while there are others.
  StoreError Remove(const VersionRecord& version);
  StoreError SetDefault(std::string_view name, std::string_view version, std::int64_t& number);

  // Changes the state of a version that is still there.
  template <typename Change>
  void Update(const VersionRecord& version, Change change) {
    std::lock_guard lock(mutex_);
    if (Slot* slot = FindSlot(version.name, version.version);
        slot != nullptr && slot->version.get() == &version) {
      change(slot->state);
    }
  }

 private:
  struct Slot {
    VersionPtr version;
    VersionState state;
  };
  struct ModelSlots {
    std::vector<Slot> slots;
    std::string default_version;
  };
  static Entry ToEntry(const Slot& slot, const ModelSlots& model);
  Slot* FindSlot(std::string_view name, std::string_view version);
  const Slot* FindSlot(std::string_view name, std::string_view version) const {
    return const_cast<Catalog*>(this)->FindSlot(name, version);
  }

  mutable std::mutex mutex_;
  std::map<std::string, ModelSlots, std::less<>> models_;  // guarded by mutex_
};

StoreError ModelNotFound(std::string_view name);

}  // namespace headrace::store

#endif  // HEADRACE_STORE_CATALOG_H_
