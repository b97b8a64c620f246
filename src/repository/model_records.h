// What the manager remembers about models beside the states of their versions.
#ifndef HEADRACE_REPOSITORY_MODEL_RECORDS_H_
#define HEADRACE_REPOSITORY_MODEL_RECORDS_H_

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "repository/dependency_graph.h"
#include "repository/model_change.h"

namespace headrace::repository {

// Thread-safe.
class ModelRecords {
 public:
  // Why a model cannot even be planned: a fault of its directory or its configuration.
  void SetFault(const std::string& model, std::string reason) {
    std::lock_guard lock(mutex_);
    faults_[model] = std::move(reason);
  }
  void ClearFault(const std::string& model) {
    std::lock_guard lock(mutex_);
    faults_.erase(model);
  }
  std::map<std::string, std::string> Faults() const {
    std::lock_guard lock(mutex_);
    return faults_;
  }
  bool HasFaults() const {
    std::lock_guard lock(mutex_);
    return !faults_.empty();
  }

  // Null when the model is not served.
  std::shared_ptr<const ServedModel> Served(const std::string& model) const {
    std::lock_guard lock(mutex_);
    const auto found = served_.find(model);
    return found == served_.end() ? nullptr : found->second;
  }
  void SetServed(const std::string& model, ServedModel served) {
    auto record = std::make_shared<const ServedModel>(std::move(served));
    std::lock_guard lock(mutex_);
    served_[model].swap(record);  // the old one may own files: it dies outside the lock
  }
  // Forgets everything about the model.
  void Forget(const std::string& model) {
    std::shared_ptr<const ServedModel> record;  // may own files: it dies outside the lock
    std::lock_guard lock(mutex_);
    if (const auto found = served_.find(model); found != served_.end()) {
      record = std::move(found->second);
      served_.erase(found);
    }
    faults_.erase(model);
    graph_.Remove(model);
  }

  // The ensembles that were asked for, loaded or not; see DependencyGraph.
  void SetParts(const std::string& model, std::vector<ComposingModel> parts) {
    std::lock_guard lock(mutex_);
    graph_.Set(model, std::move(parts));
  }
  std::vector<ComposingModel> PartsOf(const std::string& model) const {
    std::lock_guard lock(mutex_);
    return graph_.PartsOf(model);
  }
  std::vector<std::string> EnsemblesOf(const std::string& model) const {
    std::lock_guard lock(mutex_);
    return graph_.EnsemblesOf(model);
  }
  std::vector<std::string> NeededOnlyBy(const std::string& model) const {
    std::lock_guard lock(mutex_);
    return graph_.NeededOnlyBy(model);
  }

 private:
  mutable std::mutex mutex_;
  std::map<std::string, std::string> faults_;                         // guarded by mutex_
  std::map<std::string, std::shared_ptr<const ServedModel>> served_;  // guarded by mutex_
  DependencyGraph graph_;                                             // guarded by mutex_
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_MODEL_RECORDS_H_
