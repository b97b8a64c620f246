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

engine::LoadSpec ToSpec(const ModelPlan& plan, std::int64_t version) {
  engine::LoadSpec spec;
  spec.model_name = plan.location.name;
  spec.version = version;
  spec.backend = plan.config->backend();
  spec.runtime = plan.config->runtime();
  spec.model_directory = plan.location.directory;
  spec.config_json = ConfigToJson(*plan.config);
  spec.auto_complete = plan.auto_complete;
  return spec;
}

}  // namespace

Result<std::shared_ptr<engine::Model>> VersionLoader::Load(const ModelPlan& plan,
                                                           std::int64_t version) const {
  // Shared with the callback, which a backend might keep longer than the call.
  const auto config = std::make_shared<inference::ModelConfig>(*plan.config);
  engine::LoadSpec spec = ToSpec(plan, version);
  if (plan.auto_complete) {
    spec.complete_config = [config](const std::string& proposed) {
      return AcceptProposal(proposed, *config);
    };
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::shared_ptr<engine::Backend> backend, backends_.Find(spec));
  HEADRACE_ASSIGN_OR_RETURN(std::unique_ptr<engine::LoadedModel> loaded,
                            backend->Load(std::move(spec)));
  HEADRACE_RETURN_IF_ERROR(ValidateTensors(*config));
  HEADRACE_ASSIGN_OR_RETURN(engine::ModelOptions options,
                            BuildModelOptions(*config, version, options_.queue_limits));
  HEADRACE_RETURN_IF_ERROR(ReadLabels(*config,
                                      options_.links_may_leave ? "/" : plan.location.repository,
                                      plan.location.directory, options.signature));
  loaded->SetFinalConfig(options.config_json);
  return engine::Model::Start(std::move(options), std::move(loaded), clock_);
}

}  // namespace headrace::repository
