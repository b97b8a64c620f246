#include "repository/sequence_settings.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/checked_math.h"
#include "repository/protobuf_messages.h"
#include "repository/repository_files.h"

namespace headrace::repository {
namespace {

using engine::SequenceControl;
using engine::SequenceControlKind;
using engine::SequenceOptions;
using engine::SequenceStateSpec;
using Sequence = inference::ModelSequenceBatching;

Nanos ToNanos(std::uint64_t microseconds) {
  return static_cast<Nanos>(microseconds) * kMicrosecond;  // ValidateSequenceBatching bounds it
}

template <typename T>
Buffer Element(T value) {
  char bytes[sizeof(T)];
  std::memcpy(bytes, &value, sizeof(T));
  return Buffer::CopyOf(std::string_view(bytes, sizeof(T)));
}

SequenceControlKind ToKind(Sequence::Control::Kind kind) {
  switch (kind) {
    case Sequence::Control::CONTROL_SEQUENCE_START:
      return SequenceControlKind::kStart;
    case Sequence::Control::CONTROL_SEQUENCE_READY:
      return SequenceControlKind::kReady;
    case Sequence::Control::CONTROL_SEQUENCE_END:
      return SequenceControlKind::kEnd;
    default:
      return SequenceControlKind::kCorrelationId;
  }
}

SequenceControl ToControl(const std::string& input, const Sequence::Control& control) {
  SequenceControl result{.input = input, .kind = ToKind(control.kind())};
  if (result.kind == SequenceControlKind::kCorrelationId) {
    result.dtype = static_cast<DataType>(control.data_type());
  } else if (control.int32_false_true_size() == 2) {
    result.dtype = DataType::kInt32;
    result.when_false = Element(control.int32_false_true(0));
    result.when_true = Element(control.int32_false_true(1));
  } else if (control.fp32_false_true_size() == 2) {
    result.dtype = DataType::kFp32;
    result.when_false = Element(control.fp32_false_true(0));
    result.when_true = Element(control.fp32_false_true(1));
  } else {
    result.dtype = DataType::kBool;
    result.when_false = Element(control.bool_false_true(0));
    result.when_true = Element(control.bool_false_true(1));
  }
  return result;
}

// Of strings each element is a length of 0.
Result<std::size_t> ByteSizeOfZeros(const SequenceStateSpec& spec) {
  const std::size_t element = spec.dtype == DataType::kBytes ? 4 : DataTypeByteSize(spec.dtype);
  const auto count = spec.initial_dims.ElementCount();
  const auto byte_size =
      count ? CheckedMultiply(static_cast<std::size_t>(*count), element) : std::nullopt;
  if (!byte_size || *byte_size > kInitialStateByteSizeMax) {
    return InvalidArgument("the initial value of state '{}' of shape {} is larger than {} bytes",
                           spec.output, spec.initial_dims.ToString(), kInitialStateByteSizeMax);
  }
  return *byte_size;
}

Result<SequenceStateSpec> ToState(const Sequence::State& state) {
  SequenceStateSpec spec{.input = state.input_name(),
                         .output = state.output_name(),
                         .dtype = static_cast<DataType>(state.data_type())};
  for (const std::int64_t dim : state.dims()) {
    if (!spec.dims.Append(dim) || !spec.initial_dims.Append(dim == -1 ? 1 : dim)) {
      return InvalidArgument("state '{}' has more than {} dimensions", spec.output,
                             Shape::kRankMax);
    }
  }
  if (!state.initial_state().empty()) {
    const auto& dims = state.initial_state(0).dims();
    spec.initial_dims =
        Shape(std::span<const std::int64_t>(dims.data(), static_cast<std::size_t>(dims.size())));
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::size_t byte_size, ByteSizeOfZeros(spec));
  spec.initial_data = Buffer::FromString(std::string(byte_size, '\0'));
  return spec;
}

}  // namespace

Result<std::optional<SequenceOptions>> BuildSequenceOptions(const inference::ModelConfig& config) {
  if (!config.has_sequence_batching()) {
    return std::optional<SequenceOptions>();
  }
  const Sequence& sequence = config.sequence_batching();
  SequenceOptions options;
  const int batch_size_max = config.max_batch_size();
  options.batch_size_max = batch_size_max;
  options.direct = !sequence.has_oldest();
  options.idle_max = ToNanos(sequence.max_sequence_idle_microseconds());
  options.iterative = sequence.iterative_sequence();
  if (options.direct) {
    options.slot_count = static_cast<std::size_t>(std::max(1, batch_size_max));
    options.queue_delay_max = ToNanos(sequence.direct().max_queue_delay_microseconds());
    options.slot_utilization_min =
        static_cast<double>(sequence.direct().minimum_slot_utilization());
  } else {
    const auto& oldest = sequence.oldest();
    const int candidates = oldest.max_candidate_sequences();
    options.slot_count =
        static_cast<std::size_t>(candidates > 0 ? candidates : std::max(1, batch_size_max));
    options.queue_delay_max = ToNanos(oldest.max_queue_delay_microseconds());
    options.preferred_sizes.assign(oldest.preferred_batch_size().begin(),
                                   oldest.preferred_batch_size().end());
    auto& sizes = options.preferred_sizes;
    std::sort(sizes.begin(), sizes.end());
    sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  }
  for (const auto& input : sequence.control_input()) {
    for (const auto& control : input.control()) {
      options.controls.push_back(ToControl(input.name(), control));
    }
  }
  for (const auto& state : sequence.state()) {
    HEADRACE_ASSIGN_OR_RETURN(SequenceStateSpec spec, ToState(state));
    options.states.push_back(std::move(spec));
  }
  return std::optional<SequenceOptions>(std::move(options));
}

Status ReadInitialStates(const inference::ModelConfig& config, const std::string& root,
                         const std::string& model_directory, SequenceOptions& options) {
  const auto& states = config.sequence_batching().state();
  for (int i = 0; i < states.size(); ++i) {
    if (states[i].initial_state().empty() || states[i].initial_state(0).data_file().empty()) {
      continue;
    }
    SequenceStateSpec& spec = options.states[static_cast<std::size_t>(i)];
    const std::string who = fmt::format("initial state of '{}': ", spec.output);
    auto path = ResolveInside(root, model_directory + "/initial_state",
                              states[i].initial_state(0).data_file());
    if (!path.ok()) {
      return path.status().WithPrefix(who);
    }
    auto data = ReadFile(*path, kInitialStateByteSizeMax);
    if (!data.ok()) {
      return data.status().WithPrefix(who);
    }
    const std::size_t expected = spec.initial_data.size();
    if (spec.dtype != DataType::kBytes && data->size() != expected) {
      return InvalidArgument("{}file '{}' has {} bytes, but shape {} of {} has {}", who,
                             states[i].initial_state(0).data_file(), data->size(),
                             spec.initial_dims.ToString(), DataTypeName(spec.dtype), expected);
    }
    spec.initial_data = Buffer::FromString(*std::move(data));
  }
  return OkStatus();
}

}  // namespace headrace::repository
