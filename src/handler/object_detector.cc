#include "handler/object_detector.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <utility>

#include "handler/image_input.h"
#include "handler/python_json.h"

namespace headrace::handler {
namespace {

constexpr std::array kOutputs = {"boxes", "labels", "scores", "count"};
constexpr std::size_t kCoordinates = 4;

// The elements of an output, null if it is of another kind.
template <typename T>
const T* Elements(const NamedTensor& output, DataType dtype, std::size_t count) {
  const Tensor& tensor = output.tensor;
  return tensor.dtype == dtype && tensor.data.size() >= count * sizeof(T)
             ? reinterpret_cast<const T*>(tensor.data.data())
             : nullptr;
}

}  // namespace

ObjectDetector::ObjectDetector(NativeHandlerOptions options) : options_(std::move(options)) {
  signature_.batch_size_max = options_.batch_size_max;
  signature_.inputs.push_back(
      {.name = "image", .dtype = DataType::kFp32, .dims = Shape({-1, -1, -1})});
  signature_.outputs.push_back(
      {.name = kOutputs[0], .dtype = DataType::kFp32, .dims = Shape({-1, 4})});
  signature_.outputs.push_back(
      {.name = kOutputs[1], .dtype = DataType::kInt64, .dims = Shape({-1})});
  signature_.outputs.push_back(
      {.name = kOutputs[2], .dtype = DataType::kFp32, .dims = Shape({-1})});
  signature_.outputs.push_back(
      {.name = kOutputs[3], .dtype = DataType::kInt64, .dims = Shape({1})});
}

Result<Tensor> ObjectDetector::Preprocess(const RequestContent& content,
                                          const Workshop& shop) const {
  return DetectorInput(content, shop);
}

Result<std::string> ObjectDetector::Postprocess(std::span<const NamedTensor> outputs) const {
  std::array<const NamedTensor*, kOutputs.size()> found{};
  for (const NamedTensor& output : outputs) {
    const auto* const at = std::find(kOutputs.begin(), kOutputs.end(), output.name);
    if (at != kOutputs.end()) {
      found[static_cast<std::size_t>(at - kOutputs.begin())] = &output;
    }
  }
  const auto refusal = [] {
    return Internal("the model's answer has no boxes, labels and scores, one for each detection");
  };
  if (std::find(found.begin(), found.end(), nullptr) != found.end()) {
    return refusal();
  }
  const auto* const given = Elements<std::int64_t>(*found[3], DataType::kInt64, 1);
  const std::size_t room = found[2]->tensor.data.size() / sizeof(float);
  if (given == nullptr || *given < 0 || static_cast<std::uint64_t>(*given) > room) {
    return refusal();
  }
  const auto count = static_cast<std::size_t>(*given);
  const auto* const boxes = Elements<float>(*found[0], DataType::kFp32, count * kCoordinates);
  const auto* const labels = Elements<std::int64_t>(*found[1], DataType::kInt64, count);
  const auto* const scores = Elements<float>(*found[2], DataType::kFp32, count);
  if (boxes == nullptr || labels == nullptr || scores == nullptr) {
    return refusal();
  }
  std::string text;
  PythonJsonWriter json(text);
  json.BeginArray();
  for (std::size_t i = 0; i < count; ++i) {
    // Not the other way round: what is no number is left out, as in Python.
    if (!(static_cast<double>(scores[i]) >= options_.score_min)) {
      continue;
    }
    json.BeginObject();
    // A class that is called so has no box: the score takes its place in Python's dictionary.
    if (const std::string label = options_.labels.Name(labels[i]); label != "score") {
      json.Key(label);
      json.BeginArray();
      for (std::size_t k = 0; k < kCoordinates; ++k) {
        json.Float(boxes[i * kCoordinates + k]);
      }
      json.EndArray();
    }
    json.Key("score");
    json.Float(scores[i]);
    json.EndObject();
  }
  json.EndArray();
  return text;
}

}  // namespace headrace::handler
