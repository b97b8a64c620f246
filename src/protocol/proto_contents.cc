#include "protocol/proto_contents.h"

#include <cstring>
#include <limits>
#include <utility>

#include "base/checked_math.h"

namespace headrace::protocol {
namespace {

constexpr std::uint32_t kBoolList = 1;
constexpr std::uint32_t kFp32List = 6;
constexpr std::uint32_t kFp64List = 7;
constexpr std::uint32_t kBytesList = 8;

constexpr std::string_view kListNames[] = {"",
                                           "bool_contents",
                                           "int_contents",
                                           "int64_contents",
                                           "uint_contents",
                                           "uint64_contents",
                                           "fp32_contents",
                                           "fp64_contents",
                                           "bytes_contents"};

// The field of InferTensorContents for elements of that type; 0: there is none.
std::uint32_t ListFor(DataType dtype) {
  switch (dtype) {
    case DataType::kBool:
      return kBoolList;
    case DataType::kInt8:
    case DataType::kInt16:
    case DataType::kInt32:
      return 2;
    case DataType::kInt64:
      return 3;
    case DataType::kUint8:
    case DataType::kUint16:
    case DataType::kUint32:
      return 4;
    case DataType::kUint64:
      return 5;
    case DataType::kFp32:
      return kFp32List;
    case DataType::kFp64:
      return kFp64List;
    case DataType::kBytes:
      return kBytesList;
    default:
      return 0;
  }
}

// Reads one list of values, whichever way it is written: packed, element by element, or both.
class ContentsReader {
 public:
  explicit ContentsReader(const ProtoContents& contents)
      : contents_(contents), list_(ListFor(contents.dtype)) {}

  // Elements of the list that is expected, and the bytes of BYTES elements; any element of another
  // list is an error.
  Status Measure(std::size_t& count, std::size_t& text_byte_size) {
    return Walk([&](ProtoReader& reader) {
      if (list_ == kBytesList) {
        std::string_view unused;
        Tensor text;
        if (!reader.ReadInPlace(text)) {
          return Damaged(reader);
        }
        text_byte_size += text.byte_size();
        ++count;
        return OkStatus();
      }
      return WalkValues(reader, [&](std::uint64_t) {
        ++count;
        return OkStatus();
      });
    });
  }

  Status Write(std::byte* out) {
    if (list_ == kBytesList) {
      return Walk([&](ProtoReader& reader) { return WriteText(reader, out); });
    }
    return Walk([&](ProtoReader& reader) {
      return WalkValues(reader, [&](std::uint64_t value) { return WriteValue(value, out); });
    });
  }

 private:
  Status Damaged(const ProtoReader& reader) const {
    return InvalidArgument("unable to parse the ModelInferRequest: inputs[{}].contents.{}: {}",
                           contents_.input_index, kListNames[list_], reader.error());
  }

  // Calls `list` for each field of the list that is expected.
  template <typename F>
  Status Walk(F list) {
    for (ProtoReader part : contents_.parts) {
      while (part.Next()) {
        if (part.field() == list_) {
          HEADRACE_RETURN_IF_ERROR(list(part));
        } else if (part.field() <= kBytesList && !IsEmptyList(part)) {
          return InvalidArgument(
              "unexpected explicit tensor data for input tensor '{}' for model '{}': datatype {} "
              "takes {} (inputs[{}].contents.{})",
              contents_.input, contents_.model, DataTypeName(contents_.dtype), kListNames[list_],
              contents_.input_index, kListNames[part.field()]);
        } else if (part.field() > kBytesList) {
          part.Skip();
        }
      }
      if (!part.ok()) {
        return Damaged(part);
      }
    }
    return OkStatus();
  }

  // Reads the field; a packed list without elements counts as if it were not there.
  static bool IsEmptyList(ProtoReader& reader) {
    if (reader.type() != ProtoType::kBytes || reader.field() == kBytesList) {
      return false;
    }
    ProtoReader list;
    return reader.ReadMessage(list) && list.at_end();
  }

  // Calls `element` with the bits of each value of the current field.
  template <typename F>
  Status WalkValues(ProtoReader& reader, F element) {
    std::uint64_t value = 0;
    if (reader.type() != ProtoType::kBytes) {
      if (!ReadOne(reader, value)) {
        return Damaged(reader);
      }
      return element(value);
    }
    ProtoReader list;
    if (!reader.ReadMessage(list)) {
      return Damaged(reader);
    }
    while (!list.at_end()) {
      if (!ReadBare(list, value)) {
        return Damaged(list);
      }
      HEADRACE_RETURN_IF_ERROR(element(value));
    }
    return OkStatus();
  }

  bool ReadOne(ProtoReader& reader, std::uint64_t& value) const {
    if (list_ == kFp64List) {
      return reader.ReadFixed64(value);
    }
    if (list_ == kFp32List) {
      std::uint32_t bits = 0;
      const bool read = reader.ReadFixed32(bits);
      value = bits;
      return read;
    }
    return reader.ReadVarint(value);
  }

  bool ReadBare(ProtoReader& reader, std::uint64_t& value) const {
    value = 0;
    if (list_ == kFp64List) {
      return reader.BareFixed(&value, sizeof(value));
    }
    if (list_ == kFp32List) {
      std::uint32_t bits = 0;
      const bool read = reader.BareFixed(&bits, sizeof(bits));
      value = bits;
      return read;
    }
    return reader.BareVarint(value);
  }

  Status WriteText(ProtoReader& reader, std::byte*& out) {
    Tensor text;
    if (!reader.ReadInPlace(text)) {
      return Damaged(reader);
    }
    const auto length = static_cast<std::uint32_t>(text.byte_size());
    std::memcpy(out, &length, sizeof(length));
    out += sizeof(length);
    for (std::size_t i = 0; i < text.fragment_count(); ++i) {
      const Buffer& fragment = text.fragment(i);
      if (!fragment.empty()) {
        std::memcpy(out, fragment.data(), fragment.size());
        out += fragment.size();
      }
    }
    return OkStatus();
  }

  template <typename T>
  void Put(T value, std::byte*& out) {
    std::memcpy(out, &value, sizeof(value));
    out += sizeof(value);
    ++index_;
  }

  // int32 and uint32 are the low 32 bits of what is on the wire, as everywhere in protobuf.
  template <typename T, typename Wire>
  Status PutNarrow(std::uint64_t value, std::byte*& out) {
    const auto wire = static_cast<Wire>(value);
    if (wire < std::numeric_limits<T>::min() || wire > std::numeric_limits<T>::max()) {
      return InvalidArgument("inputs[{}].contents.{}[{}]: {} is out of range for {}",
                             contents_.input_index, kListNames[list_], index_, wire,
                             DataTypeName(contents_.dtype));
    }
    Put(static_cast<T>(wire), out);
    return OkStatus();
  }

  Status WriteValue(std::uint64_t value, std::byte*& out) {
    switch (contents_.dtype) {
      case DataType::kBool:
        Put(static_cast<std::uint8_t>(value != 0), out);
        break;
      case DataType::kInt8:
        return PutNarrow<std::int8_t, std::int32_t>(value, out);
      case DataType::kInt16:
        return PutNarrow<std::int16_t, std::int32_t>(value, out);
      case DataType::kUint8:
        return PutNarrow<std::uint8_t, std::uint32_t>(value, out);
      case DataType::kUint16:
        return PutNarrow<std::uint16_t, std::uint32_t>(value, out);
      case DataType::kInt32:
      case DataType::kUint32:
      case DataType::kFp32:
        Put(static_cast<std::uint32_t>(value), out);
        break;
      default:
        Put(value, out);
    }
    return OkStatus();
  }

  const ProtoContents& contents_;
  const std::uint32_t list_;
  std::size_t index_ = 0;  // of the element that is written next
};

}  // namespace

Result<Buffer> ReadProtoContents(const ProtoContents& contents, BlockPool& pool) {
  if (ListFor(contents.dtype) == 0) {
    return InvalidArgument(
        "inputs[{}].contents: {} data is accepted in raw_input_contents only, for input '{}' of "
        "model '{}'",
        contents.input_index, DataTypeName(contents.dtype), contents.input, contents.model);
  }
  ContentsReader reader(contents);
  std::size_t count = 0;
  std::size_t text_byte_size = 0;
  HEADRACE_RETURN_IF_ERROR(reader.Measure(count, text_byte_size));
  if (count != static_cast<std::size_t>(contents.element_count)) {
    return InvalidArgument(
        "inputs[{}].contents: unexpected number of elements {} for inference input '{}', "
        "expecting {}",
        contents.input_index, count, contents.input, contents.element_count);
  }
  const std::size_t width =
      contents.dtype == DataType::kBytes ? 4 : DataTypeByteSize(contents.dtype);
  const auto values = CheckedMultiply(count, width);
  const auto byte_size = values ? CheckedAdd(*values, text_byte_size) : std::nullopt;
  if (!byte_size || *byte_size > contents.byte_size_max) {
    return ResourceExhausted(
        "inputs[{}].contents: the tensor would exceed the maximum of {} bytes; use "
        "raw_input_contents for input '{}'",
        contents.input_index, contents.byte_size_max, contents.input);
  }
  HEADRACE_ASSIGN_OR_RETURN(MutableBuffer memory, pool.Allocate(*byte_size));
  HEADRACE_RETURN_IF_ERROR(reader.Write(memory.data()));
  return std::move(memory).Freeze();
}

}  // namespace headrace::protocol
