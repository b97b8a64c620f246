#include "handler/image_segmenter.h"

#include <cmath>
#include <cstddef>
#include <vector>

#include "handler/image_input.h"
#include "handler/python_json.h"

namespace headrace::handler {
namespace {

constexpr std::size_t kAnswerBytesPerPixel = 72;  // with its indentation

// The best class of each of `pixels` pixels and its probability, from a plane of scores for each
// class.
struct BestClasses {
  BestClasses(const float* scores, std::size_t classes, std::size_t pixels)
      : best(scores, scores + pixels), index(pixels), probability(pixels) {
    for (std::size_t c = 1; c < classes; ++c) {
      const float* const plane = scores + c * pixels;
      for (std::size_t i = 0; i < pixels; ++i) {
        const bool better = plane[i] > best[i];
        best[i] = better ? plane[i] : best[i];
        index[i] = better ? static_cast<float>(c) : index[i];
      }
    }
    for (std::size_t c = 0; c < classes; ++c) {
      const float* const plane = scores + c * pixels;
      for (std::size_t i = 0; i < pixels; ++i) {
        probability[i] += std::exp(plane[i] - best[i]);
      }
    }
    for (float& value : probability) {
      value = 1.0F / value;
    }
  }

  std::vector<float> best, index, probability;
};

}  // namespace

ImageSegmenter::ImageSegmenter(const NativeHandlerOptions& options) {
  signature_.batch_size_max = options.batch_size_max;
  signature_.inputs.push_back(
      {.name = "image", .dtype = DataType::kFp32, .dims = Shape({-1, -1, -1})});
  signature_.outputs.push_back(
      {.name = "out", .dtype = DataType::kFp32, .dims = Shape({-1, -1, -1})});
}

Result<Tensor> ImageSegmenter::Preprocess(const RequestContent& content,
                                          const Workshop& shop) const {
  return ClassifierInput(content, shop);
}

Result<std::string> ImageSegmenter::Postprocess(std::span<const NamedTensor> outputs) const {
  if (outputs.empty() || outputs.front().tensor.dtype != DataType::kFp32 ||
      outputs.front().tensor.shape.rank() != 4 || outputs.front().tensor.data.empty()) {
    return Internal("the model's answer is no map of scores of each class for each pixel");
  }
  const Tensor& scores = outputs.front().tensor;
  const auto classes = static_cast<std::size_t>(scores.shape[1]);
  const auto height = static_cast<std::size_t>(scores.shape[2]);
  const auto width = static_cast<std::size_t>(scores.shape[3]);
  const BestClasses found(reinterpret_cast<const float*>(scores.data.data()), classes,
                          height * width);
  std::string text;
  text.reserve(height * width * kAnswerBytesPerPixel);
  PythonJsonWriter json(text);
  json.BeginArray();
  for (std::size_t y = 0, i = 0; y < height; ++y) {
    json.BeginArray();
    for (std::size_t x = 0; x < width; ++x, ++i) {
      json.BeginArray();
      json.Float(found.index[i]);
      json.Float(found.probability[i]);
      json.EndArray();
    }
    json.EndArray();
  }
  json.EndArray();
  return text;
}

}  // namespace headrace::handler
