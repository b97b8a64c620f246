#include "repository/version_loader.h"

#include <string>
#include <utility>

#include "base/log.h"
#include "repository/complete.h"
#include "repository/config_json.h"
#include "repository/field_verdicts.h"
#include "repository/model_options.h"
#include "repository/normalise.h"
#include "repository/protobuf_messages.h"
#include "repository/sequence_settings.h"
#include "repository/validate.h"

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

// What stands for a backend's name where the configuration has none.
constexpr char kEnsembleBackend[] = "ensemble";

engine::LoadSpec ToSpec(const ModelPlan& plan, std::int64_t version) {
  engine::LoadSpec spec;
  spec.model_name = plan.name();
  spec.version = version;
  spec.backend = plan.config->has_ensemble_scheduling() ? kEnsembleBackend : plan.config->backend();
  spec.runtime = plan.config->runtime();
  spec.model_directory = plan.source.location.directory;
  spec.config_json = ConfigToJson(*plan.config);
  spec.auto_complete = plan.auto_complete;
  return spec;
}

// Keeps the directory of a model that came with its load request as long as the model.
class ModelWithFiles final : public engine::LoadedModel {
 public:
  ModelWithFiles(std::unique_ptr<engine::LoadedModel> model, std::shared_ptr<const void> files)
      : files_(std::move(files)), model_(std::move(model)) {}
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
  const std::unique_ptr<engine::LoadedModel> model_;
};

Result<std::unique_ptr<engine::LoadedModel>> LoadByBackend(engine::BackendProvider& backends,
                                                           engine::LoadSpec spec,
                                                           const ModelPlan& plan) {
  const auto backend = backends.Find(spec);
  if (!backend.ok()) {
    return plan.config->has_ensemble_scheduling()
               ? Unimplemented("field 'ensemble_scheduling' is not supported yet")
               : backend.status();
  }
  HEADRACE_ASSIGN_OR_RETURN(std::unique_ptr<engine::LoadedModel> loaded,
                            (*backend)->Load(std::move(spec)));
  if (plan.source.files != nullptr) {
    loaded = std::make_unique<ModelWithFiles>(std::move(loaded), plan.source.files);
  }
  return loaded;
}

}  // namespace

Result<std::shared_ptr<engine::Model>> VersionLoader::Load(const ModelPlan& plan,
                                                           std::int64_t version) const {
  const Nanos start = Clock::Real().Now();
  // Shared with the callback, which a backend might keep longer than the call.
  const auto config = std::make_shared<inference::ModelConfig>(*plan.config);
  engine::LoadSpec spec = ToSpec(plan, version);
  if (plan.auto_complete) {
    spec.complete_config = [config](const std::string& proposed) {
      return AcceptProposal(proposed, *config);
    };
  }
  HEADRACE_ASSIGN_OR_RETURN(std::unique_ptr<engine::LoadedModel> loaded,
                            LoadByBackend(backends_, std::move(spec), plan));
  HEADRACE_RETURN_IF_ERROR(ValidateTensors(*config));
  HEADRACE_ASSIGN_OR_RETURN(engine::ModelOptions options,
                            BuildModelOptions(*config, version, options_.queue_limits));
  if (config->has_ensemble_scheduling()) {
    // No instance groups: one instance takes its requests.
    options.placements = {{.name = config->name(), .kind = engine::InstanceKind::kModel}};
  }
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
