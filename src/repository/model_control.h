// Loads and unloads of models, and what they mean for the ensembles that are made of them.
#ifndef HEADRACE_REPOSITORY_MODEL_CONTROL_H_
#define HEADRACE_REPOSITORY_MODEL_CONTROL_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "repository/ensemble_parts.h"
#include "repository/load_override.h"
#include "repository/model_loader.h"
#include "repository/model_plan.h"
#include "repository/model_records.h"
#include "repository/override_store.h"
#include "repository/repositories.h"
#include "repository/serial_executor.h"
#include "repository/version_board.h"
#include "repository/worker_pool.h"

namespace headrace::repository {

// What a load does about models that an ensemble is made of and that do not serve.
enum class MissingParts : std::uint8_t {
  kLoad,    // loads them
  kAwait,   // lets loads of them that were asked for before finish
  kGiveUp,  // nothing
};

// Thread-safe. Models are named by their keys (engine/model_key.h). Operations on one model come
// one after the other, those on different models run side by side on the pool. An operation that
// has to wait for others holds no model meanwhile, so that no two can wait for each other.
class ModelControl {
 public:
  using Done = std::function<void(Status)>;
  // Of an operation that was refused because the server ends.
  static constexpr char kStopping[] = "the server is shutting down";

  // All borrowed.
  struct Parts {
    const Repositories& repositories;
    OverrideStore& overrides;
    ModelRecords& records;
    VersionBoard& board;
    const ModelLoader& loader;
    WorkerPool& pool;
  };
  ModelControl(Parts parts, PlanOptions options);

  // `done` is called once, on the pool (after Close on the calling thread). The paths of the
  // override's files must have been checked.
  void Load(std::string name, LoadOverride override, Done done);
  // Loads all of them from the repositories; `done` is called for each. All have their places in
  // the queue before the first one runs, so that kAwait finds them.
  void LoadAll(const std::set<std::string>& names, MissingParts missing, const Done& done);
  // See ModelManager::UnloadAsync.
  void Unload(const std::string& name, bool unload_dependents, Done done);

  // Gives `model`, if that is what serves as this version, so many instances.
  void Resize(const std::string& name, std::int64_t version,
              const std::weak_ptr<engine::Model>& model, std::int64_t instance_count, Done done);

  // No more operations; those that wait for others end, too. What runs goes on.
  void Close() { executor_.Close(); }
  bool WaitUntilIdle(Nanos timeout) { return executor_.WaitUntilIdle(timeout); }

 private:
  // One load of one model on its way through the pool.
  struct Operation {
    std::string name;  // key
    LoadOverride override;
    std::optional<ModelSource> source;  // in place of the repository and `override`
    bool has_files = false;             // `source` was made of the override's files
    MissingParts missing = MissingParts::kLoad;
    bool unloaded = false;  // the model was unloaded meanwhile; guarded by mutex_
    Done done;
  };

  void Submit(Operation load);
  SerialExecutor::Operation LoadOperation(std::shared_ptr<Operation> load);
  void Begin(const std::shared_ptr<Operation>& load, const SerialExecutor::Finish& finish);
  Result<ModelPlan> Plan(Operation& load);
  Result<ModelSource> Source(Operation& load);
  void Fail(const Operation& load, const Status& status);
  void FetchParts(const std::shared_ptr<Operation>& load,
                  const std::vector<ComposingModel>& missing);
  bool ForgetFetching(const std::shared_ptr<Operation>& load);

  // Afterwards `done`. What happens to a model may happen to the ensembles that need it.
  void UpdateEnsembles(const std::string& model, std::function<void()> done);
  void UpdateEnsemble(const std::string& ensemble, std::function<void()> done);

  void Withdraw(const std::string& name);
  Status ResizeNow(const std::string& name, std::int64_t version,
                   const std::weak_ptr<engine::Model>& model, std::int64_t instance_count);

  LayoutOptions layout_options() const {
    return {options_.links_may_leave, options_.namespaces != nullptr};
  }

  const Repositories& repositories_;
  const PlanOptions options_;
  OverrideStore& overrides_;
  ModelRecords& records_;
  VersionBoard& board_;
  const ModelLoader& loader_;
  EnsembleParts parts_;
  std::mutex mutex_;
  std::multimap<std::string, std::shared_ptr<Operation>>
      fetching_;  // loads that wait for composing models; guarded by mutex_
  SerialExecutor executor_;
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_MODEL_CONTROL_H_
