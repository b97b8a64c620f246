#include "pytorch/script_call.h"

#include <ATen/core/Dict.h>
#include <ATen/core/List.h>
#include <ATen/core/Tensor.h>
#include <ATen/core/jit_type.h>
#include <fmt/ranges.h>

#include <utility>

#include "pytorch/tensor_naming.h"

namespace headrace::backend {
namespace {

// What an argument can be fed with.
enum class Feed { kTensor, kStringList, kString, kDictionary, kTensorList, kNothing };

Feed FeedOf(const c10::TypePtr& type) {
  switch (type->kind()) {
    case c10::TypeKind::TensorType:
      return Feed::kTensor;
    case c10::TypeKind::StringType:
      return Feed::kString;
    case c10::TypeKind::OptionalType:
      return FeedOf(type->castRaw<c10::OptionalType>()->getElementType());
    case c10::TypeKind::ListType: {
      const Feed element = FeedOf(type->castRaw<c10::ListType>()->getElementType());
      return element == Feed::kTensor   ? Feed::kTensorList
             : element == Feed::kString ? Feed::kStringList
                                        : Feed::kNothing;
    }
    case c10::TypeKind::DictType: {
      const auto* const dictionary = type->castRaw<c10::DictType>();
      return dictionary->getKeyType()->kind() == c10::TypeKind::StringType &&
                     FeedOf(dictionary->getValueType()) == Feed::kTensor
                 ? Feed::kDictionary
                 : Feed::kNothing;
    }
    default:
      return Feed::kNothing;
  }
}

bool IsText(const TensorConfig& tensor) { return tensor.dtype == TRITONSERVER_TYPE_BYTES; }

// Without the module itself.
std::span<const c10::Argument> ArgumentsOf(const c10::FunctionSchema& forward) {
  return std::span(forward.arguments()).subspan(1);
}

Error CheckType(const c10::Argument& argument, const TensorConfig& input) {
  const Feed feed = FeedOf(argument.type());
  const bool text = feed == Feed::kString || feed == Feed::kStringList;
  if (feed != Feed::kTensor && !text) {
    return InvalidArgument(
        "input '{}' is argument '{}' of type {}, which a request cannot give: an argument may be a "
        "Tensor, an Optional[Tensor], a List[str] or a str; an only argument also a "
        "Dict[str, Tensor] or a List[Tensor]",
        input.name, argument.name(), argument.type()->annotation_str());
  }
  if (text != IsText(input)) {
    return InvalidArgument("input '{}' is argument '{}' of type {}, but its data_type is {}",
                           input.name, argument.name(), argument.type()->annotation_str(),
                           ConfigNameOf(input.dtype));
  }
  return {};
}

Error RefuseText(const std::vector<TensorConfig>& inputs) {
  for (const TensorConfig& input : inputs) {
    if (IsText(input)) {
      return InvalidArgument("input '{}' is text, but the model takes tensors only", input.name);
    }
  }
  return {};
}

std::vector<std::string> KeysOf(const c10::IValue& dictionary) {
  std::vector<std::string> keys;
  for (const auto& entry : dictionary.toGenericDict()) {
    keys.push_back(entry.key().isString() ? entry.key().toStringRef() : "(no string)");
  }
  return keys;
}

}  // namespace

std::string Describe(const c10::FunctionSchema& forward) {
  std::vector<std::string> arguments;
  for (const c10::Argument& argument : ArgumentsOf(forward)) {
    arguments.push_back(fmt::format("{}: {}", argument.name(), argument.type()->annotation_str()));
  }
  std::vector<std::string> returns;
  for (const c10::Argument& returned : forward.returns()) {
    returns.push_back(returned.type()->annotation_str());
  }
  return fmt::format("forward({}) -> {}", fmt::join(arguments, ", "), fmt::join(returns, ", "));
}

Error ScriptCall::Plan(const c10::FunctionSchema& forward, const ModelConfig& config,
                       ScriptCall* call) {
  if (config.inputs.empty() || config.outputs.empty()) {
    return InvalidArgument(
        "model configuration must list 'input' and 'output': a TorchScript file does not tell "
        "their "
        "types. The model is {}",
        Describe(forward));
  }
  ScriptCall planned;
  CallTensors inputs;
  HEADRACE_BACKEND_RETURN_IF_ERROR(CallTensors::InputsOf(config, &inputs));
  HEADRACE_BACKEND_RETURN_IF_ERROR(planned.PlanInputs(forward, inputs));
  HEADRACE_BACKEND_RETURN_IF_ERROR(planned.PlanOutputs(forward, CallTensors::OutputsOf(config)));
  *call = std::move(planned);
  return {};
}

Error ScriptCall::PlanInputs(const c10::FunctionSchema& forward, const CallTensors& tensors) {
  const std::vector<TensorConfig> inputs = tensors.All();
  for (const TensorConfig& input : inputs) {
    input_names_.push_back(input.name);
  }
  const std::span<const c10::Argument> arguments = ArgumentsOf(forward);
  const Feed only = arguments.size() == 1 ? FeedOf(arguments[0].type()) : Feed::kNothing;
  if (only == Feed::kDictionary) {
    style_ = Style::kDictionary;
    return RefuseText(inputs);
  }
  if (only == Feed::kTensorList) {
    style_ = Style::kList;
    HEADRACE_BACKEND_RETURN_IF_ERROR(RefuseText(inputs));
    return tensors.Assign({.what = "input", .names = {}, .count = inputs.size()}, &input_places_);
  }
  return PlanPositions(forward, tensors);
}

Error ScriptCall::PlanPositions(const c10::FunctionSchema& forward, const CallTensors& tensors) {
  const std::vector<TensorConfig> inputs = tensors.All();
  const std::span<const c10::Argument> arguments = ArgumentsOf(forward);
  CallPlaces places{.what = "input", .names = {}, .count = arguments.size()};
  for (const c10::Argument& argument : arguments) {
    places.names.push_back(argument.name());
  }
  HEADRACE_BACKEND_RETURN_IF_ERROR(tensors.Assign(places, &input_places_));
  std::vector<bool> fed(arguments.size(), false);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    fed[input_places_[i]] = true;
    HEADRACE_BACKEND_RETURN_IF_ERROR(CheckType(arguments[input_places_[i]], inputs[i]));
  }
  for (std::size_t k = 0; k < arguments.size(); ++k) {
    if (!fed[k] && !arguments[k].default_value()) {
      return InvalidArgument(
          "model configuration lists {} inputs, none of which is argument '{}' of the model: {}",
          inputs.size(), arguments[k].name(), Describe(forward));
    }
    defaults_.push_back(arguments[k].default_value().value_or(c10::IValue()));
    needed_.push_back(arguments[k].default_value() ||
                              arguments[k].type()->kind() == c10::TypeKind::OptionalType
                          ? ""
                          : fmt::format("argument '{}' of type {}", arguments[k].name(),
                                        arguments[k].type()->annotation_str()));
    takes_string_.push_back(FeedOf(arguments[k].type()) == Feed::kString);
  }
  return {};
}

Error ScriptCall::PlanOutputs(const c10::FunctionSchema& forward, const CallTensors& tensors) {
  for (const TensorConfig& output : tensors.All()) {
    output_names_.push_back(output.name);
  }
  if (forward.returns().empty()) {
    return InvalidArgument("the model returns nothing: {}", Describe(forward));
  }
  const c10::TypePtr& returned = forward.returns().front().type();
  if (returned->kind() == c10::TypeKind::DictType) {
    return {};  // by key, which only an answer tells
  }
  CallPlaces places{.what = "output", .names = {}, .count = 1};
  if (const auto* const tuple = returned->castRaw<c10::TupleType>()) {
    places.count = tuple->elements().size();
  } else if (FeedOf(returned) == Feed::kTensorList || returned->kind() == c10::TypeKind::AnyType) {
    places.count.reset();
  } else if (FeedOf(returned) == Feed::kNothing) {
    return InvalidArgument("the model returns {}, which is no tensor", returned->annotation_str());
  }
  return tensors.Assign(places, &output_places_);
}

Error ScriptCall::CheckOmitted(std::size_t input) const {
  if (style_ == Style::kList) {
    return InvalidArgument("the model takes a list of all inputs");
  }
  if (style_ == Style::kPositions && !needed_[input_places_[input]].empty()) {
    return InvalidArgument("the model needs it as {}", needed_[input_places_[input]]);
  }
  return {};
}

Error ScriptCall::Arguments(std::vector<c10::IValue>& inputs,
                            std::vector<c10::IValue>* arguments) const {
  arguments->clear();
  if (style_ == Style::kDictionary) {
    c10::Dict<std::string, at::Tensor> dictionary;
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      if (!inputs[i].isNone()) {
        dictionary.insert(input_names_[i], std::move(inputs[i]).toTensor());
      }
    }
    arguments->emplace_back(std::move(dictionary));
    return {};
  }
  if (style_ == Style::kList) {
    std::vector<at::Tensor> ordered(inputs.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      ordered[input_places_[i]] = std::move(inputs[i]).toTensor();
    }
    arguments->emplace_back(c10::List<at::Tensor>(std::move(ordered)));
    return {};
  }
  *arguments = defaults_;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::size_t place = input_places_[i];
    if (inputs[i].isNone()) {
      continue;
    }
    if (!takes_string_[place]) {
      (*arguments)[place] = std::move(inputs[i]);
      continue;
    }
    const auto strings = inputs[i].toListRef();
    if (strings.size() != 1) {
      return InvalidArgument("input '{}' takes one string, and the batch has {}", input_names_[i],
                             strings.size());
    }
    (*arguments)[place] = strings[0];
  }
  return {};
}

Error ScriptCall::Outputs(const c10::IValue& answer, const std::vector<bool>& wanted,
                          std::vector<c10::IValue>* outputs) const {
  if (answer.isGenericDict()) {
    const auto dictionary = answer.toGenericDict();
    for (std::size_t i = 0; i < output_names_.size(); ++i) {
      const auto found = dictionary.find(c10::IValue(output_names_[i]));
      if (found != dictionary.end()) {
        (*outputs)[i] = found->value();
      } else if (wanted[i]) {
        return Internal("the model's answer has no output '{}', only {}", output_names_[i],
                        fmt::join(KeysOf(answer), ", "));
      }
    }
    return {};
  }
  const bool strings =
      answer.isList() && answer.toList().elementType()->kind() == c10::TypeKind::StringType;
  for (std::size_t i = 0; i < output_places_.size(); ++i) {
    const std::size_t place = output_places_[i];
    if (answer.isTuple() && place < answer.toTupleRef().elements().size()) {
      (*outputs)[i] = answer.toTupleRef().elements()[place];
    } else if (answer.isList() && !strings && place < answer.toListRef().size()) {
      (*outputs)[i] = answer.toListRef()[place];
    } else if (!answer.isTuple() && (!answer.isList() || strings) && place == 0) {
      (*outputs)[i] = answer;
    } else if (wanted[i]) {
      return Internal("the model's answer has no place {} for output '{}'", place,
                      output_names_[i]);
    }
  }
  return {};
}

}  // namespace headrace::backend
