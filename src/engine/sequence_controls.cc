#include "engine/sequence_controls.h"

#include <cstring>
#include <string>

namespace headrace::engine {
namespace {

Buffer IdElement(DataType dtype, const SequenceId& id) {
  if (dtype == DataType::kBytes) {
    // A 4-byte length and the text (contracts, Triton 1.12).
    const std::string text = id.empty() ? std::string() : id.ToString();
    const auto size = static_cast<std::uint32_t>(text.size());
    std::string element(sizeof(size), '\0');
    std::memcpy(element.data(), &size, sizeof(size));
    return Buffer::FromString(element + text);
  }
  char bytes[sizeof(id.number)];
  std::memcpy(bytes, &id.number, sizeof(bytes));  // little-endian, as tensors are
  return Buffer::CopyOf(std::string_view(bytes, DataTypeByteSize(dtype)));
}

bool IsSet(SequenceControlKind kind, const SequencePosition& position) {
  switch (kind) {
    case SequenceControlKind::kStart:
      return position.start;
    case SequenceControlKind::kReady:
      return position.ready;
    default:
      return position.end;
  }
}

}  // namespace

void AppendControls(const SequenceOptions& options, const SequencePosition& position,
                    const SequenceId& id, std::vector<NamedTensor>& inputs) {
  for (const SequenceControl& control : options.controls) {
    NamedTensor input{.name = control.input, .tensor = {}};
    input.tensor.dtype = control.dtype;
    input.tensor.shape = options.batch_size_max > 0 ? Shape{1, 1} : Shape{1};
    if (control.kind == SequenceControlKind::kCorrelationId) {
      input.tensor.data = IdElement(control.dtype, id);
    } else {
      input.tensor.data = IsSet(control.kind, position) ? control.when_true : control.when_false;
    }
    inputs.push_back(std::move(input));
  }
}

Status CheckIdKind(const SequenceOptions& options, const SequenceId& id, const std::string& model) {
  for (const SequenceControl& control : options.controls) {
    if (control.kind == SequenceControlKind::kCorrelationId && !id.text.empty() &&
        control.dtype != DataType::kBytes) {
      return InvalidArgument(
          "inference request to model '{}' must specify a numeric correlation ID: the model's "
          "control input '{}' is {}",
          model, control.input, DataTypeName(control.dtype));
    }
  }
  return OkStatus();
}

}  // namespace headrace::engine
