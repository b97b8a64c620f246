#include "handler/text_classifier.h"

#include <simdjson.h>

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/check.h"
#include "handler/clean_text.h"
#include "handler/image_classifier.h"
#include "handler/python_json.h"

namespace headrace::handler {
namespace {

// By place: the model's own names do not matter.
constexpr char kNumbers[] = "INPUT__0", kOffsets[] = "INPUT__1", kScores[] = "OUTPUT__0";

// The words, then the pairs of neighbours, of words with one blank between two.
std::vector<std::string_view> WordsAndPairs(std::string_view text) {
  std::vector<std::string_view> found;
  for (std::size_t begin = 0; begin < text.size();) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    found.push_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  const std::size_t words = found.size();
  for (std::size_t i = 1; i < words; ++i) {
    const char* const begin = found[i - 1].data();
    found.emplace_back(begin, found[i].data() + found[i].size() - begin);
  }
  return found;
}

}  // namespace

TextClassifier::TextClassifier(NativeHandlerOptions options) : options_(std::move(options)) {
  HEADRACE_CHECK(options_.vocabulary != nullptr);
  signature_.batch_size_max = 0;
  signature_.inputs.push_back({.name = kNumbers, .dtype = DataType::kInt64, .dims = Shape({-1})});
  signature_.inputs.push_back({.name = kOffsets, .dtype = DataType::kInt64, .dims = Shape({1})});
  signature_.outputs.push_back(
      {.name = kScores, .dtype = DataType::kFp32, .dims = Shape({-1, -1})});
  offsets_.name = kOffsets;
  offsets_.tensor.dtype = DataType::kInt64;
  offsets_.tensor.shape = Shape({1});
  offsets_.tensor.data = Buffer::FromString(std::string(sizeof(std::int64_t), '\0'));
}

Result<Tensor> TextClassifier::Preprocess(const RequestContent& content,
                                          const Workshop& shop) const {
  const std::string_view text = content.bytes.view();
  if (content.kind == RequestContent::Kind::kJson) {
    return InvalidArgument("the request is JSON, but no string: text_classifier reads a text");
  }
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    return InvalidArgument("the request is no text in UTF-8");
  }
  const std::string clean = CleanText(text);
  const std::vector<std::string_view> words = WordsAndPairs(clean);
  HEADRACE_ASSIGN_OR_RETURN(MutableBuffer memory,
                            shop.pool.Allocate(words.size() * sizeof(std::int64_t)));
  std::transform(words.begin(), words.end(), reinterpret_cast<std::int64_t*>(memory.data()),
                 [&](std::string_view word) { return options_.vocabulary->Number(word); });
  Tensor tensor;
  tensor.dtype = DataType::kInt64;
  tensor.shape = Shape({static_cast<std::int64_t>(words.size())});
  tensor.data = std::move(memory).Freeze();
  return tensor;
}

Result<std::string> TextClassifier::Postprocess(std::span<const NamedTensor> outputs) const {
  if (outputs.empty() || outputs.front().tensor.dtype != DataType::kFp32 ||
      outputs.front().tensor.shape.rank() != 2 || outputs.front().tensor.shape[0] != 1 ||
      outputs.front().tensor.data.empty()) {
    return Internal("the model's answer is no list of scores, one for each class");
  }
  const Buffer& data = outputs.front().tensor.data;
  const std::vector<float> probabilities =
      Softmax({reinterpret_cast<const float*>(data.data()), data.size() / sizeof(float)});
  // A Python dictionary: of two classes with one label the second's value stands in the first's
  // place.
  std::vector<std::pair<std::string, float>> entries;
  std::unordered_map<std::string, std::size_t> places;
  for (std::size_t i = 0; i < probabilities.size(); ++i) {
    std::string label = options_.labels.Name(static_cast<std::int64_t>(i));
    const auto [place, is_new] = places.try_emplace(label, entries.size());
    if (is_new) {
      entries.emplace_back(std::move(label), probabilities[i]);
    } else {
      entries[place->second].second = probabilities[i];
    }
  }
  std::string text;
  PythonJsonWriter json(text);
  json.BeginObject();
  for (const auto& [label, probability] : entries) {
    json.Key(label);
    json.Float(probability);
  }
  json.EndObject();
  return text;
}

}  // namespace headrace::handler
