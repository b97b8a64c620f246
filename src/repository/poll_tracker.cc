#include "repository/poll_tracker.h"

namespace headrace::repository {

void PollTracker::Begin(const Look& look) {
  models_.clear();
  for (const auto& [name, seen] : look.models) {
    models_[name] = Model{seen.repository, seen.fingerprint, seen.fingerprint};
  }
}

// True if the model is to be loaded as it is now.
bool PollTracker::CheckPresent(const std::string& name, const Seen& seen, bool settled) {
  Model& model = models_[name];
  const bool stable = settled || model.last == seen.fingerprint;
  model.repository = seen.repository;
  model.last = seen.fingerprint;
  if (!stable || model.taken == seen.fingerprint) {
    return false;
  }
  model.taken = seen.fingerprint;
  return true;
}

PollTracker::Changes PollTracker::Compare(const Look& look, bool settled) {
  Changes changes;
  for (const auto& [name, seen] : look.models) {
    if (CheckPresent(name, seen, settled)) {
      changes.load.push_back(name);
    }
  }
  for (auto it = models_.begin(); it != models_.end();) {
    auto& [name, model] = *it;
    const bool known = look.models.count(name) > 0 || look.unreadable.count(model.repository) > 0;
    if (known || (model.last && !settled && model.taken)) {
      if (!known) {
        model.last.reset();  // gone now; the next look decides
      }
      ++it;
      continue;
    }
    if (model.taken) {
      changes.unload.push_back(name);
    }
    it = models_.erase(it);
  }
  return changes;
}

}  // namespace headrace::repository
