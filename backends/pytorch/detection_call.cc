#include "pytorch/detection_call.h"

#include <ATen/core/Dict.h>
#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/jit_type.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "pytorch/script_call.h"

namespace headrace::backend {
namespace {

bool IsTensorList(const c10::TypePtr& type) {
  const auto* const list = type->castRaw<c10::ListType>();
  return list != nullptr && list->getElementType()->kind() == c10::TypeKind::TensorType;
}

// Whether a method that returns this type may answer so.
bool MayHoldDetections(const c10::TypePtr& type) {
  if (const auto* const tuple = type->castRaw<c10::TupleType>()) {
    return !tuple->elements().empty() && MayHoldDetections(tuple->elements().back());
  }
  if (const auto* const list = type->castRaw<c10::ListType>()) {
    return list->getElementType()->kind() == c10::TypeKind::DictType;
  }
  return type->kind() == c10::TypeKind::AnyType;
}

// The list of dictionaries in an answer; nothing: there is none.
std::optional<c10::IValue> FoundIn(const c10::IValue& answer) {
  if (answer.isTuple() && !answer.toTupleRef().elements().empty()) {
    return FoundIn(answer.toTupleRef().elements().back());
  }
  if (!answer.isList()) {
    return std::nullopt;
  }
  const auto list = answer.toListRef();
  return std::all_of(list.begin(), list.end(),
                     [](const c10::IValue& image) { return image.isGenericDict(); })
             ? std::optional(answer)
             : std::nullopt;
}

}  // namespace

Error DetectionCall::Plan(const c10::FunctionSchema& forward, const ModelConfig& config,
                          DetectionCall* call) {
  DetectionCall planned;
  const auto arguments = std::span(forward.arguments()).subspan(1);  // without the module itself
  if (config.inputs.size() != 1 || arguments.empty()) {
    return InvalidArgument("a model with DETECTIONS takes one input, the images; it is {}",
                           Describe(forward));
  }
  planned.takes_list_ = IsTensorList(arguments[0].type());
  if (!planned.takes_list_ && arguments[0].type()->kind() != c10::TypeKind::TensorType) {
    return InvalidArgument(
        "a model with DETECTIONS takes its images as a Tensor or a List[Tensor]: {}",
        Describe(forward));
  }
  if (forward.returns().empty() || !MayHoldDetections(forward.returns().front().type())) {
    return InvalidArgument(
        "a model with DETECTIONS answers a List[Dict[str, Tensor]], alone or as the last part of a "
        "tuple: {}",
        Describe(forward));
  }
  for (const c10::Argument& argument : arguments.subspan(1)) {
    if (!argument.default_value()) {
      return InvalidArgument("argument '{}' has no default, and a request has images only: {}",
                             argument.name(), Describe(forward));
    }
    planned.defaults_.push_back(*argument.default_value());
  }
  for (const TensorConfig& output : config.outputs) {
    planned.outputs_.push_back(output.name);
  }
  *call = std::move(planned);
  return {};
}

std::vector<c10::IValue> DetectionCall::Arguments(const at::Tensor& images) const {
  std::vector<c10::IValue> arguments;
  if (takes_list_) {
    arguments.emplace_back(c10::List<at::Tensor>(images.unbind(0)));
  } else {
    arguments.emplace_back(images);
  }
  arguments.insert(arguments.end(), defaults_.begin(), defaults_.end());
  return arguments;
}

Error DetectionCall::Outputs(const c10::IValue& answer, std::int64_t image_count,
                             const std::vector<bool>& wanted,
                             std::vector<c10::IValue>* outputs) const {
  const std::optional<c10::IValue> found = FoundIn(answer);
  if (!found || static_cast<std::int64_t>(found->toListRef().size()) != image_count) {
    return Internal(
        "the model's answer for {} images is no list of so many dictionaries, but a {}{}",
        image_count, answer.tagKind(),
        answer.isList() ? fmt::format(" of {}", answer.toListRef().size()) : "");
  }
  for (std::size_t i = 0; i < outputs_.size(); ++i) {
    if (wanted[i]) {
      HEADRACE_BACKEND_RETURN_IF_ERROR(Join(found->toList(), i, &(*outputs)[i]));
    }
  }
  return {};
}

Error DetectionCall::Join(const c10::List<c10::IValue>& found, std::size_t output,
                          c10::IValue* joined) const {
  const std::string& key = outputs_[output];
  const bool counts = key == kCountName;
  std::vector<at::Tensor> parts;
  std::int64_t most = 0;
  for (const c10::IValue& image : found) {
    const auto dictionary = image.toGenericDict();
    // What is counted are the rows of whatever the dictionaries hold.
    const auto entry = counts ? dictionary.begin() : dictionary.find(c10::IValue(key));
    if (entry == dictionary.end() || !entry->value().isTensor() ||
        entry->value().toTensor().dim() < 1) {
      return Internal(
          "the model's answer for image {} has no tensor '{}' with one row for each "
          "detection",
          parts.size(), counts ? "" : key);
    }
    parts.push_back(entry->value().toTensor());
    most = std::max(most, parts.back().size(0));
  }
  if (counts) {
    at::Tensor count = at::empty({static_cast<std::int64_t>(parts.size()), 1}, at::kLong);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      count.mutable_data_ptr<std::int64_t>()[i] = parts[i].size(0);
    }
    *joined = std::move(count);
    return {};
  }
  std::vector<std::int64_t> shape = parts.front().sizes().vec();
  shape.front() = most;
  shape.insert(shape.begin(), static_cast<std::int64_t>(parts.size()));
  at::Tensor all = at::zeros(shape, parts.front().options());
  for (std::size_t i = 0; i < parts.size(); ++i) {
    if (parts[i].sizes().slice(1) != parts.front().sizes().slice(1)) {
      return Internal("the model's answers '{}' for two images of a batch differ in their shapes",
                      key);
    }
    all.select(0, static_cast<std::int64_t>(i)).narrow(0, 0, parts[i].size(0)).copy_(parts[i]);
  }
  *joined = std::move(all);
  return {};
}

}  // namespace headrace::backend
