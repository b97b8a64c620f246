// Scaling, and the end of versions.
#include <algorithm>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "store/model_facts.h"
#include "store/model_store_impl.h"

namespace headrace::store {

Status ModelStore::Impl::SetWorkerCount(const VersionPtr& version, std::int64_t count) {
  const engine::ModelHandle model = board_.Find(version->name, version->number);
  if (model == nullptr) {
    return Unavailable("{} is going", Label(*version));
  }
  std::vector<engine::InstancePlacement> workers;
  catalog_.Update(*version, [&](VersionState& state) { workers = state.workers; });
  // Who asks for workers wants them instead of those that will not come back.
  const std::vector<engine::InstanceFacts> facts = model->Instances();
  std::erase_if(workers, [&](const engine::InstancePlacement& worker) {
    return std::any_of(facts.begin(), facts.end(), [&](const engine::InstanceFacts& instance) {
      return instance.name == worker.name && HasGivenUp(instance);
    });
  });
  const auto wanted = static_cast<std::size_t>(count);
  const std::size_t kept = std::min(workers.size(), wanted);
  workers.resize(kept);
  while (workers.size() < wanted) {
    workers.push_back(placer_.Next(*version, workers.size()));
  }
  catalog_.Update(*version, [&](VersionState& state) {
    state.starting = static_cast<std::int64_t>(wanted - kept);
  });
  const Status status = model->SetPlacements(workers);
  catalog_.Update(*version, [&](VersionState& state) {
    state.starting = 0;
    state.load_error = status.message();
    if (status.ok()) {
      state.workers = std::move(workers);
    }
  });
  if (!status.ok()) {
    HEADRACE_LOG_ERROR("{}: its workers do not start: {}", Label(*version), status.message());
  }
  return status;
}

StoreReply ModelStore::Impl::ScaleNow(const Scaling& scaling, const VersionPtr& version) {
  std::int64_t count = 0;
  catalog_.Update(*version, [&](VersionState& state) {
    state.worker_count_min = scaling.worker_count_min;
    state.worker_count_max = scaling.worker_count_max;
    count = static_cast<std::int64_t>(state.workers.size());
  });
  count = std::clamp(count, scaling.worker_count_min, scaling.worker_count_max);
  const Status status = SetWorkerCount(version, count);
  Changed();
  if (!status.ok()) {
    StoreError error = WorkersFailed(*version);
    if (status.code() == StatusCode::kResourceExhausted) {
      error.fault = StoreFault::kOutOfMemory;
    }
    return Failed(std::move(error), version->name, version->version);
  }
  const engine::ModelHandle model = board_.Find(version->name, version->number);
  const bool ready =
      model != nullptr && model->ready_instance_count() >= static_cast<std::size_t>(count);
  std::string text = "Workers scaling in progress...";
  if (ready) {
    text =
        fmt::format("Workers scaled to {} for model: {}", scaling.worker_count_min, version->name);
    if (!scaling.version.empty()) {
      text += ", version: " + scaling.version;
    }
  }
  return {.error = {},
          .progress = ready ? Progress::kDone : Progress::kUnderWay,
          .text = std::move(text),
          .name = version->name,
          .version = version->version};
}

void ModelStore::Impl::Scale(Scaling scaling, StoreDone done) {
  Catalog::Entry entry;
  StoreError error = catalog_.Find(scaling.name, scaling.version, entry);
  if (error.ok()) {
    error = CheckWorkerCounts(scaling.worker_count_min, scaling.worker_count_max, options_);
  }
  if (!error.ok()) {
    done(Failed(std::move(error)));
    return;
  }
  if (!scaling.synchronous && !stopping_) {
    done({.error = {},
          .progress = Progress::kAccepted,
          .text = "Processing worker updates...",
          .name = entry.version->name,
          .version = entry.version->version});
    done = [](const StoreReply&) {};  // what becomes of it is in the log, and in `describe`
  }
  const std::string name = scaling.name;
  Submit(name, done,
         [this, scaling = std::move(scaling), version = entry.version, done](const Finish& finish) {
           done(ScaleNow(scaling, version));
           finish();
         });
}

void ModelStore::Impl::Resize(std::string name, std::string version, std::int64_t worker_count,
                              StoreDone done, std::string reason) {
  Catalog::Entry entry;
  StoreError error = catalog_.Find(name, version, entry);
  if (error.ok() && (worker_count < entry.state.worker_count_min ||
                     worker_count > entry.state.worker_count_max)) {
    error = {StoreFault::kBadRequest,
             fmt::format("{} workers are not between the {} and {} that the model is to have",
                         worker_count, entry.state.worker_count_min, entry.state.worker_count_max)};
  }
  if (!error.ok()) {
    done(Failed(std::move(error)));
    return;
  }
  catalog_.Update(*entry.version, [&](VersionState& state) {
    state.scaling_reason = std::move(reason);
    state.worker_count_wanted = worker_count;
  });
  Submit(name, done, [this, worker_count, resized = entry.version, done](const Finish& finish) {
    const Status status = SetWorkerCount(resized, worker_count);
    done(status.ok() ? StoreReply{.error = {},
                                  .text = fmt::format("Workers scaled to {} for model: {}",
                                                      worker_count, resized->name),
                                  .name = resized->name,
                                  .version = resized->version}
                     : Failed(WorkersFailed(*resized), resized->name, resized->version));
    finish();
  });
}

void ModelStore::Impl::Withdraw(const VersionPtr& version, std::function<void(bool)> gone) {
  board_.Remove(version->name, version->number, [version, gone = std::move(gone)](bool drained) {
    if (!version->fetched_file.empty()) {
      std::error_code ignored;
      std::filesystem::remove(version->fetched_file, ignored);
    }
    gone(drained);
  });
  if (options_.registry_changed != nullptr) {
    options_.registry_changed();
  }
}

void ModelStore::Impl::Unregister(std::string name, std::string version, StoreDone done) {
  Submit(name, done, [this, name, wanted = std::move(version), done](const Finish& finish) {
    Catalog::Entry entry;
    StoreError error = catalog_.Find(name, wanted, entry);
    if (error.ok()) {
      error = catalog_.Remove(*entry.version);
    }
    if (!error.ok()) {
      done(Failed(std::move(error), name, wanted));
      finish();
      return;
    }
    const VersionPtr removed = entry.version;
    Withdraw(removed, [this, removed, done, finish](bool drained) {
      HEADRACE_LOG_INFO("{} is unregistered", Label(*removed));
      Changed();
      done(drained ? StoreReply{.error = {},
                                .text = fmt::format("Model \"{}\" unregistered", removed->name),
                                .name = removed->name,
                                .version = removed->version}
                   : Failed({StoreFault::kTimeout,
                             fmt::format("Timed out while cleaning resources: {}", removed->name)},
                            removed->name, removed->version));
      finish();
    });
  });
}

void ModelStore::Impl::SetDefault(std::string name, std::string version, StoreDone done) {
  Submit(name, done, [this, name, version = std::move(version), done](const Finish& finish) {
    std::int64_t number = 0;
    StoreError error = catalog_.SetDefault(name, version, number);
    if (error.ok()) {
      registry_.SetDefaultVersion(name, number);
      Changed();
      done({.error = {},
            .text = fmt::format("Default version successfully updated for model \"{}\" to \"{}\"",
                                name, version),
            .name = name,
            .version = version});
    } else {
      done(Failed(std::move(error), name, version));
    }
    finish();
  });
}

}  // namespace headrace::store
