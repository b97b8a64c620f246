#include "store/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <utility>

#include "base/log.h"
#include "store/version_number.h"

namespace headrace::store {
namespace {

constexpr std::size_t kShownByteSizeMax = 128;

std::string Shown(std::string_view text) { return EscapeForLog(text, kShownByteSizeMax); }

StoreError VersionNotFound(std::string_view name, std::string_view version) {
  return {
      StoreFault::kVersionNotFound,
      fmt::format("Model version: {} does not exist for model: {}", Shown(version), Shown(name))};
}

}  // namespace

StoreError ModelNotFound(std::string_view name) {
  return {StoreFault::kModelNotFound, fmt::format("Model not found: {}", Shown(name))};
}

Catalog::Entry Catalog::ToEntry(const Slot& slot, const ModelSlots& model) {
  return {slot.version, slot.state, slot.version->version == model.default_version};
}

Catalog::Slot* Catalog::FindSlot(std::string_view name, std::string_view version) {
  const auto model = models_.find(name);
  if (model == models_.end()) {
    return nullptr;
  }
  for (Slot& slot : model->second.slots) {
    if (slot.version->version == version) {
      return &slot;
    }
  }
  return nullptr;
}

StoreError Catalog::Find(std::string_view name, std::string_view version, Entry& entry) const {
  std::lock_guard lock(mutex_);
  const auto model = models_.find(name);
  if (model == models_.end()) {
    return ModelNotFound(name);
  }
  const Slot* slot =
      FindSlot(name, version.empty() ? std::string_view(model->second.default_version) : version);
  if (slot == nullptr) {
    return VersionNotFound(name, version);
  }
  entry = ToEntry(*slot, model->second);
  return {};
}

StoreError Catalog::FindAll(std::string_view name, std::vector<Entry>& entries) const {
  std::lock_guard lock(mutex_);
  const auto model = models_.find(name);
  if (model == models_.end()) {
    return ModelNotFound(name);
  }
  for (const Slot& slot : model->second.slots) {
    entries.push_back(ToEntry(slot, model->second));
  }
  return {};
}

std::vector<Catalog::Entry> Catalog::Defaults() const {
  std::vector<Entry> entries;
  std::lock_guard lock(mutex_);
  for (const auto& [name, model] : models_) {
    for (const Slot& slot : model.slots) {
      if (slot.version->version == model.default_version) {
        entries.push_back(ToEntry(slot, model));
      }
    }
  }
  return entries;
}

std::vector<VersionPtr> Catalog::Clear() {
  std::vector<VersionPtr> versions;
  std::lock_guard lock(mutex_);
  for (const auto& [name, model] : models_) {
    for (const Slot& slot : model.slots) {
      versions.push_back(slot.version);
    }
  }
  models_.clear();
  return versions;
}

std::size_t Catalog::version_count() const {
  std::size_t count = 0;
  std::lock_guard lock(mutex_);
  for (const auto& [name, model] : models_) {
    count += model.slots.size();
  }
  return count;
}

bool Catalog::Has(std::string_view name, std::string_view version) const {
  std::lock_guard lock(mutex_);
  return FindSlot(name, version) != nullptr;
}

std::int64_t Catalog::NumberFor(std::string_view name, std::string_view version) const {
  std::set<std::int64_t> taken;
  std::lock_guard lock(mutex_);
  if (const auto model = models_.find(name); model != models_.end()) {
    for (const Slot& slot : model->second.slots) {
      taken.insert(slot.version->number);
    }
  }
  return NumberOfVersion(version, taken);
}

bool Catalog::Add(VersionPtr version, VersionState state) {
  std::lock_guard lock(mutex_);
  ModelSlots& model = models_[version->name];
  const bool first = model.slots.empty();
  if (first) {
    model.default_version = version->version;
  }
  model.slots.push_back({std::move(version), std::move(state)});
  return first;
}

StoreError Catalog::Remove(const VersionRecord& version) {
  Slot removed;  // may hold the last handle of a model: it dies outside the lock
  std::lock_guard lock(mutex_);
  const auto model = models_.find(version.name);
  if (model == models_.end()) {
    return ModelNotFound(version.name);
  }
  auto& slots = model->second.slots;
  const auto slot = std::find_if(slots.begin(), slots.end(), [&](const Slot& candidate) {
    return candidate.version.get() == &version;
  });
  if (slot == slots.end()) {
    return VersionNotFound(version.name, version.version);
  }
  if (slots.size() > 1 && model->second.default_version == version.version) {
    return {StoreFault::kVersionInUse,
            fmt::format("Cannot remove default version for model {}", version.name)};
  }
  removed = std::move(*slot);
  slots.erase(slot);
  if (slots.empty()) {
    models_.erase(model);
  }
  return {};
}

StoreError Catalog::SetDefault(std::string_view name, std::string_view version,
                               std::int64_t& number) {
  std::lock_guard lock(mutex_);
  const auto model = models_.find(name);
  if (model == models_.end()) {
    return ModelNotFound(name);
  }
  const Slot* slot = FindSlot(name, version);
  if (slot == nullptr) {
    // TorchServe words it otherwise here.
    return {
        StoreFault::kVersionNotFound,
        fmt::format("Model version {} does not exist for model {}", Shown(version), Shown(name))};
  }
  model->second.default_version = slot->version->version;
  number = slot->version->number;
  return {};
}

}  // namespace headrace::store
