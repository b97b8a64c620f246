#include "load/input_signature.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <utility>

#include "base/checked_math.h"

namespace headrace::load {
namespace {

const TensorSignature* Find(const std::vector<TensorSignature>& tensors, std::string_view name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const auto& tensor) { return tensor.name == name; });
  return found == tensors.end() ? nullptr : &*found;
}

bool IsBatched(const ModelFacts& facts, const ItemSpec& item) {
  if (!facts.config_json.empty()) {
    return facts.batch_size_max > 0;
  }
  return !facts.inputs.empty() &&
         std::all_of(facts.inputs.begin(), facts.inputs.end(), [&](const TensorFacts& input) {
           const auto given = item.shapes.find(input.name);
           const bool whole =
               given != item.shapes.end() && given->second.size() == input.shape.size();
           return !input.shape.empty() && input.shape.front() == -1 && !whole;
         });
}

TensorSignature Convert(const TensorFacts& facts, bool batched) {
  TensorSignature tensor{facts.name, facts.data_type, facts.shape, facts.optional};
  if (batched && !tensor.dims.empty()) {
    tensor.dims.erase(tensor.dims.begin());
  }
  return tensor;
}

Status CheckBatchSize(const ModelFacts& facts, const ItemSpec& item, bool batched) {
  if (item.batch_size < 1) {
    return InvalidArgument("the batch size must be 1 or more, not {}", item.batch_size);
  }
  if (item.batch_size > 1 && !batched) {
    return InvalidArgument(
        "batch size {}: the model '{}' does not batch (max_batch_size 0); use batch size 1 with "
        "the batch dimension in --shape",
        item.batch_size, facts.name);
  }
  if (facts.batch_size_max > 0 && item.batch_size > facts.batch_size_max) {
    return InvalidArgument(
        "batch size {} is above the max_batch_size {} of the model '{}'; use -b {} or less",
        item.batch_size, facts.batch_size_max, facts.name, facts.batch_size_max);
  }
  return OkStatus();
}

}  // namespace

const TensorSignature* Signature::Input(std::string_view name) const { return Find(inputs, name); }
const TensorSignature* Signature::Output(std::string_view name) const {
  return Find(outputs, name);
}

std::string Signature::InputNames() const {
  std::string text;
  for (const TensorSignature& input : inputs) {
    text += fmt::format("{}'{}' {} {}", text.empty() ? "" : ", ", input.name,
                        DataTypeName(input.data_type), DimsText(input.dims));
  }
  return text.empty() ? "none" : text;
}

Result<Signature> MakeSignature(const ModelFacts& facts, const ItemSpec& item) {
  Signature signature;
  signature.model = facts.name;
  signature.batched = IsBatched(facts, item);
  signature.batch_size = item.batch_size;
  HEADRACE_RETURN_IF_ERROR(CheckBatchSize(facts, item, signature.batched));
  for (const TensorFacts& input : facts.inputs) {
    signature.inputs.push_back(Convert(input, signature.batched));
  }
  for (const TensorFacts& output : facts.outputs) {
    signature.outputs.push_back(Convert(output, signature.batched));
  }
  for (const auto& [name, dims] : item.shapes) {
    const auto input =
        std::find_if(signature.inputs.begin(), signature.inputs.end(),
                     [&, &wanted = name](const auto& tensor) { return tensor.name == wanted; });
    if (input == signature.inputs.end()) {
      return InvalidArgument("--shape {}: the model '{}' has no such input; it has {}", name,
                             facts.name, signature.InputNames());
    }
    if (!Fits(dims, input->dims)) {
      return InvalidArgument(
          "--shape {}:{}: the model '{}' wants {}{}", name, fmt::join(dims, ","), facts.name,
          DimsText(input->dims),
          signature.batched ? " (the batch dimension is not part of it: -b gives it)" : "");
    }
    input->dims = dims;
  }
  return signature;
}

std::string DimsText(std::span<const std::int64_t> dims) {
  return fmt::format("[{}]", fmt::join(dims, ","));
}

std::optional<std::int64_t> ElementCount(std::span<const std::int64_t> dims) {
  std::int64_t count = 1;
  for (const std::int64_t dim : dims) {
    const auto product = CheckedMultiply(count, dim);
    if (dim < 0 || !product) {
      return std::nullopt;
    }
    count = *product;
  }
  return count;
}

bool Fits(std::span<const std::int64_t> dims, std::span<const std::int64_t> open) {
  return std::equal(dims.begin(), dims.end(), open.begin(), open.end(),
                    [](std::int64_t dim, std::int64_t wanted) {
                      return wanted == -1 ? dim >= 0 : dim == wanted;
                    });
}

Result<std::vector<std::int64_t>> KnownDims(const TensorSignature& tensor) {
  if (std::find(tensor.dims.begin(), tensor.dims.end(), -1) == tensor.dims.end()) {
    return tensor.dims;
  }
  std::vector<std::string> example;
  for (const std::int64_t dim : tensor.dims) {
    example.push_back(dim == -1 ? "N" : std::to_string(dim));
  }
  return InvalidArgument(
      "input '{}' has the shape {}, and the model leaves -1 open; say it with --shape {}:{}",
      tensor.name, DimsText(tensor.dims), tensor.name, fmt::join(example, ","));
}

}  // namespace headrace::load
