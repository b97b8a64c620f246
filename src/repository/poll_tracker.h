// What has changed in the repositories from look to look. Pure.
#ifndef HEADRACE_REPOSITORY_POLL_TRACKER_H_
#define HEADRACE_REPOSITORY_POLL_TRACKER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace headrace::repository {

// Not thread-safe. A change counts once two looks in a row have seen the same: a directory that is
// being copied grows from look to look. Each state of a model is reported once, whatever comes of
// it: a model that fails to load is tried again when its directory changes.
class PollTracker {
 public:
  struct Seen {
    std::uint64_t fingerprint = 0;  // of the model's directory, or of why it cannot be read
    std::string repository;
  };
  struct Look {
    std::map<std::string, Seen> models;  // by name
    std::set<std::string> unreadable;    // repositories that could not be listed: what was in
                                         // them counts as unchanged
  };
  struct Changes {
    std::vector<std::string> load;    // added or modified, sorted
    std::vector<std::string> unload;  // deleted, sorted
  };

  // What is there at the start, and is being loaded by others.
  void Begin(const Look& look);
  // `settled`: the caller knows that nobody is writing; one look is enough.
  Changes Compare(const Look& look, bool settled);

 private:
  struct Model {
    std::string repository;
    std::optional<std::uint64_t> taken;  // the state that was reported; nothing: none yet
    std::optional<std::uint64_t> last;   // what the last look saw; nothing: the model was not there
  };
  bool CheckPresent(const std::string& name, const Seen& seen, bool settled);
  std::map<std::string, Model> models_;
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_POLL_TRACKER_H_
