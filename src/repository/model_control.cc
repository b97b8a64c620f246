#include "repository/model_control.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

#include "base/log.h"
#include "engine/model_key.h"
#include "repository/config_json.h"
#include "repository/layout.h"
#include "repository/model_options.h"
#include "repository/protobuf_messages.h"
#include "repository/when_all.h"

namespace headrace::repository {

namespace {

PlanOptions WithStore(PlanOptions options, OverrideStore& store) {
  options.unpacked = &store;
  return options;
}

}  // namespace

ModelControl::ModelControl(Parts parts, PlanOptions options)
    : repositories_(parts.repositories),
      options_(WithStore(options, parts.overrides)),
      overrides_(parts.overrides),
      records_(parts.records),
      board_(parts.board),
      loader_(parts.loader),
      parts_(repositories_, std::move(options), board_, records_),
      executor_(parts.pool) {}

void ModelControl::Load(std::string name, LoadOverride override, Done done) {
  Submit({.name = std::move(name),
          .override = std::move(override),
          .source = {},
          .done = std::move(done)});
}

void ModelControl::LoadAll(const std::set<std::string>& names, MissingParts missing,
                           const Done& done) {
  std::vector<std::pair<std::string, SerialExecutor::Operation>> operations;
  for (const std::string& name : names) {
    operations.emplace_back(
        name, LoadOperation(std::make_shared<Operation>(Operation{
                  .name = name, .override = {}, .source = {}, .missing = missing, .done = done})));
  }
  if (!executor_.SubmitAll(std::move(operations))) {
    for (std::size_t i = 0; i < names.size(); ++i) {
      done(Unavailable("{}", kStopping));
    }
  }
}

void ModelControl::Submit(Operation load) {
  const auto shared = std::make_shared<Operation>(std::move(load));
  if (!executor_.Submit(shared->name, LoadOperation(shared))) {
    shared->done(Unavailable("{}", kStopping));
  }
}

SerialExecutor::Operation ModelControl::LoadOperation(std::shared_ptr<Operation> load) {
  return
      [this, load = std::move(load)](const SerialExecutor::Finish& finish) { Begin(load, finish); };
}

void ModelControl::Begin(const std::shared_ptr<Operation>& load,
                         const SerialExecutor::Finish& finish) {
  if (ForgetFetching(load)) {
    finish();
    load->done(Unavailable("'{}' was unloaded while its composing models were loaded", load->name));
    return;
  }
  auto plan = Plan(*load);
  if (plan.ok() && !plan->parts.empty() && load->missing != MissingParts::kGiveUp) {
    if (const auto missing = parts_.Loadable(plan->parts); !missing.empty()) {
      finish();  // nothing is held meanwhile
      FetchParts(load, missing);
      return;
    }
  }
  Status status = plan.status();
  if (status.ok()) {
    // From now on the model is wanted: it comes back when a part does.
    records_.SetParts(load->name, plan->parts);
    status = parts_.Fault(load->name, plan->parts);
  }
  if (!status.ok()) {
    finish();
    plan = status;  // files that came with the request go before anybody hears of the result
    load->source.reset();
    Fail(*load, status);
    return;
  }
  records_.ClearFault(load->name);
  for (const std::string& warning : plan->warnings) {
    HEADRACE_LOG_WARNING("model '{}': {}", load->name, warning);
  }
  load->source.reset();
  loader_.Load(*std::move(plan), [this, load, finish](const Status& loaded) {
    finish();
    UpdateEnsembles(load->name, [load, loaded] { load->done(loaded); });
  });
}

// Where the model is to be loaded from. Makes the directory for files of the request, which are
// gone from `load` then.
Result<ModelSource> ModelControl::Source(Operation& load) {
  if (load.source) {
    return *load.source;
  }
  LoadOverride& override = load.override;
  if (!override.files.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(load.source,
                              overrides_.Create(std::string(engine::NameOfKey(load.name)),
                                                override.config_json, override.files));
    load.source->location.name_space = engine::NamespaceOfKey(load.name);
    override.files.clear();
    load.has_files = true;
    return *load.source;
  }
  HEADRACE_ASSIGN_OR_RETURN(ModelLocation location,
                            FindModel(*repositories_.Load(), load.name, layout_options()));
  return ModelSource{
      std::move(location),
      override.config_json.empty() ? std::nullopt : std::optional(override.config_json), nullptr};
}

Result<ModelPlan> ModelControl::Plan(Operation& load) {
  // The file system's functions may throw when memory runs out.
  try {
    if (board_.BelongsToOthers(load.name)) {
      return InvalidArgument("the name '{}' is a model's of the model store: unregister that first",
                             load.name);
    }
    HEADRACE_ASSIGN_OR_RETURN(ModelSource source, Source(load));
    HEADRACE_ASSIGN_OR_RETURN(ModelPlan plan, PlanModel(std::move(source), options_));
    HEADRACE_RETURN_IF_ERROR(parts_.Check(plan));
    return plan;
  } catch (const std::exception& error) {
    return Internal("{}", error.what());
  }
}

void ModelControl::Fail(const Operation& load, const Status& status) {
  const std::string reason = IndexReason(status);
  HEADRACE_LOG_ERROR("failed to load '{}': {}", load.name, reason);
  if (status.code() == StatusCode::kResourceExhausted ||
      status.code() == StatusCode::kPermissionDenied) {
    load.done(status);  // a refusal, and no fault of the repository
    return;
  }
  if (status.code() != StatusCode::kNotFound && !load.has_files &&
      board_.ReadyVersions(load.name).empty()) {
    records_.SetFault(load.name, reason);
  }
  load.done(Internal("failed to load '{}', failed to poll from model repository: {}", load.name,
                     status.message()));
}

void ModelControl::FetchParts(const std::shared_ptr<Operation>& load,
                              const std::vector<ComposingModel>& missing) {
  std::set<std::string> names;
  for (const ComposingModel& part : missing) {
    names.insert(part.name);
  }
  const bool loads = load->missing == MissingParts::kLoad;
  load->missing = MissingParts::kGiveUp;
  {
    std::lock_guard lock(mutex_);
    fetching_.emplace(load->name, load);
  }
  const auto arrived = WhenAll(names.size(), [this, load] {
    if (!executor_.Submit(load->name, LoadOperation(load))) {
      ForgetFetching(load);
      load->done(Unavailable("{}", kStopping));
    }
  });
  for (const std::string& name : names) {
    if (loads) {
      // Its own failure is in the log; the ensemble finds it missing.
      Submit({.name = name, .override = {}, .source = {}, .done = [arrived](const Status&) {
                arrived();
              }});
    } else if (!executor_.Submit(name, [arrived](const SerialExecutor::Finish& finish) {
                 finish();
                 arrived();
               })) {
      arrived();
    }
  }
}

// True if the model was unloaded while `load` waited for parts.
bool ModelControl::ForgetFetching(const std::shared_ptr<Operation>& load) {
  std::lock_guard lock(mutex_);
  const auto [begin, end] = fetching_.equal_range(load->name);
  const auto found =
      std::find_if(begin, end, [&](const auto& entry) { return entry.second == load; });
  if (found != end) {
    fetching_.erase(found);
  }
  return load->unloaded;
}

void ModelControl::UpdateEnsembles(const std::string& model, std::function<void()> done) {
  auto ensembles = records_.EnsemblesOf(model);
  if (engine::HasNamespace(model)) {
    // Those that could not tell which model is meant: now they may.
    for (std::string& ensemble : records_.EnsemblesOf(std::string(engine::NameOfKey(model)))) {
      ensembles.push_back(std::move(ensemble));
    }
  }
  const auto arrived = WhenAll(ensembles.size(), std::move(done));
  for (const std::string& ensemble : ensembles) {
    UpdateEnsemble(ensemble, arrived);
  }
}

void ModelControl::UpdateEnsemble(const std::string& ensemble, std::function<void()> done) {
  auto operation = [this, ensemble, done](const SerialExecutor::Finish& finish) {
    const auto parts = parts_.Resolved(ensemble, records_.PartsOf(ensemble));
    const Status fault = parts_.Fault(ensemble, parts);
    const auto ready = board_.ReadyVersions(ensemble);
    if (!fault.ok() && !ready.empty()) {
      HEADRACE_LOG_WARNING("'{}' is not served any more: {}", ensemble, fault.message());
      for (const std::int64_t version : ready) {
        board_.Withdraw(ensemble, version, fault.message());
      }
      finish();
      UpdateEnsembles(ensemble, done);
      return;
    }
    if (fault.ok() && ready.empty() && !parts.empty()) {
      const auto served = records_.Served(ensemble);
      const auto load = std::make_shared<Operation>(
          Operation{.name = ensemble,
                    .override = {},
                    .source = served == nullptr ? std::nullopt : std::optional(served->source),
                    .missing = MissingParts::kGiveUp,
                    .done = [done](const Status&) { done(); }});
      Begin(load, finish);
      return;
    }
    finish();
    done();
  };
  if (!executor_.Submit(ensemble, std::move(operation))) {
    done();
  }
}

void ModelControl::Unload(const std::string& name, bool unload_dependents, Done done) {
  const bool taken = executor_.Submit(name, [this, name, unload_dependents,
                                             done](const SerialExecutor::Finish& finish) {
    const auto parts = unload_dependents ? records_.NeededOnlyBy(name) : std::vector<std::string>();
    Withdraw(name);
    finish();
    const auto arrived = WhenAll(parts.size() + 1, [done] { done(OkStatus()); });
    for (const std::string& part : parts) {
      Unload(part, false, [arrived](const Status&) { arrived(); });
    }
    UpdateEnsembles(name, arrived);
  });
  if (!taken) {
    done(Unavailable("{}", kStopping));
  }
}

void ModelControl::Resize(const std::string& name, std::int64_t version,
                          const std::weak_ptr<engine::Model>& model, std::int64_t instance_count,
                          Done done) {
  const bool taken = executor_.Submit(name, [this, name, version, model, instance_count,
                                             done](const SerialExecutor::Finish& finish) {
    const Status status = ResizeNow(name, version, model, instance_count);
    if (!status.ok()) {
      HEADRACE_LOG_ERROR("'{}' version {} keeps its instances: {}", name, version,
                         IndexReason(status));
    }
    finish();
    done(status);
  });
  if (!taken) {
    done(Unavailable("{}", kStopping));
  }
}

// The instances are those of the configuration in force, but for their number.
Status ModelControl::ResizeNow(const std::string& name, std::int64_t version,
                               const std::weak_ptr<engine::Model>& model,
                               std::int64_t instance_count) {
  const engine::ModelHandle resized = model.lock();
  if (resized == nullptr || board_.Find(name, version) != resized) {
    return Unavailable("it serves no more");
  }
  HEADRACE_ASSIGN_OR_RETURN(inference::ModelConfig config, ConfigFromJson(resized->config_json()));
  if (config.instance_group_size() != 1) {
    return FailedPrecondition("it has no single instance_group any more");
  }
  config.mutable_instance_group(0)->set_count(static_cast<std::int32_t>(instance_count));
  try {
    return resized->SetPlacements(BuildPlacements(config));
  } catch (const std::exception& error) {
    return Internal("{}", error.what());
  }
}

void ModelControl::Withdraw(const std::string& name) {
  if (const auto served = records_.Served(name);
      served != nullptr && served->source.agents != nullptr) {
    served->source.agents->Unload();
  }
  for (const std::int64_t version : board_.KnownVersions(name)) {
    board_.Withdraw(name, version);
  }
  records_.Forget(name);
  std::lock_guard lock(mutex_);
  const auto [begin, end] = fetching_.equal_range(name);
  std::for_each(begin, end, [](const auto& entry) { entry.second->unloaded = true; });
}

}  // namespace headrace::repository
