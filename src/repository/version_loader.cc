#include "repository/version_loader.h"

#include <string>
#include <utility>

#include "base/log.h"
#include "repository/complete.h"
#include "repository/config_json.h"
#include "repository/field_verdicts.h"
#include "repository/handler_config.h"
#include "repository/model_options.h"
#include "repository/native_model.h"
#include "repository/normalise.h"
#include "repository/protobuf_messages.h"
#include "repository/sequence_settings.h"
#include "repository/validate.h"
#include "repository/variant_config.h"
#include "repository/warmup_samples.h"

namespace headrace::repository {
namespace {

// Merges what the backend proposes into `config`, which is changed only when all of it is right.
Result<std::string> AcceptProposal(const std::string& proposed_json,
                                   inference::ModelConfig& config) {
  HEADRACE_ASSIGN_OR_RETURN(const inference::ModelConfig proposed, ConfigFromJson(proposed_json));
  inference::ModelConfig merged = config;
  HEADRACE_RETURN_IF_ERROR(MergeProposal(proposed, merged));
  HEADRACE_RETURN_IF_ERROR(FillDefaults(config.name(), merged));
  HEADRACE_RETURN_IF_ERROR(ValidateGeneral(merged));
  HEADRACE_RETURN_IF_ERROR(ValidateTensors(merged));
  // The defaults are in by now; only a refusal tells something new.
  HEADRACE_RETURN_IF_ERROR([&merged] {
    auto judged = JudgeFields(merged);
    return judged.ok() ? OkStatus() : judged.status();
  }());
  config = std::move(merged);
  return ConfigToJson(config);
}

// The plan's configuration, or that of the variant which serves in its place. A handler's own
// stays: the variant runs behind it (native_model.h).
inference::ModelConfig ConfigOf(const ModelPlan& plan, const Variant* variant) {
  inference::ModelConfig config = *plan.config;
  config.mutable_parameters()->erase(kVariantsParameter);
  if (variant != nullptr && config.backend() != kHandlerBackend) {
    PutVariantInForce(*variant, config);
  }
  return config;
}

engine::LoadSpec ToSpec(const ModelPlan& plan, std::int64_t version,
                        const inference::ModelConfig& config) {
  engine::LoadSpec spec;
  spec.model_name = plan.name();
  spec.version = version;
  spec.backend = config.backend();
  spec.runtime = config.runtime();
  spec.model_directory = plan.source.location.directory;
  spec.config_json = ConfigToJson(config);
  spec.auto_complete = plan.auto_complete;
  return spec;
}

// Keeps what a model was loaded from as long as the model: the directory that came with its load
// request, and what its repository agents made.
class ModelWithFiles final : public engine::LoadedModel {
 public:
  ModelWithFiles(std::unique_ptr<engine::LoadedModel> model, const ModelSource& source)
      : files_(source.files), agents_(source.agents), model_(std::move(model)) {}
  void SetFinalConfig(std::string config_json) override {
    model_->SetFinalConfig(std::move(config_json));
  }
  Result<std::unique_ptr<engine::Instance>> CreateInstance(
      const engine::InstancePlacement& placement) override {
    return model_->CreateInstance(placement);
  }
  bool ParallelInstanceLoading() const override { return model_->ParallelInstanceLoading(); }

 private:
  const std::shared_ptr<const void> files_;
  const std::shared_ptr<engine::ModelAgents> agents_;
  const std::unique_ptr<engine::LoadedModel> model_;
};

// Stands where an ensemble's backend would be.
class NoBackend final : public engine::LoadedModel {
 public:
  void SetFinalConfig(std::string) override {}
  Result<std::unique_ptr<engine::Instance>> CreateInstance(
      const engine::InstancePlacement&) override {
    return Internal("an ensemble has no instances");
  }
};

}  // namespace

Result<std::unique_ptr<engine::LoadedModel>> VersionLoader::LoadByBackend(
    engine::LoadSpec spec, const ModelPlan& plan, const Variant* variant,
    std::shared_ptr<engine::RequestStages>& stages) const {
  std::unique_ptr<engine::LoadedModel> loaded;
  HEADRACE_ASSIGN_OR_RETURN(
      NativeModel native,
      LoadNativeModel(plan, spec.version, variant,
                      {.cpu = parts_.cpu, .backends = parts_.backends, .pool = parts_.pool}));
  if (!native.why_not.empty()) {
    HEADRACE_LOG_INFO("model '{}' version {} is served by Python workers: {}", plan.name(),
                      spec.version, native.why_not);
  }
  if (plan.config->has_ensemble_scheduling()) {
    loaded = std::make_unique<NoBackend>();
  } else if (native.loaded != nullptr) {
    loaded = std::move(native.loaded);
    stages = std::move(native.stages);
  } else if (variant != nullptr && plan.config->backend() == kHandlerBackend) {
    return InvalidArgument("Python workers run the weights that the archive brings");
  } else {
    HEADRACE_ASSIGN_OR_RETURN(const auto backend, parts_.backends.Find(spec));
    HEADRACE_ASSIGN_OR_RETURN(loaded, backend->Load(std::move(spec)));
  }
  if (plan.source.files != nullptr || plan.source.agents != nullptr) {
    loaded = std::make_unique<ModelWithFiles>(std::move(loaded), plan.source);
  }
  return loaded;
}

Status VersionLoader::AddServices(const ModelPlan& plan, const inference::ModelConfig& config,
                                  engine::ModelOptions& options) const {
  if (config.has_ensemble_scheduling()) {
    HEADRACE_ASSIGN_OR_RETURN(
        options.ensemble,
        BuildEnsemble(config, options.signature, parts_.find_part, parts_.registry, parts_.pool));
    options.placements.clear();
    options.decoupled = options.decoupled || options.ensemble->plan().decoupled;
  }
  if (config.response_cache().enable()) {
    if (options.decoupled) {
      return InvalidArgument(
          "Response Cache does not currently support model {} with 'decoupled' transaction policy. "
          "Please disable the response cache.",
          config.name());
    }
    options.cache = parts_.cache;
  }
  options.limiter = parts_.limiter;
  const ModelLocation& location = plan.source.location;
  HEADRACE_ASSIGN_OR_RETURN(
      std::vector<engine::WarmupSample> samples,
      BuildWarmup(config, options_.links_may_leave ? "/" : location.repository,
                  location.directory));
  if (!samples.empty()) {
    options.warmup = std::make_shared<const engine::Warmup>(std::move(samples), parts_.pool);
  }
  return OkStatus();
}

Result<std::shared_ptr<engine::Model>> VersionLoader::Load(const ModelPlan& plan,
                                                           std::int64_t version) const {
  const std::optional<Variant> variant =
      FindVariant(plan, version, *plan.config, options_.variants);
  if (!variant) {
    return LoadAs(plan, version, nullptr);
  }
  auto model = LoadAs(plan, version, &*variant);
  if (model.ok()) {
    HEADRACE_LOG_INFO("model '{}' version {}: variant '{}' serves, by the {} backend", plan.name(),
                      version, variant->name, variant->backend);
    return model;
  }
  HEADRACE_LOG_WARNING(
      "model '{}' version {}: variant '{}' is not used, it cannot be loaded: {}; the original "
      "serves",
      plan.name(), version, variant->name, model.status().message());
  return LoadAs(plan, version, nullptr);
}

Result<std::shared_ptr<engine::Model>> VersionLoader::LoadAs(const ModelPlan& plan,
                                                             std::int64_t version,
                                                             const Variant* variant) const {
  const Nanos start = Clock::Real().Now();
  // Shared with the callback, which a backend might keep longer than the call.
  const auto config = std::make_shared<inference::ModelConfig>(ConfigOf(plan, variant));
  engine::LoadSpec spec = ToSpec(plan, version, *config);
  if (plan.auto_complete) {
    spec.complete_config = [config](const std::string& proposed) {
      return AcceptProposal(proposed, *config);
    };
  }
  std::shared_ptr<engine::RequestStages> stages;
  HEADRACE_ASSIGN_OR_RETURN(std::unique_ptr<engine::LoadedModel> loaded,
                            LoadByBackend(std::move(spec), plan, variant, stages));
  HEADRACE_RETURN_IF_ERROR(ValidateTensors(*config));
  HEADRACE_ASSIGN_OR_RETURN(engine::ModelOptions options,
                            BuildModelOptions(*config, version, options_.queue_limits));
  options.name_space = plan.source.location.name_space;
  options.version_name = plan.version_name;
  if (plan.starts_without_instances) {
    options.may_have_no_instances = true;
    options.placements.clear();
  }
  options.placer = options_.placer;
  options.stages = std::move(stages);
  const std::string executor = variant != nullptr          ? variant->backend
                               : options.stages != nullptr ? "pytorch"
                                                           : config->backend();
  for (const std::string& backend : {executor, std::string()}) {
    const auto said = options_.thread_counts.find(backend);
    if (options.thread_count == 0 && said != options_.thread_counts.end()) {
      options.thread_count = said->second;
    }
  }
  HEADRACE_RETURN_IF_ERROR(AddServices(plan, *config, options));
  const ModelLocation& location = plan.source.location;
  const std::string root = options_.links_may_leave ? "/" : location.repository;
  HEADRACE_RETURN_IF_ERROR(ReadLabels(*config, root, location.directory, options.signature));
  if (options.sequences) {
    HEADRACE_RETURN_IF_ERROR(
        ReadInitialStates(*config, root, location.directory, *options.sequences));
  }
  loaded->SetFinalConfig(options.config_json);
  HEADRACE_ASSIGN_OR_RETURN(std::shared_ptr<engine::Model> model,
                            engine::Model::Start(std::move(options), std::move(loaded), clock_));
  model->statistics().SetLoadDuration(Clock::Real().Now() - start);
  return model;
}

}  // namespace headrace::repository
