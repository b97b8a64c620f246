#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "repository/protobuf_messages.h"
#include "repository/validate.h"

namespace headrace::repository {
namespace {

using inference::ModelConfig;

Status CheckSteps(const ModelConfig& config) {
  const auto& ensemble = config.ensemble_scheduling();
  if (ensemble.step().empty()) {
    return InvalidArgument("must specify 'step' for ensemble '{}'", config.name());
  }
  if (ensemble.step_size() > kEnsembleStepCountMax) {
    return InvalidArgument("ensemble '{}' has more than {} steps", config.name(),
                           kEnsembleStepCountMax);
  }
  for (int i = 0; i < ensemble.step_size(); ++i) {
    const auto& step = ensemble.step(i);
    const char* lacking = step.model_name().empty()   ? "model_name"
                          : step.input_map().empty()  ? "input_map"
                          : step.output_map().empty() ? "output_map"
                                                      : nullptr;
    if (lacking != nullptr) {
      return InvalidArgument("must specify '{}' in step {} of ensemble '{}'", lacking, i,
                             config.name());
    }
    if (step.model_version() < -1 || step.model_version() == 0) {
      // Not said by a stock Triton, which finds such a version missing.
      return InvalidArgument(
          "'model_version' must be a version, or -1 for the newest, in step {} of ensemble '{}'", i,
          config.name());
    }
  }
  return OkStatus();
}

Status CheckFieldsOfEnsembles(const ModelConfig& config) {
  if (!config.instance_group().empty()) {
    return InvalidArgument("instance group should not be specified for ensemble '{}'",
                           config.name());
  }
  if (config.has_optimization()) {
    return InvalidArgument("optimization should not be specified for ensemble '{}'", config.name());
  }
  if (!config.model_warmup().empty()) {
    return InvalidArgument("model_warmup can not be specified for ensemble '{}'", config.name());
  }
  return OkStatus();
}

// How tensors of an ensemble flow: who writes each, who reads each.
class Dataflow {
 public:
  explicit Dataflow(const ModelConfig& config) : config_(config) {}

  Status Check() {
    HEADRACE_RETURN_IF_ERROR(ReadSteps());
    for (const auto& input : config_.input()) {
      if (readers_.count(input.name()) == 0) {
        return InvalidArgument("ensemble input '{}' for ensemble {}' is not used", input.name(),
                               config_.name());
      }
    }
    for (const auto& output : config_.output()) {
      if (writers_.count(output.name()) == 0) {
        return InvalidArgument("ensemble output '{}' for ensemble {}' is not used", output.name(),
                               config_.name());
      }
    }
    RunSteps();
    for (const auto& output : config_.output()) {
      HEADRACE_RETURN_IF_ERROR(CheckWritten(output.name()));
    }
    return CheckUsed();
  }

 private:
  Status ReadSteps() {
    std::set<std::string> inputs;
    for (const auto& input : config_.input()) {
      inputs.insert(input.name());
    }
    const auto& ensemble = config_.ensemble_scheduling();
    for (int i = 0; i < ensemble.step_size(); ++i) {
      for (const auto& [name, tensor] : ensemble.step(i).input_map()) {
        readers_.insert(tensor);
      }
      for (const auto& [name, tensor] : ensemble.step(i).output_map()) {
        // A stock Triton lets a step write what the request brings; which of the two is read then?
        if (inputs.count(tensor) > 0 || !writers_.emplace(tensor, i).second) {
          return InvalidArgument(
              "ensemble tensor '{}' can appear in an output map only once for ensemble '{}' step "
              "{}",
              tensor, config_.name(), i);
        }
      }
    }
    return OkStatus();
  }

  // Finds the tensors that are there when everything has run that can.
  void RunSteps() {
    for (const auto& input : config_.input()) {
      present_.insert(input.name());
    }
    const auto& steps = config_.ensemble_scheduling().step();
    std::vector<bool> ran(static_cast<std::size_t>(steps.size()));
    for (bool progress = true; progress;) {
      progress = false;
      for (int i = 0; i < steps.size(); ++i) {
        if (!ran[static_cast<std::size_t>(i)] && FirstAbsent(steps[i]).empty()) {
          ran[static_cast<std::size_t>(i)] = progress = true;
          for (const auto& [name, tensor] : steps[i].output_map()) {
            present_.insert(tensor);
          }
        }
      }
    }
  }

  // An input of the step that nobody has written; empty if there is none.
  template <typename Step>
  std::string FirstAbsent(const Step& step) const {
    std::string absent;
    for (const auto& [name, tensor] : step.input_map()) {
      if (present_.count(tensor) == 0 && (absent.empty() || tensor < absent)) {
        absent = tensor;  // the first by name: the map has no order of its own
      }
    }
    return absent;
  }

  Status CheckWritten(const std::string& output) const {
    if (present_.count(output) > 0) {
      return OkStatus();
    }
    const std::string absent = FirstAbsent(config_.ensemble_scheduling().step(writers_.at(output)));
    if (writers_.count(absent) > 0) {
      return InvalidArgument("output '{}' for ensemble '{}' is not written", output,
                             config_.name());
    }
    return InvalidArgument(
        "output '{}' for ensemble '{}' is not written: at least one of its depending tensors, "
        "'{}', is not connected",
        output, config_.name(), absent);
  }

  Status CheckUsed() const {
    std::set<std::string> outputs;
    for (const auto& output : config_.output()) {
      outputs.insert(output.name());
    }
    for (const auto& [tensor, step] : writers_) {
      if (outputs.count(tensor) == 0 && readers_.count(tensor) == 0) {
        return InvalidArgument("ensemble tensor '{}' is unused in ensemble '{}'", tensor,
                               config_.name());
      }
    }
    for (const std::string& tensor : readers_) {
      if (present_.count(tensor) == 0) {
        return InvalidArgument("ensemble tensor '{}' is not written in ensemble '{}'", tensor,
                               config_.name());
      }
    }
    return OkStatus();
  }

  const ModelConfig& config_;
  std::set<std::string> readers_;       // tensors that some step reads
  std::map<std::string, int> writers_;  // the step that writes the tensor
  std::set<std::string> present_;
};

}  // namespace

Status ValidateEnsemble(const ModelConfig& config) {
  if (!config.has_ensemble_scheduling()) {
    return OkStatus();
  }
  HEADRACE_RETURN_IF_ERROR(CheckSteps(config));
  HEADRACE_RETURN_IF_ERROR(CheckFieldsOfEnsembles(config));
  return Dataflow(config).Check();
}

}  // namespace headrace::repository
