#include "engine/model_aliases.h"

#include <algorithm>

#include "engine/model_key.h"
#include "engine/registry.h"

namespace headrace::engine {
namespace {

// Whether somebody asked for the model, and nobody has taken that back.
bool IsWanted(const ModelEntry& model) {
  return std::any_of(model.versions.begin(), model.versions.end(), [](const auto& version) {
    const VersionEntry& entry = version.second;
    // A version that ends for another reason than its unload says so (VersionBoard::Withdraw).
    const bool unloads = entry.state == ModelState::kUnloading && entry.reason.empty();
    return !unloads && !WasUnloaded(entry);
  });
}

}  // namespace

void ModelAliases::AddAlias(std::string_view alias, const ModelEntry& entry, bool wanted) {
  auto found = targets_.find(alias);
  if (found == targets_.end()) {
    found = targets_.emplace(alias, Target{}).first;
  }
  Target& target = found->second;
  if (target.entry == nullptr || (wanted && target.wanted_count == 0)) {
    target.entry = &entry;
  }
  target.wanted_count += wanted ? 1 : 0;
}

void ModelAliases::Add(std::string_view key, const ModelEntry& entry) {
  if (!HasNamespace(key)) {
    return;
  }
  const bool wanted = IsWanted(entry);
  const std::string_view name_space = NamespaceOfKey(key);
  AddAlias(NameOfKey(key), entry, wanted);
  AddAlias(MakeModelKey(ShortNamespace(name_space), NameOfKey(key)), entry, wanted);
}

const ModelAliases::Target* ModelAliases::Find(std::string_view alias) const {
  const auto found = targets_.find(alias);
  return found == targets_.end() ? nullptr : &found->second;
}

}  // namespace headrace::engine
