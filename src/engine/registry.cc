#include "engine/registry.h"

#include "engine/model_key.h"

namespace headrace::engine {

std::string_view ModelStateName(ModelState state) {
  switch (state) {
    case ModelState::kUnknown:
      return "UNKNOWN";
    case ModelState::kReady:
      return "READY";
    case ModelState::kUnavailable:
      return "UNAVAILABLE";
    case ModelState::kLoading:
      return "LOADING";
    case ModelState::kUnloading:
      return "UNLOADING";
  }
  return "UNKNOWN";
}

bool WasUnloaded(const VersionEntry& entry) {
  return entry.state == ModelState::kUnavailable && entry.reason == kUnloadedReason;
}

RegistrySnapshot::RegistrySnapshot(Models models) : models_(std::move(models)) {
  for (const auto& [key, entry] : models_) {
    aliases_.Add(key, *entry);
  }
}

const ModelEntry* RegistrySnapshot::Find(std::string_view key) const {
  const auto found = models_.find(key);
  return found == models_.end() ? nullptr : found->second.get();
}

Result<const ModelEntry*> RegistrySnapshot::Resolve(std::string_view name) const {
  if (const ModelEntry* entry = Find(name); entry != nullptr) {
    return entry;
  }
  const ModelAliases::Target* target = aliases_.Find(name);
  if (target == nullptr) {
    return NotFound("Request for unknown model: '{}' is not found", name);
  }
  if (target->wanted_count > 1) {
    return InvalidArgument(
        "There are {} identifiers of model '{}' in global map, model namespace must be provided to "
        "resolve ambiguity: ask for '<model repository>::{}', or unload the others",
        target->wanted_count, name, NameOfKey(name));
  }
  return target->entry;
}

Result<ModelHandle> RegistrySnapshot::Lookup(std::string_view name,
                                             std::optional<std::int64_t> version) const {
  const ModelEntry* entry = Find(name);
  if (entry == nullptr) {
    HEADRACE_ASSIGN_OR_RETURN(entry, Resolve(name));
  }
  if (!version) {
    version = entry->default_version;
  }
  if (!version) {
    for (auto it = entry->versions.rbegin(); it != entry->versions.rend(); ++it) {
      if (it->second.state == ModelState::kReady) {
        return it->second.model;
      }
    }
    for (auto it = entry->versions.rbegin(); it != entry->versions.rend(); ++it) {
      if (!WasUnloaded(it->second)) {
        return Unavailable("Request for unknown model: '{}' version {} is not at ready state ({})",
                           name, it->first, ModelStateName(it->second.state));
      }
    }
    return NotFound("Request for unknown model: '{}' has no available versions", name);
  }
  const auto found = entry->versions.find(*version);
  if (found == entry->versions.end()) {
    return NotFound("Request for unknown model: '{}' version {} is not found", name, *version);
  }
  if (found->second.state != ModelState::kReady) {
    return Unavailable("Request for unknown model: '{}' version {} is not at ready state", name,
                       *version);
  }
  return found->second.model;
}

Registry::Registry() : snapshots_(std::make_shared<const RegistrySnapshot>()) {}

void Registry::SetVersion(const std::string& name, std::int64_t version, VersionEntry entry) {
  SetVersions({VersionChange{name, version, std::move(entry)}});
}

void Registry::SetVersions(std::vector<VersionChange> changes) {
  Change([&](RegistrySnapshot::Models& models) {
    for (VersionChange& change : changes) {
      std::shared_ptr<const ModelEntry>& model = models[change.name];
      auto changed = std::make_shared<ModelEntry>(model == nullptr ? ModelEntry() : *model);
      changed->versions[change.version] = std::move(change.entry);
      model = std::move(changed);
    }
  });
}

void Registry::AddModel(const std::string& name) {
  Change([&](RegistrySnapshot::Models& models) {
    models.try_emplace(name, std::make_shared<const ModelEntry>());
  });
}

void Registry::SetDefaultVersion(const std::string& name, std::optional<std::int64_t> version) {
  Change([&](RegistrySnapshot::Models& models) {
    const auto found = models.find(name);
    if (found != models.end()) {
      auto changed = std::make_shared<ModelEntry>(*found->second);
      changed->default_version = version;
      found->second = std::move(changed);
    }
  });
}

void Registry::RemoveVersion(const std::string& name, std::int64_t version) {
  Change([&](RegistrySnapshot::Models& models) {
    const auto found = models.find(name);
    if (found != models.end()) {
      auto changed = std::make_shared<ModelEntry>(*found->second);
      changed->versions.erase(version);
      found->second = std::move(changed);
    }
  });
}

void Registry::RemoveModel(const std::string& name) {
  Change([&](RegistrySnapshot::Models& models) { models.erase(name); });
}

}  // namespace headrace::engine
