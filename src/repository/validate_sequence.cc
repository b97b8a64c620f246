#include <map>
#include <set>
#include <string>

#include "repository/protobuf_messages.h"
#include "repository/sequence_settings.h"
#include "repository/validate.h"

namespace headrace::repository {
namespace {

using Sequence = inference::ModelSequenceBatching;
using Control = Sequence::Control;

Status CheckFlagControl(const Control& control, const std::string& model) {
  const std::string& kind = Control::Kind_Name(control.kind());
  int given = 0;
  for (const auto& [name, size] : {std::pair("int32_false_true", control.int32_false_true_size()),
                                   std::pair("fp32_false_true", control.fp32_false_true_size()),
                                   std::pair("bool_false_true", control.bool_false_true_size())}) {
    if (size == 0) {
      continue;
    }
    if (size != 2) {
      return InvalidArgument(
          "sequence batching control '{}' must have exactly 2 entries for {} for {}", name, kind,
          model);
    }
    ++given;
  }
  if (given != 1) {
    return InvalidArgument(
        "sequence batching must specify either 'int32_false_true', 'fp32_false_true' or "
        "'bool_false_true' for {} "
        "for {}",
        kind, model);
  }
  return OkStatus();
}

Status CheckCorrelationControl(const Control& control, const std::string& model) {
  static const std::set<int> allowed = {inference::TYPE_UINT64, inference::TYPE_INT64,
                                        inference::TYPE_UINT32, inference::TYPE_INT32,
                                        inference::TYPE_STRING};
  if (allowed.count(control.data_type()) == 0) {
    return InvalidArgument(
        "unexpected data type for control {} for {}. Allowed data types are TYPE_UINT64, "
        "TYPE_INT64, "
        "TYPE_UINT32, TYPE_INT32 and TYPE_STRING",
        Control::Kind_Name(control.kind()), model);
  }
  return OkStatus();
}

Status CheckControls(const Sequence& sequence, const std::string& model) {
  std::map<int, std::string> tensor_of_kind;
  std::set<std::string> tensors;
  for (const auto& input : sequence.control_input()) {
    if (input.control().empty()) {
      return InvalidArgument("sequence batching control tensor must specify a KIND value for {}",
                             model);
    }
    for (const Control& control : input.control()) {
      if (!Control::Kind_IsValid(control.kind())) {
        return InvalidArgument("sequence batching control tensor has an unknown KIND for {}",
                               model);
      }
      const std::string& kind = Control::Kind_Name(control.kind());
      if (input.name().empty()) {
        return InvalidArgument("sequence batching control tensor must have a name for {} for {}",
                               kind, model);
      }
      if (!tensors.insert(input.name()).second) {
        return InvalidArgument(
            "sequence batching control tensor '{}' is specified for multiple control kinds for {}",
            input.name(), model);
      }
      if (!tensor_of_kind.emplace(control.kind(), input.name()).second) {
        return InvalidArgument("sequence batching specifies multiple {} tensors for {}", kind,
                               model);
      }
      HEADRACE_RETURN_IF_ERROR(control.kind() == Control::CONTROL_SEQUENCE_CORRID
                                   ? CheckCorrelationControl(control, model)
                                   : CheckFlagControl(control, model));
    }
  }
  return OkStatus();
}

Status CheckInitialState(const Sequence::State& state, const std::string& who) {
  if (state.initial_state_size() > 1) {
    return InvalidArgument("{} must have at most one 'initial_state'", who);
  }
  for (const auto& initial : state.initial_state()) {
    if (initial.data_type() != state.data_type()) {
      return InvalidArgument("{} has an initial state '{}' of another data type: {}, not {}", who,
                             initial.name(), inference::DataType_Name(initial.data_type()),
                             inference::DataType_Name(state.data_type()));
    }
    bool fits = initial.dims_size() == state.dims_size();
    for (int i = 0; fits && i < initial.dims_size(); ++i) {
      fits = initial.dims(i) >= 0 && (state.dims(i) == -1 || initial.dims(i) == state.dims(i));
    }
    if (!fits) {
      return InvalidArgument(
          "{} has an initial state '{}' whose 'dims' are not those of the state, with a number in "
          "place of each -1",
          who, initial.name());
    }
    if (initial.state_data_case() == Sequence::InitialState::STATE_DATA_NOT_SET) {
      return InvalidArgument("{} has an initial state '{}' without 'zero_data' or 'data_file'", who,
                             initial.name());
    }
  }
  return OkStatus();
}

Status CheckStates(const inference::ModelConfig& config) {
  std::set<std::string> inputs, outputs;
  for (const auto& input : config.input()) {
    inputs.insert(input.name());
  }
  for (const auto& control : config.sequence_batching().control_input()) {
    inputs.insert(control.name());
  }
  for (const auto& state : config.sequence_batching().state()) {
    const std::string who =
        fmt::format("sequence batching state '{}' for {}", state.output_name(), config.name());
    if (state.input_name().empty() || state.output_name().empty()) {
      return InvalidArgument("{} must specify 'input_name' and 'output_name'", who);
    }
    if (!inputs.insert(state.input_name()).second || !outputs.insert(state.output_name()).second) {
      return InvalidArgument("{} has an 'input_name' or 'output_name' that is used before", who);
    }
    if (state.data_type() == inference::TYPE_INVALID) {
      return InvalidArgument("{} must specify 'data_type'", who);
    }
    for (const std::int64_t dim : state.dims()) {
      if (dim < 1 && dim != -1) {
        return InvalidArgument(
            "{}: dimension must be integer >= 1, or -1 to indicate a variable-size dimension", who);
      }
    }
    if (state.dims().empty()) {
      return InvalidArgument("{} must specify 'dims'", who);
    }
    HEADRACE_RETURN_IF_ERROR(CheckInitialState(state, who));
  }
  return OkStatus();
}

Status CheckStrategy(const Sequence& sequence, const inference::ModelConfig& config) {
  if (sequence.has_direct()) {
    const float utilization = sequence.direct().minimum_slot_utilization();
    if (!(utilization >= 0.0F && utilization <= 1.0F)) {
      return InvalidArgument(
          "sequence batching minimum slot utilization must be in range (0.0, 1.0] for {}",
          config.name());
    }
  }
  const int candidates = sequence.oldest().max_candidate_sequences();
  if (candidates < 0 || candidates > kCandidateSequencesMax) {
    return InvalidArgument(
        "sequence batching 'max_candidate_sequences' must be in range [0, {}] for {}",
        kCandidateSequencesMax, config.name());
  }
  for (const auto size : sequence.oldest().preferred_batch_size()) {
    if (size <= 0) {
      return InvalidArgument("sequence batching preferred batch size must be positive for {}",
                             config.name());
    }
    if (size > config.max_batch_size()) {
      return InvalidArgument(
          "sequence batching preferred batch size must be <= max batch size for {}", config.name());
    }
  }
  return OkStatus();
}

}  // namespace

Status ValidateSequenceBatching(const inference::ModelConfig& config) {
  if (!config.has_sequence_batching()) {
    return OkStatus();
  }
  const Sequence& sequence = config.sequence_batching();
  for (const std::uint64_t duration_us :
       {sequence.max_sequence_idle_microseconds(), sequence.direct().max_queue_delay_microseconds(),
        sequence.oldest().max_queue_delay_microseconds()}) {
    if (duration_us > kDurationUsMax) {
      return InvalidArgument("sequence batching times must be at most {} microseconds for {}",
                             kDurationUsMax, config.name());
    }
  }
  HEADRACE_RETURN_IF_ERROR(CheckControls(sequence, config.name()));
  HEADRACE_RETURN_IF_ERROR(CheckStates(config));
  return CheckStrategy(sequence, config);
}

}  // namespace headrace::repository
