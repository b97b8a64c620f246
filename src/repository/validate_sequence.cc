#include <map>
#include <set>
#include <string>

#include "repository/protobuf_messages.h"
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

Status CheckStrategy(const Sequence& sequence, const inference::ModelConfig& config) {
  if (sequence.has_direct()) {
    const float utilization = sequence.direct().minimum_slot_utilization();
    if (!(utilization >= 0.0F && utilization <= 1.0F)) {
      return InvalidArgument(
          "sequence batching minimum slot utilization must be in range (0.0, 1.0] for {}",
          config.name());
    }
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
  return CheckStrategy(sequence, config);
}

}  // namespace headrace::repository
