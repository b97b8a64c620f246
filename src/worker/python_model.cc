#include "worker/python_model.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "worker/environment.h"
#include "worker/json_messages.h"
#include "worker/python_instance.h"

namespace headrace::worker {

PythonModel::PythonModel(WorkerCommon common, engine::LoadSpec spec)
    : common_(std::move(common)), spec_(std::move(spec)) {}

void PythonModel::SetFinalConfig(std::string config_json) {
  spec_.config_json = std::move(config_json);
}

KeeperOptions PythonModel::Worker(const engine::InstancePlacement& placement,
                                  const ModelFacts& facts, MessageType question) const {
  KeeperOptions options;
  options.label =
      fmt::format("model '{}' version {}, instance '{}'", spec_.model_name, spec_.version,
                  placement.name);
  options.process.arguments = {common_.settings.interpreter, common_.main_file};
  options.process.environment = ChosenEnvironment(environ, {});
  options.data_byte_size = common_.settings.data_byte_size;
  options.question = question;
  options.make_question = [contract = common_.contract, spec = spec_, facts,
                           placement](const DataRegion& region) {
    return EncodeLoad({.contract = contract,
                       .model_name = spec.model_name,
                       .model_directory = spec.model_directory,
                       .model_file = facts.model_file,
                       .config_json = spec.config_json,
                       .instance_name = placement.name,
                       .version = spec.version,
                       .kind = placement.kind,
                       .device_id = placement.device_id,
                       .input_names = &facts.input_names,
                       .output_names = &facts.output_names,
                       .decoupled = facts.decoupled,
                       .data_byte_size = region.byte_size(),
                       .data_middle = region.middle(),
                       .handler_json = {}});
  };
  options.life.start_timeout = common_.settings.start_timeout;
  options.life.give_up = common_.settings.give_up;
  options.finalize_timeout = common_.settings.finalize_timeout;
  options.side = {.label = options.label,
                  .output_names = facts.output_names,
                  .services = common_.services,
                  .controls = common_.controls};
  return options;
}

Status PythonModel::CompleteConfig() {
  if (!spec_.auto_complete || !spec_.complete_config) {
    return OkStatus();
  }
  HEADRACE_ASSIGN_OR_RETURN(const ModelFacts facts, ReadModelFacts(spec_.config_json));
  engine::InstancePlacement placement;
  placement.name = spec_.model_name + "_auto_complete";
  HEADRACE_ASSIGN_OR_RETURN(
      const std::unique_ptr<Keeper> keeper,
      Keeper::Start(Worker(placement, facts, MessageType::kCompleteConfig)));
  std::string answer = keeper->answer();
  const std::size_t size = answer.size();
  answer.resize(size + protocol::JsonCursor::kPadding);
  HEADRACE_ASSIGN_OR_RETURN(const std::optional<std::string> proposed,
                            JsonDecoder().Config(std::string_view(answer).substr(0, size)));
  if (proposed) {
    HEADRACE_ASSIGN_OR_RETURN(spec_.config_json, spec_.complete_config(*proposed));
  }
  return OkStatus();
}

Result<std::unique_ptr<engine::Instance>> PythonModel::CreateInstance(
    const engine::InstancePlacement& placement) {
  HEADRACE_ASSIGN_OR_RETURN(ModelFacts facts, ReadModelFacts(spec_.config_json));
  KeeperOptions options = Worker(placement, facts, MessageType::kLoad);
  std::string label = options.label;
  HEADRACE_ASSIGN_OR_RETURN(std::unique_ptr<Keeper> keeper, Keeper::Start(std::move(options)));
  return std::unique_ptr<engine::Instance>(std::make_unique<PythonInstance>(
      std::move(keeper), std::move(label), std::move(facts.input_names),
      std::move(facts.output_names),
      ExecutionLimits{.response_timeout = common_.settings.response_timeout}));
}

}  // namespace headrace::worker
