// Which model versions exist and which of them serve.
#ifndef HEADRACE_ENGINE_REGISTRY_H_
#define HEADRACE_ENGINE_REGISTRY_H_

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "base/snapshot.h"
#include "engine/model.h"
#include "engine/model_aliases.h"

namespace headrace::engine {

// Contracts, Triton 5.4.
enum class ModelState : std::uint8_t { kUnknown, kReady, kUnavailable, kLoading, kUnloading };
std::string_view ModelStateName(ModelState state);  // "READY", ...

struct VersionEntry {
  ModelState state = ModelState::kUnknown;
  std::string reason;  // why not READY; empty when READY
  ModelHandle model;   // null unless READY
};

// The reason of a version that was unloaded in order; any other is a failure to load.
inline constexpr std::string_view kUnloadedReason = "unloaded";
// Whether the version is gone for good, as far as anybody has asked for.
bool WasUnloaded(const VersionEntry& entry);

// All versions of a model that were ever wanted. Empty: found in a repository, never loaded.
struct ModelEntry {
  std::map<std::int64_t, VersionEntry> versions;
  // What a request that names no version means, whether it is READY or not. Nothing: the highest
  // READY version.
  std::optional<std::int64_t> default_version = {};
};

// An immutable picture of all models.
class RegistrySnapshot {
 public:
  // By key (engine/model_key.h): the name, unless models have namespaces.
  using Models =
      std::unordered_map<std::string, std::shared_ptr<const ModelEntry>, NameHash, std::equal_to<>>;

  RegistrySnapshot() = default;
  explicit RegistrySnapshot(Models models);

  const Models& models() const { return models_; }
  // By the whole key; null if there is none.
  const ModelEntry* Find(std::string_view key) const;
  // By what a client says: a key, or one of its aliases (ModelAliases). NOT_FOUND "Request for
  // unknown model: 'X' is not found"; INVALID_ARGUMENT in the words of a stock Triton when several
  // namespaces have such a model. Never null. Costs one look-up without namespaces, two with them.
  Result<const ModelEntry*> Resolve(std::string_view name) const;
  // The version asked for, or without one the model's default version. Failures carry the texts and
  // codes of contracts, Triton 1.2: NOT_FOUND "Request for unknown model: 'X' is not found" | "...
  // version N is not found" | "... has no available versions"; UNAVAILABLE "... version N is not at
  // ready state". The last also without a version, for a model that loads, unloads or has failed:
  // it may be there soon (reliability row 59; Triton says that no version is available).
  Result<ModelHandle> Lookup(std::string_view name, std::optional<std::int64_t> version) const;

 private:
  Models models_;
  ModelAliases aliases_;  // of what is in models_
};

// Written by the model manager's control thread and load threads (serialised inside), read by all.
// Thread-safe.
class Registry {
 public:
  Registry();
  const Snapshot<RegistrySnapshot>& snapshots() const { return snapshots_; }
  std::shared_ptr<const RegistrySnapshot> Load() const { return snapshots_.Load(); }

  // Sets one version's entry, making the model's entry if needed.
  void SetVersion(const std::string& name, std::int64_t version, VersionEntry entry);
  // Several of them, in their order, in one step: readers see all of the changes or none, and the
  // models are copied once.
  struct VersionChange {
    std::string name;  // the model's key, as everywhere here
    std::int64_t version = 0;
    VersionEntry entry;
  };
  void SetVersions(std::vector<VersionChange> changes);
  // Makes the model known without versions.
  void AddModel(const std::string& name);
  // Chooses the model's default version, or with nothing leaves it to the highest READY one. No
  // effect for a model that is not known.
  void SetDefaultVersion(const std::string& name, std::optional<std::int64_t> version);
  void RemoveVersion(const std::string& name, std::int64_t version);
  void RemoveModel(const std::string& name);

 private:
  // Publishes a copy of the models as `change` leaves it. The copy shares the entries: a change
  // costs one pointer per model.
  template <typename F>
  void Change(F change) {
    std::shared_ptr<const RegistrySnapshot>
        replaced;  // may hold the last handle of a model: dies outside the lock
    std::lock_guard lock(mutex_);
    replaced = snapshots_.Load();
    RegistrySnapshot::Models models = replaced->models();
    change(models);
    snapshots_.Publish(std::make_shared<const RegistrySnapshot>(std::move(models)));
  }

  std::mutex mutex_;  // serialises writers
  Snapshot<RegistrySnapshot> snapshots_;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_REGISTRY_H_
