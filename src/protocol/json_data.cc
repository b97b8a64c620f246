#include "protocol/json_data.h"

#include <cstdint>
#include <cstring>
#include <string>
#include <utility>

#include "base/checked_math.h"
#include "protocol/json_nesting.h"
#include "protocol/json_number.h"

namespace headrace::protocol {
namespace {

// The document ends with a brace that is no part of the array, and every string in it is closed:
// scanning for the end of a blank, a number or a string therefore stops inside the document.
const char* SkipBlanks(const char* p) {
  while (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t') {
    ++p;
  }
  return p;
}

template <typename T>
class NumberSink {
 public:
  NumberSink(std::byte* out, std::size_t count) : next_(reinterpret_cast<T*>(out)), left_(count) {}
  bool full() const { return left_ == 0; }
  const char* Read(const char* p) {
    p = ParseNumber(p, next_++);
    --left_;
    return p;
  }

 private:
  T* next_;
  std::size_t left_;
};

class BoolSink {
 public:
  BoolSink(std::byte* out, std::size_t count) : next_(out), left_(count) {}
  bool full() const { return left_ == 0; }
  const char* Read(const char* p) {
    --left_;
    if (std::memcmp(p, "true", 4) == 0) {
      *next_++ = std::byte{1};
      return p + 4;
    }
    *next_++ = std::byte{0};
    return std::memcmp(p, "false", 5) == 0 ? p + 5 : nullptr;
  }

 private:
  std::byte* next_;
  std::size_t left_;
};

class BytesSink {
 public:
  BytesSink(char* out, std::size_t count, const char* text_end, JsonCursor& cursor)
      : next_(out), left_(count), text_end_(text_end), cursor_(cursor) {}
  bool full() const { return left_ == 0; }
  const char* next() const { return next_; }
  const char* Read(const char* p) {
    if (*p != '"') {
      return nullptr;
    }
    --left_;
    const char* text = p + 1;
    char* element = next_ + sizeof(std::uint32_t);
    bool escaped = false;
    const char* quote = FindQuote(text, &escaped);
    if (quote == nullptr) {
      return nullptr;
    }
    if (escaped) {
      next_ = cursor_.Unescape(text, element);
      if (next_ == nullptr) {
        return nullptr;
      }
    } else {
      std::memcpy(element, text, static_cast<std::size_t>(quote - text));
      next_ = element + (quote - text);
    }
    const auto length = static_cast<std::uint32_t>(next_ - element);
    std::memcpy(element - sizeof(length), &length, sizeof(length));
    return quote + 1;
  }

 private:
  // The closing quote. Looks at each byte twice at most, whatever the escapes.
  const char* FindQuote(const char* p, bool* escaped) const {
    const char* quote = nullptr;
    while (p < text_end_) {
      if (quote == nullptr || quote < p) {
        quote = static_cast<const char*>(std::memchr(p, '"', text_end_ - p));
      }
      if (quote == nullptr) {
        return nullptr;
      }
      const auto* backslash = static_cast<const char*>(std::memchr(p, '\\', quote - p));
      if (backslash == nullptr) {
        return quote;
      }
      *escaped = true;
      p = backslash + 2;
    }
    return nullptr;
  }

  char* next_;
  std::size_t left_;
  const char* text_end_;
  JsonCursor& cursor_;
};

// One pass over the array. Holds what the messages need, and counts elements only when one is
// needed.
template <typename Sink>
class ArrayWalk {
 public:
  ArrayWalk(const JsonData& data, Sink& sink) : data_(data), sink_(sink) {}

  Status Run() {
    const char* p = data_.text.data();
    while (true) {
      // At the first byte of a value.
      if (*p == '[') {
        if (nesting_.depth() == data_.nesting_max) {
          return Syntax("Nesting is too deep.", p);
        }
        if (!nesting_.Open()) {
          return Irregular(p);
        }
        p = SkipBlanks(p + 1);
        if (*p != ']') {
          continue;
        }
      } else {
        HEADRACE_RETURN_IF_ERROR(ReadRun(p));
      }
      // At the bracket that closes the innermost array, and perhaps those around it.
      while (*p == ']') {
        if (!nesting_.Close()) {
          return Irregular(p);
        }
        if (nesting_.depth() == 0) {
          return sink_.full() ? OkStatus() : Mismatch("fewer");
        }
        p = SkipBlanks(p + 1);
      }
      if (*p != ',') {
        return Syntax("Missing a comma or ] after an array element.", p);
      }
      p = SkipBlanks(p + 1);
    }
  }

 private:
  // The elements up to the closing bracket, to which `p` is moved.
  Status ReadRun(const char*& p) {
    std::size_t run = 0;
    while (true) {
      if (sink_.full()) [[unlikely]] {
        return IsValueStart(*p) ? Mismatch("more") : Syntax("Invalid value.", p);
      }
      const char* end = sink_.Read(p);
      if (end == nullptr) [[unlikely]] {
        return BadElement(p, run);
      }
      ++run;
      p = SkipBlanks(end);
      if (*p != ',') {
        break;
      }
      p = SkipBlanks(p + 1);
    }
    elements_ += run;
    if (*p != ']') {
      return Syntax("Missing a comma or ] after an array element.", p);
    }
    return nesting_.Leaves(run) ? OkStatus() : Irregular(p);
  }

  static bool IsValueStart(char c) {
    return IsDigit(c) || c == '-' || c == '"' || c == 't' || c == 'f' || c == 'n' || c == '[' ||
           c == '{';
  }

  Status BadElement(const char* p, std::size_t run) const {
    const std::size_t index = elements_ + run;
    const std::string_view type = DataTypeName(data_.dtype);
    switch (*p) {
      case '[':
        return Irregular(p);
      case '"':
        if (data_.dtype == DataType::kBytes) {
          return Syntax("Invalid escape in a string.", p);
        }
        return WrongKind(index, "a string");
      case '{':
        return WrongKind(index, "an object");
      case 'n':
        return std::memcmp(p, "null", 4) == 0 ? WrongKind(index, "null")
                                              : Syntax("Invalid value.", p);
      case 't':
        return std::memcmp(p, "true", 4) == 0 ? WrongKind(index, "true")
                                              : Syntax("Invalid value.", p);
      case 'f':
        return std::memcmp(p, "false", 5) == 0 ? WrongKind(index, "false")
                                               : Syntax("Invalid value.", p);
      default:
        break;
    }
    const ScannedNumber number = ScanNumber(p);
    if (number.end == nullptr) {
      return Syntax("Invalid value.", p);
    }
    if (data_.dtype == DataType::kBytes || data_.dtype == DataType::kBool) {
      return WrongKind(index, "a number");
    }
    constexpr std::ptrdiff_t kShownMax = 32;
    const bool whole = number.end - p <= kShownMax;
    const std::string shown =
        std::string(p, whole ? number.end - p : kShownMax) + (whole ? "" : "...");
    const bool floating = data_.dtype == DataType::kFp32 || data_.dtype == DataType::kFp64;
    return InvalidArgument(
        "inputs[{}].data[{}]: {} {} {}", data_.input_index, index, shown,
        floating || number.integer ? "is out of range for" : "is not an integer, as needed for",
        type);
  }

  Status WrongKind(std::size_t index, std::string_view kind) const {
    const std::string_view wanted = data_.dtype == DataType::kBytes  ? "a string"
                                    : data_.dtype == DataType::kBool ? "true or false"
                                                                     : "a number";
    return InvalidArgument("inputs[{}].data[{}]: {} needs {}, got {}", data_.input_index, index,
                           DataTypeName(data_.dtype), wanted, kind);
  }

  Status Mismatch(std::string_view relation) const {
    return InvalidArgument(
        "Unable to parse 'data': Shape does not match true shape of 'data' field: inputs[{}].data "
        "has {} than the {} "
        "elements of its shape",
        data_.input_index, relation, data_.element_count);
  }

  Status Irregular(const char* p) const {
    return InvalidArgument(
        "Unable to parse 'data': Shape does not match true shape of 'data' field: inputs[{}].data "
        "is nested irregularly at {}",
        data_.input_index, p - data_.document);
  }

  Status Syntax(std::string_view reason, const char* p) const {
    return JsonSyntaxError(reason, static_cast<std::size_t>(p - data_.document));
  }

  const JsonData& data_;
  Sink& sink_;
  JsonNesting nesting_;
  std::size_t elements_ = 0;
};

template <typename Sink>
Status Walk(const JsonData& data, Sink sink) {
  return ArrayWalk<Sink>(data, sink).Run();
}

Status ReadFixedSize(const JsonData& data, std::byte* out) {
  const std::size_t n = data.element_count;
  switch (data.dtype) {
    case DataType::kBool:
      return Walk(data, BoolSink(out, n));
    case DataType::kUint8:
      return Walk(data, NumberSink<std::uint8_t>(out, n));
    case DataType::kUint16:
      return Walk(data, NumberSink<std::uint16_t>(out, n));
    case DataType::kUint32:
      return Walk(data, NumberSink<std::uint32_t>(out, n));
    case DataType::kUint64:
      return Walk(data, NumberSink<std::uint64_t>(out, n));
    case DataType::kInt8:
      return Walk(data, NumberSink<std::int8_t>(out, n));
    case DataType::kInt16:
      return Walk(data, NumberSink<std::int16_t>(out, n));
    case DataType::kInt32:
      return Walk(data, NumberSink<std::int32_t>(out, n));
    case DataType::kInt64:
      return Walk(data, NumberSink<std::int64_t>(out, n));
    case DataType::kFp32:
      return Walk(data, NumberSink<float>(out, n));
    case DataType::kFp64:
      return Walk(data, NumberSink<double>(out, n));
    default:
      return InvalidArgument("inputs[{}].datatype: {} has no JSON form", data.input_index,
                             DataTypeName(data.dtype));
  }
}

Status TooLarge(const JsonData& data, std::size_t byte_size) {
  return ResourceExhausted(
      "inputs[{}].data has a byte_size ({}) that exceeds the maximum allowed value of {}. Use "
      "--http-max-input-size to increase the limit.",
      data.input_index, byte_size, data.byte_size_max);
}

Result<Buffer> ReadBytes(const JsonData& data, JsonCursor& cursor, BlockPool& pool) {
  // An element of the text, `"...",`, is at most one byte shorter than its binary form with the
  // 4-byte length.
  const auto sum = CheckedAdd(data.text.size(), data.element_count);
  const auto room = sum ? CheckedAdd(*sum, JsonCursor::kPadding) : sum;
  if (!room) {
    return TooLarge(data, data.text.size());
  }
  HEADRACE_ASSIGN_OR_RETURN(MutableBuffer buffer, pool.Allocate(*room));
  char* begin = reinterpret_cast<char*>(buffer.data());
  BytesSink sink(begin, data.element_count, data.text.data() + data.text.size(), cursor);
  HEADRACE_RETURN_IF_ERROR(ArrayWalk<BytesSink>(data, sink).Run());
  const auto byte_size = static_cast<std::size_t>(sink.next() - begin);
  if (byte_size > data.byte_size_max) {
    return TooLarge(data, byte_size);
  }
  return std::move(buffer).Freeze(byte_size);
}

}  // namespace

Result<Buffer> ReadJsonData(const JsonData& data, JsonCursor& cursor, BlockPool& pool) {
  // Two bytes of text an element, but for the last: whatever claims more than that is wrong, and
  // gets no memory.
  if (data.element_count > data.text.size() / 2 + 1) {
    return InvalidArgument(
        "Unable to parse 'data': Shape does not match true shape of 'data' field: inputs[{}].data "
        "has fewer than the {} "
        "elements of its shape",
        data.input_index, data.element_count);
  }
  if (data.dtype == DataType::kBytes) {
    return ReadBytes(data, cursor, pool);
  }
  const auto byte_size = CheckedMultiply(data.element_count, DataTypeByteSize(data.dtype));
  if (!byte_size || *byte_size > data.byte_size_max) {
    return TooLarge(data, byte_size.value_or(SIZE_MAX));
  }
  HEADRACE_ASSIGN_OR_RETURN(MutableBuffer buffer, pool.Allocate(*byte_size));
  HEADRACE_RETURN_IF_ERROR(ReadFixedSize(data, buffer.data()));
  return std::move(buffer).Freeze(*byte_size);
}

}  // namespace headrace::protocol
