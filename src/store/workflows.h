// The workflows of a TorchServe: registered, described, run and unregistered while the server runs
// (contracts, TorchServe 7.3 and 7.4). Their nodes are models of a ModelStore.
#ifndef HEADRACE_STORE_WORKFLOWS_H_
#define HEADRACE_STORE_WORKFLOWS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/gate.h"
#include "base/task_threads.h"
#include "engine/registry.h"
#include "repository/archive_limits.h"
#include "repository/override_store.h"
#include "store/archive_fetcher.h"
#include "store/deadlines.h"
#include "store/model_store.h"
#include "store/store_error.h"
#include "store/workflow_run.h"
#include "store/workflow_spec.h"
#include "tensor/block_pool.h"

namespace headrace::store {

struct WorkflowArchive;

struct WorkflowsOptions {
  std::string directory;            // workflow_store, an existing directory; empty: there is none
  std::string temporary_directory;  // for what is unpacked; empty: the system's
  repository::ArchiveLimits archives;
  std::size_t workflow_count_max = 1000;
};

struct WorkflowRegistration {
  std::string url;   // of the archive: a name in the workflow store, a path below it, an URL
  std::string name;  // empty: the manifest's
  std::optional<std::int64_t> response_timeout_s, startup_timeout_s;  // of its nodes
  bool s3_sse_kms = false;
};

struct WorkflowFacts {
  std::string name, url;
  WorkflowNodeSettings defaults;
  std::string dag;                  // "{pre=[a, b], a=[post]}"
  std::vector<std::string> models;  // of the nodes
};

// Thread-safe. Nothing that takes a `done` blocks; `done` is called once, on a thread of this or
// before the call returns.
//
// A node of the workflow W is the model "W__<node>" of the store, with max-workers workers from
// the start as TorchServe has it. A function is a model whose handler is that function of the
// workflow's handler file. Either all nodes are registered or none.
class Workflows {
 public:
  // Everything is borrowed and outlives this. `fetcher` null: only what lies in the store.
  Workflows(WorkflowsOptions options, ModelStore& store, const engine::Registry& registry,
            BlockPool& pool, ArchiveFetcher* fetcher, const Clock& clock);
  // Shutdown, and waits for runs, registrations and the like that are under way.
  ~Workflows();

  // kConflict if there is one of that name, or about to be; kInternal "Workflow W has failed to
  // register. Failures: [...]" if a node does not start; kBadRequest, kInvalidModel,
  // kModelNotFound, kDownload as for models.
  void Register(WorkflowRegistration registration, StoreDone done);
  // Takes no more requests at once; done when those that it had are answered and its nodes have
  // gone.
  void Unregister(std::string name, StoreDone done);

  // kWorkflowNotFound.
  StoreError Describe(std::string_view name, WorkflowFacts& facts) const;
  // By name.
  std::vector<WorkflowFacts> List() const;

  // Gives `reply` its outcome now or later; kWorkflowNotFound for one that is not registered. Does
  // not block.
  void Run(std::string_view name, WorkflowRequest request, std::unique_ptr<WorkflowReply> reply);

  // Refuses what is asked from now on; false if requests were still under way at the end of
  // `timeout`. The nodes are left to the model store.
  bool Shutdown(Nanos timeout);

 private:
  struct Entry;
  class GatedReply;
  using EntryPtr = std::shared_ptr<Entry>;

  // The rest of the calls of those names, on a thread that may block.
  StoreReply RegisterNow(const WorkflowRegistration& registration);
  StoreReply UnregisterNow(EntryPtr entry);
  StoreError Locate(const WorkflowRegistration& registration, std::string& path,
                    std::string& fetched_file);
  // Takes the name for the entry, which is not to be seen yet.
  StoreError Reserve(const EntryPtr& entry);
  void Forget(const std::string& name);
  StoreReply RegisterNodes(const WorkflowRegistration& registration, Entry& entry,
                           const WorkflowArchive& archive);
  std::vector<std::string> UnregisterNodes(const std::vector<std::string>& models);
  EntryPtr Find(std::string_view name) const;

  const WorkflowsOptions options_;
  ModelStore& store_;
  const engine::Registry& registry_;
  BlockPool& pool_;
  ArchiveFetcher* const fetcher_;
  const Clock& clock_;
  repository::OverrideStore unpacked_;
  Deadlines deadlines_;

  mutable std::mutex mutex_;  // guards what follows
  std::map<std::string, EntryPtr, std::less<>> entries_;
  bool ending_ = false;

  Gate runs_;            // of all workflows
  TaskThreads threads_;  // last: its tasks use the rest
};

}  // namespace headrace::store

#endif  // HEADRACE_STORE_WORKFLOWS_H_
