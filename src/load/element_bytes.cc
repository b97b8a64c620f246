#include "load/element_bytes.h"

#include <bit>
#include <cmath>
#include <concepts>
#include <cstring>
#include <limits>

#include "load/half.h"
#include "tensor/bytes_codec.h"

namespace headrace::load {
namespace {

// Nesting of `content`; recursion is bounded by it.
constexpr int kNestingMax = 64;

template <typename T>
void Append(T value, std::string& out) {
  static_assert(std::endian::native == std::endian::little);
  out.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

// Appends the elements of one array, and of those inside of it.
class Packer {
 public:
  Packer(DataType data_type, const std::string& path, std::string& out)
      : data_type_(data_type), path_(path), out_(out) {}

  Status Pack(JsonElement element, int nesting) {
    JsonArray array;
    if (element.get(array) != simdjson::SUCCESS) {
      const Status status = Scalar(element);
      ++index_;
      return status;
    }
    if (nesting == kNestingMax) {
      return InvalidArgument("{}: arrays are nested deeper than {}", path_, kNestingMax);
    }
    for (const JsonElement inner : array) {
      HEADRACE_RETURN_IF_ERROR(Pack(inner, nesting + 1));
    }
    return OkStatus();
  }

 private:
  Status WrongType(JsonElement element) const {
    return InvalidArgument("{}[{}]: {} is no {}", path_, index_, JsonTypeName(element),
                           DataTypeName(data_type_));
  }

  template <std::integral T>
  Status Integer(JsonElement element) {
    std::int64_t value = 0;
    std::uint64_t large = 0;
    if (element.get(value) == simdjson::SUCCESS) {
      const bool fits = std::in_range<T>(value);
      if (!fits) {
        return OutOfType(fmt::format("{}", value));
      }
      Append(static_cast<T>(value), out_);
      return OkStatus();
    }
    if (element.get(large) == simdjson::SUCCESS) {
      if (!std::in_range<T>(large)) {
        return OutOfType(fmt::format("{}", large));
      }
      Append(static_cast<T>(large), out_);
      return OkStatus();
    }
    double real = 0;
    if (element.get(real) != simdjson::SUCCESS) {
      return WrongType(element);
    }
    // 1.0 is what many writers make of 1.
    if (real != std::floor(real) || real < static_cast<double>(std::numeric_limits<T>::min()) ||
        real >= std::ldexp(1.0, std::numeric_limits<T>::digits)) {
      return OutOfType(fmt::format("{}", real));
    }
    Append(static_cast<T>(real), out_);
    return OkStatus();
  }

  Status OutOfType(const std::string& value) const {
    return InvalidArgument("{}[{}]: {} is out of range for {}", path_, index_, value,
                           DataTypeName(data_type_));
  }

  Status Real(JsonElement element) {
    double value = 0;
    if (element.get(value) != simdjson::SUCCESS) {
      return WrongType(element);
    }
    switch (data_type_) {
      case DataType::kFp16:
        Append(ToFp16(static_cast<float>(value)), out_);
        return OkStatus();
      case DataType::kBf16:
        Append(ToBf16(static_cast<float>(value)), out_);
        return OkStatus();
      case DataType::kFp32:
        if (std::abs(value) > std::numeric_limits<float>::max()) {
          return OutOfType(fmt::format("{}", value));
        }
        Append(static_cast<float>(value), out_);
        return OkStatus();
      default:
        Append(value, out_);
        return OkStatus();
    }
  }

  Status Bool(JsonElement element) {
    bool value = false;
    std::int64_t number = 0;
    if (element.get(value) != simdjson::SUCCESS) {
      if (element.get(number) != simdjson::SUCCESS || number < 0 || number > 1) {
        return WrongType(element);
      }
      value = number == 1;
    }
    out_.push_back(value ? '\1' : '\0');
    return OkStatus();
  }

  Status Text(JsonElement element) {
    std::string_view text;
    if (element.get(text) != simdjson::SUCCESS) {
      return WrongType(element);
    }
    AppendBytesElement(out_, text);
    return OkStatus();
  }

  Status Scalar(JsonElement element) {
    switch (data_type_) {
      case DataType::kBool:
        return Bool(element);
      case DataType::kUint8:
        return Integer<std::uint8_t>(element);
      case DataType::kUint16:
        return Integer<std::uint16_t>(element);
      case DataType::kUint32:
        return Integer<std::uint32_t>(element);
      case DataType::kUint64:
        return Integer<std::uint64_t>(element);
      case DataType::kInt8:
        return Integer<std::int8_t>(element);
      case DataType::kInt16:
        return Integer<std::int16_t>(element);
      case DataType::kInt32:
        return Integer<std::int32_t>(element);
      case DataType::kInt64:
        return Integer<std::int64_t>(element);
      case DataType::kBytes:
        return Text(element);
      case DataType::kInvalid:
        return WrongType(element);
      default:
        return Real(element);
    }
  }

  const DataType data_type_;
  const std::string& path_;
  std::string& out_;
  std::size_t index_ = 0;
};

template <typename T, typename Draw>
std::string Fill(std::size_t count, Draw draw) {
  std::string out(count * sizeof(T), '\0');
  for (std::size_t i = 0; i < count; ++i) {
    const T value = draw();
    std::memcpy(out.data() + i * sizeof(T), &value, sizeof(T));
  }
  return out;
}

std::string RandomStrings(std::size_t count, const StringSpec& strings, Random& random) {
  constexpr std::string_view kLetters =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    std::string text = strings.text.value_or("");
    if (!strings.text) {
      for (std::size_t letter = 0; letter < strings.byte_size; ++letter) {
        text.push_back(kLetters[random.Below(kLetters.size())]);
      }
    }
    AppendBytesElement(out, text);
  }
  return out;
}

}  // namespace

Status PackJson(JsonElement array, DataType data_type, const std::string& path, std::string& out) {
  return Packer(data_type, path, out).Pack(array, 0);
}

std::string RandomElements(DataType data_type, std::size_t count, const StringSpec& strings,
                           Random& random) {
  const auto small = [&] { return random.Below(128); };
  const auto unit = [&] { return static_cast<float>(random.Uniform()); };
  switch (data_type) {
    case DataType::kBool:
      return Fill<std::uint8_t>(count, [&] { return random.Bits() & 1; });
    case DataType::kUint8:
    case DataType::kInt8:
      return Fill<std::uint8_t>(count, [&] { return static_cast<std::uint8_t>(random.Bits()); });
    case DataType::kUint16:
    case DataType::kInt16:
      return Fill<std::uint16_t>(count, small);
    case DataType::kUint32:
    case DataType::kInt32:
      return Fill<std::uint32_t>(count, small);
    case DataType::kUint64:
    case DataType::kInt64:
      return Fill<std::uint64_t>(count, small);
    case DataType::kFp16:
      return Fill<std::uint16_t>(count, [&] { return ToFp16(unit()); });
    case DataType::kBf16:
      return Fill<std::uint16_t>(count, [&] { return ToBf16(unit()); });
    case DataType::kFp32:
      return Fill<float>(count, unit);
    case DataType::kFp64:
      return Fill<double>(count, [&] { return random.Uniform(); });
    case DataType::kBytes:
      return RandomStrings(count, strings, random);
    case DataType::kInvalid:
      break;
  }
  return "";
}

std::string ZeroElements(DataType data_type, std::size_t count, const StringSpec& strings) {
  if (data_type != DataType::kBytes) {
    return std::string(count * DataTypeByteSize(data_type), '\0');
  }
  std::string out;
  for (std::size_t i = 0; i < count; ++i) {
    AppendBytesElement(out, strings.text.value_or(""));
  }
  return out;
}

std::optional<std::size_t> CountElements(DataType data_type, std::string_view bytes) {
  if (data_type == DataType::kBytes) {
    const auto elements = SplitBytesElements(bytes);
    return elements.ok() ? std::optional(elements->size()) : std::nullopt;
  }
  const std::size_t byte_size = DataTypeByteSize(data_type);
  if (byte_size == 0 || bytes.size() % byte_size != 0) {
    return std::nullopt;
  }
  return bytes.size() / byte_size;
}

}  // namespace headrace::load
