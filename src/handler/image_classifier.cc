#include "handler/image_classifier.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>
#include <vector>

#include "handler/image_input.h"
#include "handler/python_json.h"

namespace headrace::handler {
namespace {

// NaN first, as torch.topk has it; of equal ones the class of the lower number.
bool Better(float a, float b) { return std::isnan(a) ? !std::isnan(b) : a > b; }

}  // namespace

std::vector<float> Softmax(std::span<const float> scores) {
  std::vector<float> result(scores.begin(), scores.end());
  const float highest = *std::max_element(result.begin(), result.end());
  float total = 0;
  for (float& value : result) {
    value = std::exp(value - highest);
    total += value;
  }
  for (float& value : result) {
    value /= total;
  }
  return result;
}

ImageClassifier::ImageClassifier(NativeHandlerOptions options) : options_(std::move(options)) {
  signature_.batch_size_max = options_.batch_size_max;
  signature_.inputs.push_back(
      {.name = "image", .dtype = DataType::kFp32, .dims = Shape({-1, -1, -1})});
  signature_.outputs.push_back({.name = "scores", .dtype = DataType::kFp32, .dims = Shape({-1})});
}

Result<Tensor> ImageClassifier::Preprocess(const RequestContent& content,
                                           const Workshop& shop) const {
  return ClassifierInput(content, shop);
}

Result<std::string> ImageClassifier::Postprocess(std::span<const NamedTensor> outputs) const {
  if (outputs.empty() || outputs.front().tensor.dtype != DataType::kFp32 ||
      outputs.front().tensor.shape.rank() != 2 || outputs.front().tensor.data.empty()) {
    return Internal("the model's answer is no list of scores, one for each class");
  }
  const Buffer& data = outputs.front().tensor.data;
  const std::vector<float> probabilities =
      Softmax({reinterpret_cast<const float*>(data.data()), data.size() / sizeof(float)});
  std::vector<std::size_t> classes(probabilities.size());
  std::iota(classes.begin(), classes.end(), std::size_t{0});
  const auto count = static_cast<std::ptrdiff_t>(
      std::min(classes.size(), static_cast<std::size_t>(options_.class_count_max)));
  std::partial_sort(classes.begin(), classes.begin() + count, classes.end(),
                    [&](std::size_t a, std::size_t b) {
                      return Better(probabilities[a], probabilities[b]) ||
                             (!Better(probabilities[b], probabilities[a]) && a < b);
                    });
  // A Python dictionary: of two classes with one label the second's value stands in the first's
  // place.
  std::vector<std::pair<std::string, float>> best;
  for (auto at = classes.begin(); at != classes.begin() + count; ++at) {
    std::string label = options_.labels.Name(static_cast<std::int64_t>(*at));
    const auto same = std::find_if(best.begin(), best.end(),
                                   [&](const auto& entry) { return entry.first == label; });
    if (same != best.end()) {
      same->second = probabilities[*at];
    } else {
      best.emplace_back(std::move(label), probabilities[*at]);
    }
  }
  std::string text;
  PythonJsonWriter json(text);
  json.BeginObject();
  for (const auto& [label, probability] : best) {
    json.Key(label);
    json.Float(probability);
  }
  json.EndObject();
  return text;
}

}  // namespace headrace::handler
