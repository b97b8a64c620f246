#include "protocol/classification.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstring>
#include <numeric>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/checked_math.h"
#include "tensor/bytes_codec.h"

namespace headrace::protocol {
namespace {

constexpr std::uint64_t kResultElementsMax = 1'000'000;

struct ScoreLayout {
  std::size_t items = 0;    // batch entries
  std::size_t classes = 0;  // scores of each
  std::size_t wanted = 0;   // results of each
};

// A strict weak order that puts the best first: higher scores, NaN behind all numbers, then the
// lower index.
template <typename T>
bool Better(const T* scores, std::uint32_t a, std::uint32_t b) {
  if constexpr (std::is_floating_point_v<T>) {
    const bool a_is_nan = std::isnan(scores[a]);
    const bool b_is_nan = std::isnan(scores[b]);
    if (a_is_nan || b_is_nan) {
      return a_is_nan == b_is_nan ? a < b : b_is_nan;
    }
  }
  return scores[a] != scores[b] ? scores[a] > scores[b] : a < b;
}

// Integers as they are, floating point with six digits behind the point, as C's %f.
template <typename T>
char* WriteScore(char* out, char* end, T score) {
  if constexpr (std::is_floating_point_v<T>) {
    return std::to_chars(out, end, score, std::chars_format::fixed, 6).ptr;
  } else {
    return std::to_chars(out, end, score).ptr;
  }
}

template <typename T>
void AppendBest(const T* scores, const ScoreLayout& layout, std::span<const std::string> labels,
                std::vector<std::uint32_t>& order, std::string& out) {
  std::iota(order.begin(), order.end(), 0u);
  std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(layout.wanted),
                    order.end(),
                    [scores](std::uint32_t a, std::uint32_t b) { return Better(scores, a, b); });
  std::string element;
  for (std::size_t i = 0; i < layout.wanted; ++i) {
    constexpr std::size_t kScoreByteSizeMax =
        384;  // the largest double has 309 digits before the point
    char text[kScoreByteSizeMax];
    const std::uint32_t index = order[i];
    char* end = WriteScore(text, text + sizeof(text), scores[index]);
    *end++ = ':';
    end = std::to_chars(end, text + sizeof(text), index).ptr;
    element.assign(text, end);
    if (index < labels.size() && !labels[index].empty()) {
      element.append(1, ':').append(labels[index]);
    }
    AppendBytesElement(out, element);
  }
}

template <typename T>
std::string BestOfAll(std::string_view bytes, const ScoreLayout& layout,
                      std::span<const std::string> labels) {
  std::string out;
  if (layout.wanted == 0) {
    return out;
  }
  out.reserve(layout.items * layout.wanted * 24);
  std::vector<std::uint32_t> order(layout.classes);
  std::vector<T> scores(layout.classes);  // aligned, whatever the tensor is
  for (std::size_t item = 0; item < layout.items; ++item) {
    std::memcpy(scores.data(), bytes.data() + item * layout.classes * sizeof(T),
                layout.classes * sizeof(T));
    AppendBest(scores.data(), layout, labels, order, out);
  }
  return out;
}

Result<std::string> BestOfType(DataType dtype, std::string_view bytes, const ScoreLayout& layout,
                               std::span<const std::string> labels) {
  switch (dtype) {
    case DataType::kUint8:
      return BestOfAll<std::uint8_t>(bytes, layout, labels);
    case DataType::kUint16:
      return BestOfAll<std::uint16_t>(bytes, layout, labels);
    case DataType::kUint32:
      return BestOfAll<std::uint32_t>(bytes, layout, labels);
    case DataType::kUint64:
      return BestOfAll<std::uint64_t>(bytes, layout, labels);
    case DataType::kInt8:
      return BestOfAll<std::int8_t>(bytes, layout, labels);
    case DataType::kInt16:
      return BestOfAll<std::int16_t>(bytes, layout, labels);
    case DataType::kInt32:
      return BestOfAll<std::int32_t>(bytes, layout, labels);
    case DataType::kInt64:
      return BestOfAll<std::int64_t>(bytes, layout, labels);
    case DataType::kFp32:
      return BestOfAll<float>(bytes, layout, labels);
    case DataType::kFp64:
      return BestOfAll<double>(bytes, layout, labels);
    default:
      return InvalidArgument("class result not available for output due to unsupported type '{}'",
                             DataTypeName(dtype));
  }
}

Result<ScoreLayout> LayOut(const Tensor& scores, std::uint64_t count, bool batched,
                           std::string_view output_name) {
  const auto elements = scores.shape.ElementCount();
  const auto byte_size =
      elements
          ? CheckedMultiply(*elements, static_cast<std::int64_t>(DataTypeByteSize(scores.dtype)))
          : elements;
  if (!byte_size || static_cast<std::uint64_t>(*byte_size) != scores.byte_size() ||
      (batched && scores.shape.empty())) {
    return Internal("output '{}': {} {} cannot have {} bytes", output_name,
                    DataTypeName(scores.dtype), scores.shape.ToString(), scores.byte_size());
  }
  ScoreLayout layout;
  layout.items = batched ? static_cast<std::size_t>(scores.shape[0]) : 1;
  layout.classes = layout.items == 0 ? 0 : static_cast<std::size_t>(*elements) / layout.items;
  layout.wanted = static_cast<std::size_t>(std::min<std::uint64_t>(count, layout.classes));
  // wanted * items <= the tensor's elements: no overflow.
  if (layout.wanted * layout.items > kResultElementsMax || layout.classes > UINT32_MAX) {
    return InvalidArgument("classification of output '{}': {} results exceed the limit of {}",
                           output_name, layout.wanted * layout.items, kResultElementsMax);
  }
  return layout;
}

}  // namespace

Result<Tensor> Classify(const Tensor& scores, std::uint64_t count, bool batched,
                        std::span<const std::string> labels, std::string_view output_name) {
  if (DataTypeByteSize(scores.dtype) == 0) {
    return InvalidArgument("class result not available for output due to unsupported type '{}'",
                           DataTypeName(scores.dtype));
  }
  HEADRACE_ASSIGN_OR_RETURN(const ScoreLayout layout, LayOut(scores, count, batched, output_name));
  std::string storage;
  std::string_view bytes = scores.data.view();
  if (!scores.more_fragments.empty()) {
    for (std::size_t i = 0; i < scores.fragment_count(); ++i) {
      storage.append(scores.fragment(i).view());
    }
    bytes = storage;
  }
  HEADRACE_ASSIGN_OR_RETURN(std::string best, BestOfType(scores.dtype, bytes, layout, labels));
  Tensor result;
  result.dtype = DataType::kBytes;
  const auto wanted = static_cast<std::int64_t>(layout.wanted);
  result.shape = batched ? Shape{scores.shape[0], wanted} : Shape{wanted};
  result.data = Buffer::FromString(std::move(best));
  return result;
}

}  // namespace headrace::protocol
