// Registration: from an archive to a model in the registry, and its first workers.
#include <exception>
#include <latch>
#include <utility>

#include "base/log.h"
#include "store/model_store_impl.h"

namespace headrace::store {
namespace {

// Of what is prepared before its name is known.
std::string KeyOf(const Registration& registration) {
  return registration.name.empty() ? "\n" + registration.url : registration.name;
}

std::string RegisteredText(const VersionRecord& version, std::int64_t worker_count) {
  return worker_count == 0
             ? fmt::format(
                   "Model \"{}\" Version: {} registered with 0 initial workers. Use scale "
                   "workers API to add workers for the model.",
                   version.name, version.version)
             : fmt::format("Model \"{}\" Version: {} registered with {} initial workers",
                           version.name, version.version, worker_count);
}

}  // namespace

void ModelStore::Impl::Register(Registration registration, std::string workflow, StoreDone done) {
  auto arrival = std::make_shared<Arrival>();
  arrival->registration = std::move(registration);
  arrival->workflow = std::move(workflow);
  arrival->done = std::move(done);
  Submit(KeyOf(arrival->registration), arrival->done,
         [this, arrival](const Finish& finish) { PrepareArrival(arrival, finish); });
}

void ModelStore::Impl::PrepareArrival(const ArrivalPtr& arrival, const Finish& finish) {
  if (StoreError error = preparer_.Prepare(arrival->registration, arrival->preparation);
      !error.ok()) {
    arrival->preparation.Discard();  // before anybody hears of it
    arrival->done(Failed(std::move(error)));
    finish();
    return;
  }
  if (arrival->preparation.name == arrival->registration.name) {
    Admit(arrival);
    finish();
    return;
  }
  // Its name is known only now: it waits for what was asked for that model before.
  Submit(arrival->preparation.name, arrival->done, [this, arrival](const Finish& finish_named) {
    Admit(arrival);
    finish_named();
  });
  finish();
}

StoreError ModelStore::Impl::CheckNew(const Preparation& preparation) const {
  const std::string& name = preparation.name;
  if (catalog_.Has(name, preparation.version)) {
    return {StoreFault::kConflict,
            fmt::format("Model version {} is already registered for model {}", preparation.version,
                        name)};
  }
  if (board_.BelongsToOthers(name)) {
    return {StoreFault::kConflict,
            fmt::format("Model {} is already served from the model repository", name)};
  }
  if (catalog_.version_count() >= options_.version_count_max) {
    return {StoreFault::kUnavailable,
            fmt::format("The model store has {} versions of models, which is its limit: unregister "
                        "one, or raise max_model_versions",
                        options_.version_count_max)};
  }
  return {};
}

StoreError ModelStore::Impl::Load(Arrival& arrival, VersionPtr& version) {
  const Registration& registration = arrival.registration;
  Preparation& preparation = arrival.preparation;
  auto record = std::make_shared<VersionRecord>();
  record->name = preparation.name;
  record->version = preparation.version;
  record->url = registration.url;
  record->runtime = preparation.runtime;
  record->workflow = arrival.workflow;
  record->at_start = registration.at_start;
  record->number = catalog_.NumberFor(record->name, record->version);
  WantedSettings configured;
  if (const auto named = options_.configured.find(record->name);
      named != options_.configured.end()) {
    if (const auto found = named->second.find(record->version); found != named->second.end()) {
      configured = found->second;
    }
  }
  record->settings = MergeSettings(registration.settings, preparation.archive, configured, options_,
                                   registration.at_start);
  record->archive = FactsOfArchive(preparation.archive, record->settings);
  if (StoreError error = CheckWorkerCounts(record->settings.worker_count_min,
                                           record->settings.worker_count_max, options_);
      !error.ok()) {
    return error;
  }
  repository::ModelPlan plan;
  if (StoreError error =
          preparer_.Plan(registration, record->settings, record->number, preparation, plan);
      !error.ok()) {
    return error;
  }
  for (const std::string& warning : preparation.warnings) {
    HEADRACE_LOG_WARNING("{}: {}", Label(*record), warning);
  }
  preparation.source = {};  // the model keeps it from here on
  Result<std::shared_ptr<engine::Model>> model = Internal("not loaded");
  // A model must not end the thread that loads it.
  try {
    model = loader_.Load(plan, record->number);
  } catch (const std::exception& error) {
    model = Internal("{}", error.what());
  }
  if (!model.ok()) {
    HEADRACE_LOG_ERROR("{} cannot be loaded: {}", Label(*record), model.status().message());
    StoreError error = WorkersFailed(*record);
    error.message += ". " + model.status().message();
    return error;
  }
  record->fetched_file = std::exchange(preparation.fetched_file, {});
  board_.Publish(record->name, record->number, *std::move(model));
  version = std::move(record);
  return {};
}

void ModelStore::Impl::Publish(const VersionPtr& version, VersionState state) {
  if (catalog_.Add(version, std::move(state))) {
    registry_.SetDefaultVersion(version->name, version->number);
  }
  if (options_.registry_changed != nullptr) {
    options_.registry_changed();
  }
  HEADRACE_LOG_INFO("{} is registered from '{}'", Label(*version), EscapeForLog(version->url));
}

void ModelStore::Impl::Admit(const ArrivalPtr& arrival) {
  StoreError error = CheckNew(arrival->preparation);
  VersionPtr version;
  if (error.ok()) {
    error = Load(*arrival, version);
  }
  const std::string name = arrival->preparation.name, number = arrival->preparation.version;
  if (!error.ok()) {
    arrival->preparation.Discard();
    arrival->done(Failed(std::move(error), name, number));
    return;
  }
  VersionState state;
  state.worker_count_min = version->settings.worker_count_min;
  state.worker_count_max = version->settings.worker_count_max;
  Publish(version, std::move(state));
  if (version->settings.worker_count_min == 0) {
    if (!version->at_start) {
      Changed();
    }
    arrival->done(
        {.error = {}, .text = RegisteredText(*version, 0), .name = name, .version = number});
    return;
  }
  if (!arrival->registration.synchronous) {
    arrival->done({.error = {},
                   .progress = Progress::kAccepted,
                   .text = "Processing worker updates...",
                   .name = name,
                   .version = number});
  }
  StartFirstWorkers(*arrival, version);
}

void ModelStore::Impl::StartFirstWorkers(const Arrival& arrival, const VersionPtr& version) {
  const std::int64_t count = version->settings.worker_count_min;
  const Status started = SetWorkerCount(version, count);
  const bool stays = started.ok() || version->at_start;
  if (!stays) {
    (void)catalog_.Remove(*version);
    // When somebody hears of the failure it can be registered again.
    std::latch gone(1);
    Withdraw(version, [&gone](bool) { gone.count_down(); });
    gone.wait();
  } else if (!version->at_start) {
    Changed();
  }
  if (!arrival.registration.synchronous) {
    return;
  }
  if (!started.ok()) {
    StoreError error = WorkersFailed(*version);
    if (started.code() == StatusCode::kResourceExhausted) {
      error.fault = StoreFault::kOutOfMemory;
    }
    // It is gone, and cannot be asked.
    error.message += ". " + started.message();
    arrival.done(Failed(std::move(error), version->name, version->version));
    return;
  }
  const engine::ModelHandle model = board_.Find(version->name, version->number);
  const bool ready =
      model != nullptr && model->ready_instance_count() >= static_cast<std::size_t>(count);
  arrival.done({.error = {},
                .progress = ready ? Progress::kDone : Progress::kUnderWay,
                .text = ready ? RegisteredText(*version, count) : "Workers scaling in progress...",
                .name = version->name,
                .version = version->version});
}

}  // namespace headrace::store
