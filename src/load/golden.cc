#include "load/golden.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>
#include <utility>

#include "load/answer_record.h"
#include "load/element_bytes.h"
#include "load/half.h"
#include "load/input_signature.h"
#include "load/json_document.h"
#include "tensor/bytes_codec.h"

namespace headrace::load {
namespace {

constexpr std::size_t kWordsMax = 60;
constexpr int kNestingMax = 128;

// Two numbers within the tolerances; NaN equals NaN.
bool Close(double actual, double expected, const GoldenOutputs& golden) {
  if (std::isnan(actual) || std::isnan(expected)) {
    return std::isnan(actual) && std::isnan(expected);
  }
  if (std::isinf(actual) || std::isinf(expected)) {
    return actual == expected;
  }
  return std::abs(actual - expected) <=
         golden.absolute_tolerance + golden.relative_tolerance * std::abs(expected);
}

template <typename T>
T Load(std::string_view bytes, std::size_t index) {
  T value;
  std::memcpy(&value, bytes.data() + index * sizeof(T), sizeof(T));
  return value;
}

std::string Words(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kWordsMax)) {
    out.push_back(static_cast<unsigned char>(c) < 0x20 ? '?' : c);
  }
  return text.size() > kWordsMax ? out + "..." : out;
}

// Compares element by element; `read` makes a double of one.
template <typename Read>
Mismatch CompareReals(const TensorContent& actual, const TensorContent& expected, std::size_t count,
                      const GoldenOutputs& golden, Read read) {
  for (std::size_t i = 0; i < count; ++i) {
    const double a = read(*actual.bytes, i), b = read(*expected.bytes, i);
    if (!Close(a, b, golden)) {
      return fmt::format("output '{}'[{}]: {}, expected {}", expected.name, i, a, b);
    }
  }
  return std::nullopt;
}

template <typename T>
Mismatch CompareIntegers(const TensorContent& actual, const TensorContent& expected,
                         std::size_t count, const GoldenOutputs& golden) {
  for (std::size_t i = 0; i < count; ++i) {
    const T a = Load<T>(*actual.bytes, i), b = Load<T>(*expected.bytes, i);
    // Below 1 the tolerances are meant for numbers with a fraction.
    const double difference = a > b ? static_cast<double>(a) - static_cast<double>(b)
                                    : static_cast<double>(b) - static_cast<double>(a);
    if (a != b && !(golden.absolute_tolerance >= 1 && difference <= golden.absolute_tolerance)) {
      return fmt::format("output '{}'[{}]: {}, expected {}", expected.name, i, a, b);
    }
  }
  return std::nullopt;
}

Mismatch CompareStrings(const TensorContent& actual, const TensorContent& expected) {
  const auto a = SplitBytesElements(*actual.bytes), b = SplitBytesElements(*expected.bytes);
  if (!a.ok() || !b.ok()) {
    return fmt::format("output '{}': the BYTES are malformed", expected.name);
  }
  for (std::size_t i = 0; i < std::min(a->size(), b->size()); ++i) {
    if ((*a)[i] != (*b)[i]) {
      return fmt::format("output '{}'[{}]: '{}', expected '{}'", expected.name, i, Words((*a)[i]),
                         Words((*b)[i]));
    }
  }
  return std::nullopt;
}

Mismatch CompareElements(const TensorContent& actual, const TensorContent& expected,
                         std::size_t count, const GoldenOutputs& golden) {
  switch (expected.data_type) {
    case DataType::kFp16:
      return CompareReals(actual, expected, count, golden,
                          [](std::string_view bytes, std::size_t i) {
                            return FromFp16(Load<std::uint16_t>(bytes, i));
                          });
    case DataType::kBf16:
      return CompareReals(actual, expected, count, golden,
                          [](std::string_view bytes, std::size_t i) {
                            return FromBf16(Load<std::uint16_t>(bytes, i));
                          });
    case DataType::kFp32:
      return CompareReals(actual, expected, count, golden, &Load<float>);
    case DataType::kFp64:
      return CompareReals(actual, expected, count, golden, &Load<double>);
    case DataType::kBool:
    case DataType::kUint8:
      return CompareIntegers<std::uint8_t>(actual, expected, count, golden);
    case DataType::kUint16:
      return CompareIntegers<std::uint16_t>(actual, expected, count, golden);
    case DataType::kUint32:
      return CompareIntegers<std::uint32_t>(actual, expected, count, golden);
    case DataType::kUint64:
      return CompareIntegers<std::uint64_t>(actual, expected, count, golden);
    case DataType::kInt8:
      return CompareIntegers<std::int8_t>(actual, expected, count, golden);
    case DataType::kInt16:
      return CompareIntegers<std::int16_t>(actual, expected, count, golden);
    case DataType::kInt32:
      return CompareIntegers<std::int32_t>(actual, expected, count, golden);
    case DataType::kInt64:
      return CompareIntegers<std::int64_t>(actual, expected, count, golden);
    case DataType::kBytes:
      return CompareStrings(actual, expected);
    case DataType::kInvalid:
      break;
  }
  return fmt::format("output '{}' has no datatype", expected.name);
}

std::span<const std::int64_t> WithoutLeadingOnes(const std::vector<std::int64_t>& shape) {
  std::span<const std::int64_t> dims(shape);
  while (!dims.empty() && dims.front() == 1) {
    dims = dims.subspan(1);
  }
  return dims;
}

Mismatch CompareOutput(const TensorContent& actual, const TensorContent& expected,
                       const GoldenOutputs& golden) {
  if (actual.data_type != expected.data_type) {
    return fmt::format("output '{}' is {}, expected {}", expected.name,
                       DataTypeName(actual.data_type), DataTypeName(expected.data_type));
  }
  const auto a = WithoutLeadingOnes(actual.shape), b = WithoutLeadingOnes(expected.shape);
  if (!expected.shape.empty() && !std::equal(a.begin(), a.end(), b.begin(), b.end())) {
    return fmt::format("output '{}' has the shape {}, expected {}", expected.name,
                       DimsText(actual.shape), DimsText(expected.shape));
  }
  const auto count = CountElements(expected.data_type, *actual.bytes);
  const auto wanted = CountElements(expected.data_type, *expected.bytes);
  if (!count || !wanted || *count != *wanted) {
    return fmt::format("output '{}' has {} bytes, expected {}", expected.name, actual.bytes->size(),
                       expected.bytes->size());
  }
  return CompareElements(actual, expected, *count, golden);
}

// Compares two JSON values; recursion is bounded.
Mismatch CompareJson(JsonElement actual, JsonElement expected, const GoldenOutputs& golden,
                     const std::string& path, int nesting) {
  if (nesting > kNestingMax) {
    return path + ": nested too deeply to compare";
  }
  double a = 0, b = 0;
  if (actual.get(a) == simdjson::SUCCESS && expected.get(b) == simdjson::SUCCESS) {
    return Close(a, b, golden) ? std::nullopt
                               : Mismatch(fmt::format("{}: {}, expected {}", path, a, b));
  }
  JsonArray list, wanted_list;
  if (actual.get(list) == simdjson::SUCCESS && expected.get(wanted_list) == simdjson::SUCCESS) {
    std::size_t index = 0;
    auto wanted = wanted_list.begin();
    for (const JsonElement element : list) {
      if (wanted == wanted_list.end()) {
        return fmt::format("{}: more elements than the {} expected", path, index);
      }
      if (auto mismatch = CompareJson(element, *wanted, golden, fmt::format("{}[{}]", path, index),
                                      nesting + 1)) {
        return mismatch;
      }
      ++wanted;
      ++index;
    }
    return wanted == wanted_list.end()
               ? std::nullopt
               : Mismatch(fmt::format("{}: {} elements, and more are expected", path, index));
  }
  JsonObject members, wanted_members;
  if (actual.get(members) == simdjson::SUCCESS &&
      expected.get(wanted_members) == simdjson::SUCCESS) {
    for (const auto& [name, value] : wanted_members) {
      const auto found = Member(actual, name);
      if (!found) {
        return fmt::format("{}.{} is missing", path, name);
      }
      if (auto mismatch =
              CompareJson(*found, value, golden, fmt::format("{}.{}", path, name), nesting + 1)) {
        return mismatch;
      }
    }
    return members.size() == wanted_members.size()
               ? std::nullopt
               : Mismatch(fmt::format("{} has members that are not expected", path));
  }
  const std::string actual_text = simdjson::minify(actual),
                    wanted_text = simdjson::minify(expected);
  return actual_text == wanted_text ? std::nullopt
                                    : Mismatch(fmt::format("{}: {}, expected {}", path,
                                                           Words(actual_text), Words(wanted_text)));
}

}  // namespace

Mismatch CompareOutputs(const GoldenOutputs& golden, const std::vector<TensorContent>& outputs) {
  if (golden.record != nullptr) {
    golden.record->Take(outputs);
    return std::nullopt;
  }
  for (const TensorContent& expected : golden.outputs) {
    const auto actual = std::find_if(outputs.begin(), outputs.end(), [&](const auto& output) {
      return output.name == expected.name;
    });
    if (actual == outputs.end()) {
      return fmt::format("output '{}' is missing", expected.name);
    }
    if (auto mismatch = CompareOutput(*actual, expected, golden)) {
      return mismatch;
    }
  }
  return std::nullopt;
}

Mismatch CompareHttpAnswer(const GoldenOutputs& golden, std::string_view body,
                           std::optional<std::uint64_t> json_byte_size) {
  const auto outputs = ReadHttpAnswer(body, json_byte_size);
  return outputs.ok() ? CompareOutputs(golden, *outputs) : outputs.status().message();
}

Mismatch CompareGrpcAnswer(const GoldenOutputs& golden, std::string_view message) {
  const auto outputs = ReadGrpcAnswer(message);
  return outputs.ok() ? CompareOutputs(golden, *outputs) : outputs.status().message();
}

Mismatch CompareBody(const GoldenOutputs& golden, std::string_view body) {
  if (golden.record != nullptr) {
    golden.record->TakeBody(body);
    return std::nullopt;
  }
  if (golden.body == nullptr || body == *golden.body) {
    return std::nullopt;
  }
  const auto expected = JsonDocument::Parse(*golden.body, "expected");
  if (!expected.ok()) {
    const auto [at, _] =
        std::mismatch(body.begin(), body.end(), golden.body->begin(), golden.body->end());
    return fmt::format("the body ({} bytes) differs from the expected one ({} bytes) at byte {}",
                       body.size(), golden.body->size(), at - body.begin());
  }
  const auto actual = JsonDocument::Parse(body, "the answer");
  return actual.ok() ? CompareJson(actual->root(), expected->root(), golden, "$", 0)
                     : actual.status().message();
}

}  // namespace headrace::load
