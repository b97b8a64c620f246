#include "repository/model_index.h"

#include <algorithm>
#include <string_view>
#include <tuple>
#include <utility>

#include "engine/model_key.h"

namespace headrace::repository {

using engine::ModelState;
using engine::VersionEntry;

namespace {

IndexEntry Entry(const std::string& key, std::string version, std::string state,
                 std::string reason) {
  return {std::string(engine::NamespaceOfKey(key)), std::string(engine::NameOfKey(key)),
          std::move(version), std::move(state), std::move(reason)};
}

}  // namespace

std::vector<IndexEntry> BuildIndex(const engine::RegistrySnapshot& snapshot,
                                   const RepositoryScan& scan, bool ready_only) {
  std::vector<IndexEntry> entries;
  for (const auto& [name, model] : snapshot.models()) {
    for (const auto& [version, entry] : model->versions) {
      VersionEntry shown = entry;
      if (entry.model != nullptr) {
        if (const Status health = entry.model->Health(); !health.ok()) {
          shown.state = ModelState::kUnavailable;
          shown.reason = health.message();
        }
      }
      if (!ready_only || shown.state == ModelState::kReady) {
        entries.push_back(Entry(name, std::to_string(version),
                                std::string(ModelStateName(shown.state)), shown.reason));
      }
    }
  }
  if (!ready_only) {
    for (const auto& [name, problem] : scan.problems) {
      entries.push_back(Entry(name, "", "UNAVAILABLE", problem));
    }
    for (const auto& [name, location] : scan.models) {
      const engine::ModelEntry* known = snapshot.Find(name);
      if ((known == nullptr || known->versions.empty()) && scan.problems.count(name) == 0) {
        entries.push_back(Entry(name, "", "", ""));
      }
    }
  }
  std::sort(entries.begin(), entries.end(), [](const IndexEntry& a, const IndexEntry& b) {
    // Numbers without leading zeros: the longer one is the greater one.
    return std::tuple(std::string_view(a.name), std::string_view(a.name_space), a.version.size(),
                      std::string_view(a.version)) <
           std::tuple(std::string_view(b.name), std::string_view(b.name_space), b.version.size(),
                      std::string_view(b.version));
  });
  return entries;
}

bool AllInOrder(const engine::RegistrySnapshot& snapshot) {
  for (const auto& [name, model] : snapshot.models()) {
    for (const auto& [version, entry] : model->versions) {
      // One whose instances restart is in order: it takes requests.
      const bool in_order = (entry.state == ModelState::kReady &&
                             (entry.model == nullptr || entry.model->CanServe())) ||
                            // What drains because a part of it has gone is not.
                            (entry.state == ModelState::kUnloading && entry.reason.empty()) ||
                            (entry.state == ModelState::kUnavailable && entry.reason == "unloaded");
      if (!in_order) {
        return false;
      }
    }
  }
  return true;
}

}  // namespace headrace::repository
