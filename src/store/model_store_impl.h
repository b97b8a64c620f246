// What is behind ModelStore: registration.cc, scaling.cc and unregistration.cc do the operations.
#ifndef HEADRACE_STORE_MODEL_STORE_IMPL_H_
#define HEADRACE_STORE_MODEL_STORE_IMPL_H_

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "repository/override_store.h"
#include "repository/serial_executor.h"
#include "repository/version_board.h"
#include "repository/version_loader.h"
#include "repository/worker_pool.h"
#include "store/catalog.h"
#include "store/model_store.h"
#include "store/preparation.h"
#include "store/store_directory.h"
#include "store/worker_placer.h"

namespace headrace::store {

class ModelStore::Impl {
 public:
  Impl(ModelStoreOptions options, engine::BackendProvider& backends, engine::Registry& registry,
       BlockPool& pool, ArchiveFetcher* fetcher, const Clock& clock);
  ~Impl();

  void Register(Registration registration, std::string workflow, StoreDone done);
  void Scale(Scaling scaling, StoreDone done);
  void Resize(std::string name, std::string version, std::int64_t worker_count, StoreDone done,
              std::string reason);
  void Unregister(std::string name, std::string version, StoreDone done);
  void SetDefault(std::string name, std::string version, StoreDone done);
  void LoadAtStart(const std::vector<StartModel>& models);
  bool Shutdown(Nanos timeout);
  void OnChange(std::function<void()> listener) { listener_ = std::move(listener); }

  const ModelStoreOptions& options() const { return options_; }
  const StoreDirectory& directory() const { return directory_; }
  const Catalog& catalog() const { return catalog_; }
  // Null while it is going.
  engine::ModelHandle Find(const VersionRecord& version) const {
    return board_.Find(version.name, version.number);
  }

 private:
  using Finish = repository::SerialExecutor::Finish;
  // One registration on its way.
  struct Arrival {
    Registration registration;
    std::string workflow;
    StoreDone done;
    Preparation preparation;
  };
  using ArrivalPtr = std::shared_ptr<Arrival>;

  // Does `operation` when the earlier ones of `key` are done; `done` is told when there will be
  // none.
  void Submit(const std::string& key, const StoreDone& done,
              repository::SerialExecutor::Operation operation);
  void PrepareArrival(const ArrivalPtr& arrival, const Finish& finish);
  void Admit(const ArrivalPtr& arrival);
  StoreError CheckNew(const Preparation& preparation) const;
  StoreError Load(Arrival& arrival, VersionPtr& version);
  void Publish(const VersionPtr& version, VersionState state);
  void StartFirstWorkers(const Arrival& arrival, const VersionPtr& version);

  // Makes the version have `count` workers (blocking): those that it has and that may still serve
  // stay.
  Status SetWorkerCount(const VersionPtr& version, std::int64_t count);
  StoreReply ScaleNow(const Scaling& scaling, const VersionPtr& version);
  // Withdraws what the catalog has forgotten; `gone` as VersionBoard::Remove has it.
  void Withdraw(const VersionPtr& version, std::function<void(bool)> gone);
  void Changed() const;

  const ModelStoreOptions options_;
  const StoreDirectory directory_;
  engine::Registry& registry_;
  std::function<void()> listener_;  // set before anything changes
  repository::OverrideStore unpacked_;
  Catalog catalog_;
  WorkerPlacer placer_;
  const Preparer preparer_;
  std::atomic<bool> stopping_{false};
  repository::VersionBoard board_;
  const repository::VersionLoader loader_;
  std::unique_ptr<repository::WorkerPool> pool_;  // its tasks use the rest
  repository::SerialExecutor executor_;
};

// The reply of a failure.
StoreReply Failed(StoreError error, std::string name = {}, std::string version = {});
// "model 'm' version 1.0", for the log.
std::string Label(const VersionRecord& version);
StoreError WorkersFailed(const VersionRecord& version);

}  // namespace headrace::store

#endif  // HEADRACE_STORE_MODEL_STORE_IMPL_H_
