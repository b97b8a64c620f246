#include "repository/scheduling_parameters.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>

#include "base/checked_math.h"
#include "base/result.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

const std::string* Find(const inference::ModelConfig& config, const char* name) {
  const auto found = config.parameters().find(name);
  return found == config.parameters().end() ? nullptr : &found->second.string_value();
}

Status ReadFlag(const inference::ModelConfig& config, const char* name, bool& flag) {
  const std::string* const text = Find(config, name);
  if (text == nullptr) {
    return OkStatus();
  }
  if (*text != "true" && *text != "false") {
    return InvalidArgument("parameter '{}' must be \"true\" or \"false\", got \"{}\"", name, *text);
  }
  flag = *text == "true";
  return OkStatus();
}

Result<std::optional<std::uint32_t>> ReadNumber(const inference::ModelConfig& config,
                                                const char* name) {
  const std::string* const text = Find(config, name);
  if (text == nullptr) {
    return std::optional<std::uint32_t>();
  }
  const auto number = ParseDecimal<std::uint32_t>(*text);
  if (!number || *number == 0) {
    return InvalidArgument("parameter '{}' must be a whole number of at least 1, got \"{}\"", name,
                           *text);
  }
  return number;
}

}  // namespace

Status ApplySchedulingParameters(const inference::ModelConfig& config,
                                 engine::ModelOptions& options) {
  HEADRACE_RETURN_IF_ERROR(ReadFlag(config, kJobTicketParameter, options.job_tickets));
  HEADRACE_ASSIGN_OR_RETURN(const auto queue, ReadNumber(config, kJobQueueParameter));
  HEADRACE_ASSIGN_OR_RETURN(const auto age, ReadNumber(config, kSequenceAgeParameter));
  HEADRACE_ASSIGN_OR_RETURN(const auto count, ReadNumber(config, kSequenceCountParameter));
  HEADRACE_ASSIGN_OR_RETURN(const auto pending, ReadNumber(config, kSequenceQueueParameter));
  if (!options.sequences) {
    return OkStatus();
  }
  engine::SequenceOptions& sequences = *options.sequences;
  HEADRACE_RETURN_IF_ERROR(
      ReadFlag(config, kSequenceStartsByItselfParameter, sequences.starts_by_itself));
  if (queue) {
    std::size_t& max = options.queue_limits.request_count_max;
    max = std::min<std::size_t>(max, *queue);
  }
  if (age) {
    sequences.age_max = Nanos{*age} * kMillisecond;
  }
  sequences.sequence_count_max = count.value_or(SIZE_MAX);
  sequences.pending_count_max = pending.value_or(SIZE_MAX);
  return OkStatus();
}

}  // namespace headrace::repository
