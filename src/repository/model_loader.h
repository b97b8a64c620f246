// Makes the versions of one model that serve those of its plan: loads what is new, changes in place
// what can be, and lets the rest go.
#ifndef HEADRACE_REPOSITORY_MODEL_LOADER_H_
#define HEADRACE_REPOSITORY_MODEL_LOADER_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/status.h"
#include "repository/model_plan.h"
#include "repository/model_records.h"
#include "repository/version_board.h"
#include "repository/version_loader.h"
#include "repository/worker_pool.h"

namespace headrace::repository {

// Thread-safe for different models; loads of one model come one after the other. Borrows everything
// that it is given.
class ModelLoader {
 public:
  struct Options {
    std::size_t retry_count = 0;  // of each version
    bool links_may_leave = false;
  };
  ModelLoader(Options options, const VersionLoader& versions, VersionBoard& board,
              ModelRecords& records, WorkerPool& pool)
      : options_(options), versions_(versions), board_(board), records_(records), pool_(pool) {}

  // All or nothing: when a version fails, what served before goes on serving, and the failure is
  // INVALID_ARGUMENT in the words of contracts, Triton 5.3. Versions load side by side on the pool,
  // the first of them on the calling thread, which must be one of the pool's. `done` is called
  // once, on one of those threads; nothing of the load is in memory any more then that does not
  // serve.
  void Load(ModelPlan plan, std::function<void(Status)> done) const;

 private:
  struct Operation;
  // Those of a model that are READY and take requests: others are loaded anew, changed or not.
  std::vector<std::int64_t> ServingVersions(const std::string& name) const;
  void LoadVersion(const std::shared_ptr<Operation>& operation, std::size_t index) const;
  void Conclude(Operation& operation) const;
  void CheckFiles(Operation& operation) const;
  Status ChangeInPlace(const Operation& operation) const;
  void Publish(Operation& operation) const;
  Status Reject(Operation& operation) const;

  const Options options_;
  const VersionLoader& versions_;
  VersionBoard& board_;
  ModelRecords& records_;
  WorkerPool& pool_;
};

// A failure in the words of the index ("Invalid argument: ...").
std::string IndexReason(const Status& status);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_MODEL_LOADER_H_
