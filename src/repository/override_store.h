// Directories that are made for load requests which bring a model's files with them.
#ifndef HEADRACE_REPOSITORY_OVERRIDE_STORE_H_
#define HEADRACE_REPOSITORY_OVERRIDE_STORE_H_

#include <atomic>
#include <cstddef>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"
#include "repository/model_plan.h"
#include "repository/override_rules.h"

namespace headrace::repository {

// Thread-safe. All directories lie in one of mode 0700 in the system's directory for temporary
// files, which is made for the first request, locked while the process lives and removed with the
// store. What a process that was killed left behind is removed by RemoveStale of the next one.
class OverrideStore {
 public:
  struct Options {
    std::string temporary_directory;                   // empty: the system's
    std::size_t byte_size_max = std::size_t{4} << 30;  // of all files that exist at one time
  };
  explicit OverrideStore(Options options);
  ~OverrideStore();

  // A source whose directory holds exactly `files`; its `files` member keeps it. They must have
  // passed CheckOverrideFiles. RESOURCE_EXHAUSTED beyond byte_size_max, INTERNAL when the file
  // system fails; nothing is left then. Blocks on the file system.
  Result<ModelSource> Create(const std::string& model, const std::string& config_json,
                             const OverrideFiles& files);

  // A source whose directory is empty, for whoever fills it; its bytes do not count here. INTERNAL
  // when the file system fails. Blocks on the file system.
  Result<ModelSource> CreateEmpty(const std::string& model);

  // Removes directories of this user's processes that have ended.
  void RemoveStale() const;

  std::size_t byte_size() const;

 private:
  class Root;
  class Charge;
  class Lease;
  Result<std::shared_ptr<Root>> OpenRoot();
  Result<ModelSource> CreateDirectory(const std::string& model, std::unique_ptr<Charge> charge);

  const Options options_;
  const std::shared_ptr<std::atomic<std::size_t>> byte_size_;  // shared with the charges
  std::mutex mutex_;
  std::shared_ptr<Root> root_;  // guarded by mutex_; shared with the leases
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_OVERRIDE_STORE_H_
