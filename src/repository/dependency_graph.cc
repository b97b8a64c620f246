#include "repository/dependency_graph.h"

#include <algorithm>
#include <utility>

namespace headrace::repository {
namespace {

// A walk in depth over what an ensemble needs. Recursion ends at kEnsembleDepthMax.
class CompositionWalk {
 public:
  CompositionWalk(const std::string& root, const PartsReader& parts_of)
      : root_(root), parts_of_(parts_of) {}

  // `level` of `model` below the root, which is at 0.
  Status Visit(const std::string& model, const std::vector<ComposingModel>& parts,
               std::size_t level) {
    if (level > kEnsembleDepthMax) {
      return TooDeep();
    }
    path_.insert(model);
    std::size_t height = 0;
    for (const ComposingModel& part : parts) {
      if (path_.count(part.name) > 0) {
        return InvalidArgument("circular dependency between ensembles: {} -> ... -> {} -> {}",
                               part.name, model, part.name);
      }
      if (const auto known = heights_.find(part.name); known != heights_.end()) {
        // Reached by another way before: only how far it goes down from here is new.
        if (level + 1 + known->second > kEnsembleDepthMax) {
          return TooDeep();
        }
        height = std::max(height, known->second + 1);
        continue;
      }
      if (heights_.size() >= kComposingModelCountMax) {
        return InvalidArgument("ensemble '{}' is made of more than {} models", root_,
                               kComposingModelCountMax);
      }
      HEADRACE_RETURN_IF_ERROR(Visit(part.name, parts_of_(part.name), level + 1));
      height = std::max(height, heights_[part.name] + 1);
    }
    path_.erase(model);
    heights_[model] = height;
    return OkStatus();
  }

 private:
  Status TooDeep() const {
    return InvalidArgument("ensemble '{}' is nested more than {} levels deep", root_,
                           kEnsembleDepthMax);
  }

  const std::string& root_;
  const PartsReader& parts_of_;
  std::set<std::string> path_;                  // from the root to the model that is visited
  std::map<std::string, std::size_t> heights_;  // levels below, of what has been visited
};

}  // namespace

void DependencyGraph::Set(const std::string& ensemble, std::vector<ComposingModel> parts) {
  Remove(ensemble);
  for (const ComposingModel& part : parts) {
    ensembles_[part.name].insert(ensemble);
  }
  if (!parts.empty()) {
    parts_[ensemble] = std::move(parts);
  }
}

void DependencyGraph::Remove(const std::string& ensemble) {
  const auto found = parts_.find(ensemble);
  if (found == parts_.end()) {
    return;
  }
  for (const ComposingModel& part : found->second) {
    const auto users = ensembles_.find(part.name);
    if (users != ensembles_.end()) {
      users->second.erase(ensemble);
      if (users->second.empty()) {
        ensembles_.erase(users);
      }
    }
  }
  parts_.erase(found);
}

const std::vector<ComposingModel>& DependencyGraph::PartsOf(const std::string& ensemble) const {
  static const std::vector<ComposingModel> kNone;
  const auto found = parts_.find(ensemble);
  return found == parts_.end() ? kNone : found->second;
}

std::vector<std::string> DependencyGraph::EnsemblesOf(const std::string& model) const {
  const auto found = ensembles_.find(model);
  return found == ensembles_.end()
             ? std::vector<std::string>()
             : std::vector<std::string>(found->second.begin(), found->second.end());
}

std::vector<std::string> DependencyGraph::NeededOnlyBy(const std::string& ensemble) const {
  std::set<std::string> gone = {ensemble};
  // A model may become free only after another one has: until nothing changes any more.
  for (bool changed = true; changed;) {
    changed = false;
    const std::set<std::string> before = gone;
    for (const std::string& name : before) {
      for (const ComposingModel& part : PartsOf(name)) {
        const auto users = ensembles_.find(part.name);
        const bool free =
            users == ensembles_.end() ||
            std::includes(gone.begin(), gone.end(), users->second.begin(), users->second.end());
        changed = (free && gone.insert(part.name).second) || changed;
      }
    }
  }
  gone.erase(ensemble);
  return {gone.begin(), gone.end()};
}

Status CheckComposition(const std::string& ensemble, const std::vector<ComposingModel>& parts,
                        const PartsReader& parts_of) {
  return CompositionWalk(ensemble, parts_of).Visit(ensemble, parts, 0);
}

}  // namespace headrace::repository
