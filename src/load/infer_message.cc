#include "load/infer_message.h"

#include <simdjson.h>
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <climits>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "protocol/proto_writer.h"

namespace headrace::load {
namespace {

using net::GrpcEncoding;
using protocol::ProtoWriter;

// Fields of inference.ModelInferRequest and of the messages in it (contracts, Triton 2.3).
constexpr std::uint32_t kModelName = 1, kModelVersion = 2, kId = 3, kParameters = 4, kInputs = 5,
                        kOutputs = 6, kRawInputs = 7;
constexpr std::uint32_t kInputName = 1, kInputType = 2, kInputShape = 3, kInputParameters = 4;
constexpr std::uint32_t kOutputName = 1, kOutputParameters = 2;
constexpr std::uint32_t kBool = 1, kInt64 = 2, kString = 3, kDouble = 4, kUint64 = 5;

// Tensors of fewer bytes than this are copied to what is in front of them: a piece of its own costs
// more.
constexpr std::size_t kCopiedByteSizeMax = 1024;
constexpr std::size_t kPrefixByteSize = 5;
constexpr std::string_view kGzipHead("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
constexpr std::string_view kZlibHead("\x78\x5e", 2);

// One entry of a map<string, InferParameter>; `write` writes the parameter.
template <typename Write>
void Entry(ProtoWriter& writer, std::uint32_t field, std::string_view name, Write write) {
  std::string value;
  ProtoWriter value_writer(value);
  write(value_writer);
  std::string entry;
  ProtoWriter entry_writer(entry);
  entry_writer.Bytes(1, name);
  entry_writer.Bytes(2, value);
  writer.Bytes(field, entry);
}

Status JsonParameter(ProtoWriter& writer, const std::string& name, const std::string& json) {
  simdjson::dom::parser parser;
  simdjson::dom::element value;
  const Status bad = InvalidArgument(
      "parameter '{}' is {}: gRPC carries true, false, a number or a \"text\"", name, json);
  if (parser.parse(json).get(value) != simdjson::SUCCESS) {
    return bad;
  }
  bool known = true;
  Entry(writer, kParameters, name, [&](ProtoWriter& to) {
    switch (value.type()) {
      case simdjson::dom::element_type::BOOL:
        to.Varint(kBool, value.get_bool().value_unsafe() ? 1 : 0);
        break;
      case simdjson::dom::element_type::INT64:
        to.Varint(kInt64, static_cast<std::uint64_t>(value.get_int64().value_unsafe()));
        break;
      case simdjson::dom::element_type::UINT64:
        to.Varint(kUint64, value.get_uint64().value_unsafe());
        break;
      case simdjson::dom::element_type::DOUBLE:
        to.Double(kDouble, value.get_double().value_unsafe());
        break;
      case simdjson::dom::element_type::STRING:
        to.Bytes(kString, value.get_string().value_unsafe());
        break;
      default:
        known = false;
    }
  });
  return known ? OkStatus() : bad;
}

void SharedMemoryParameters(ProtoWriter& writer, std::uint32_t field, const RegionSlice& slice) {
  Entry(writer, field, "shared_memory_region",
        [&](ProtoWriter& to) { to.Bytes(kString, slice.region); });
  Entry(writer, field, "shared_memory_byte_size",
        [&](ProtoWriter& to) { to.Varint(kInt64, slice.byte_size); });
  if (slice.offset != 0) {
    Entry(writer, field, "shared_memory_offset",
          [&](ProtoWriter& to) { to.Varint(kInt64, slice.offset); });
  }
}

Status Parameters(ProtoWriter& writer, const Item& item, bool streaming) {
  for (const auto& [name, json] : item.parameters) {
    HEADRACE_RETURN_IF_ERROR(JsonParameter(writer, name, json));
  }
  if (item.priority != 0) {
    Entry(writer, kParameters, "priority",
          [&](ProtoWriter& to) { to.Varint(kUint64, item.priority); });
  }
  if (item.timeout_us != 0) {
    Entry(writer, kParameters, "timeout",
          [&](ProtoWriter& to) { to.Varint(kInt64, item.timeout_us); });
  }
  if (streaming) {
    Entry(writer, kParameters, "triton_enable_empty_final_response",
          [&](ProtoWriter& to) { to.Varint(kBool, 1); });
  }
  return OkStatus();
}

std::string InputHead(const TensorContent& input, const RegionSlice* slice) {
  std::string out;
  ProtoWriter writer(out);
  writer.Bytes(kInputName, input.name);
  writer.Bytes(kInputType, DataTypeName(input.data_type));
  std::string dims;
  ProtoWriter dims_writer(dims);
  for (const std::int64_t dim : input.shape) {
    dims_writer.BareVarint(static_cast<std::uint64_t>(dim));
  }
  if (!dims.empty()) {
    writer.Bytes(kInputShape, dims);
  }
  if (slice != nullptr) {
    SharedMemoryParameters(writer, kInputParameters, *slice);
  }
  return out;
}

void StoreLittleEndian(std::uint32_t value, char* to) {
  for (int i = 0; i < 4; ++i) {
    to[i] = static_cast<char>(value >> (8 * i));
  }
}

void StoreBigEndian(std::uint32_t value, char* to) {
  for (int i = 0; i < 4; ++i) {
    to[i] = static_cast<char>(value >> (24 - 8 * i));
  }
}

const unsigned char* Bytes(const char* data) {
  return reinterpret_cast<const unsigned char*>(data);
}

std::uint32_t Checksum(GrpcEncoding encoding, std::uint32_t before, std::string_view bytes) {
  return static_cast<std::uint32_t>(
      encoding == GrpcEncoding::kGzip
          ? crc32_z(before, Bytes(bytes.data()), bytes.size())
          : adler32_z(before, Bytes(bytes.data()), bytes.size()));
}

}  // namespace

Result<InferMessage> InferMessage::Encode(const Workload& workload, std::size_t item_index,
                                          std::size_t content_index, const Options& options) {
  const Item& item = workload.items[item_index];
  const Content& content = item.contents[content_index];
  const auto wrong = [&](const Status& status) {
    return status.WithPrefix(fmt::format("item '{}', content {}: ", item.name, content_index));
  };
  InferMessage message;
  message.encoding_ = options.encoding;
  message.owned_ = std::make_unique<std::string>();
  std::string& out = *message.owned_;
  ProtoWriter writer(out);
  writer.Text(kModelName, item.model);
  writer.Text(kModelVersion, item.version);
  if (Status status = Parameters(writer, item, options.streaming); !status.ok()) {
    return wrong(status);
  }
  for (std::size_t i = 0; i < content.inputs.size(); ++i) {
    const TensorContent& input = content.inputs[i];
    if (input.data_type == DataType::kInvalid || input.bytes == nullptr) {
      return wrong(InvalidArgument("input '{}' has no {}", input.name,
                                   input.bytes == nullptr ? "data" : "data type"));
    }
    const RegionSlice* const slice =
        options.shared_memory == nullptr
            ? nullptr
            : &options.shared_memory->Input(item_index, content_index, i);
    writer.Bytes(kInputs, InputHead(input, slice));
  }
  for (std::size_t i = 0; i < item.outputs.size(); ++i) {
    std::string output;
    ProtoWriter output_writer(output);
    output_writer.Bytes(kOutputName, item.outputs[i]);
    if (options.shared_memory != nullptr) {
      SharedMemoryParameters(output_writer, kOutputParameters,
                             options.shared_memory->Output(item_index, i));
    }
    writer.Bytes(kOutputs, output);
  }
  // Pieces of `out` are kept as offsets until it stops moving.
  struct Range {
    std::size_t begin, end;
    std::string_view tensor;  // behind it
  };
  std::vector<Range> ranges = {{0, 0, {}}};
  for (const TensorContent& input : content.inputs) {
    if (options.shared_memory != nullptr) {
      break;
    }
    writer.BytesHead(kRawInputs, input.bytes->size());
    if (input.bytes->size() < kCopiedByteSizeMax) {
      out += *input.bytes;
    } else {
      ranges.back().end = out.size();
      ranges.back().tensor = *input.bytes;
      ranges.push_back({out.size(), out.size(), {}});
    }
  }
  ranges.back().end = out.size();
  for (const Range& range : ranges) {
    for (const std::string_view piece :
         {std::string_view(out).substr(range.begin, range.end - range.begin), range.tensor}) {
      if (!piece.empty()) {
        message.pieces_.push_back(piece);
        message.pieces_byte_size_ += piece.size();
      }
    }
  }
  if (message.pieces_byte_size_ > INT_MAX - kPrefixByteSize - 256) {
    return wrong(InvalidArgument("{} bytes of tensors: a gRPC message has 2 GiB at most",
                                 message.pieces_byte_size_));
  }
  if (options.encoding != GrpcEncoding::kIdentity) {
    HEADRACE_RETURN_IF_ERROR(message.Deflate());
  }
  return message;
}

// All pieces become one, raw deflate that ends with the last block.
Status InferMessage::Deflate() {
  inflated_byte_size_ = pieces_byte_size_;
  checksum_ = encoding_ == GrpcEncoding::kGzip ? 0 : 1;
  z_stream stream{};
  if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) !=
      Z_OK) {
    return ResourceExhausted("no memory to compress a message");
  }
  auto deflated = std::make_unique<std::string>(deflateBound(&stream, pieces_byte_size_) + 64, '\0');
  stream.next_out = reinterpret_cast<unsigned char*>(deflated->data());
  stream.avail_out = static_cast<uInt>(deflated->size());
  for (const std::string_view piece : pieces_) {
    checksum_ = Checksum(encoding_, checksum_, piece);
    stream.next_in = const_cast<unsigned char*>(Bytes(piece.data()));
    stream.avail_in = static_cast<uInt>(piece.size());
    deflate(&stream, Z_NO_FLUSH);
  }
  const int result = deflate(&stream, Z_FINISH);
  deflated->resize(stream.total_out);
  deflateEnd(&stream);
  if (result != Z_STREAM_END) {
    return Internal("deflate ended with {}", result);
  }
  owned_ = std::move(deflated);
  pieces_ = {std::string_view(*owned_)};
  pieces_byte_size_ = owned_->size();
  return OkStatus();
}

namespace {

// Writes to an array that is large enough by construction (see InferMessageCursor::head_).
class HeadWriter {
 public:
  explicit HeadWriter(char* begin) : begin_(begin), at_(begin) {}
  std::size_t byte_size() const { return static_cast<std::size_t>(at_ - begin_); }
  void Bytes(std::string_view bytes) {
    std::memcpy(at_, bytes.data(), bytes.size());
    at_ += bytes.size();
  }
  void Varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) {
      *at_++ = static_cast<char>(value | 0x80);
    }
    *at_++ = static_cast<char>(value);
  }
  // A map entry whose parameter is a number.
  void Parameter(std::string_view name, std::uint32_t type, std::uint64_t value) {
    const std::size_t value_byte_size = 1 + protocol::VarintByteSize(value);
    Varint(kParameters << 3 | 2);
    Varint(2 + name.size() + 2 + value_byte_size);
    Varint(1 << 3 | 2);
    Varint(name.size());
    Bytes(name);
    Varint(2 << 3 | 2);
    Varint(value_byte_size);
    Varint(type << 3);
    Varint(value);
  }
  void Id(std::uint64_t id) {
    char digits[20];
    const auto end = std::to_chars(std::begin(digits), std::end(digits), id).ptr;
    Varint(kId << 3 | 2);
    Varint(static_cast<std::size_t>(end - digits));
    Bytes({digits, static_cast<std::size_t>(end - digits)});
  }

 private:
  char* const begin_;
  char* at_;
};

}  // namespace

void InferMessageCursor::Begin(const InferMessage& message, const InferMessageHead& head) {
  message_ = &message;
  part_ = offset_ = tail_byte_size_ = 0;
  const bool compressed = message.encoding_ != GrpcEncoding::kIdentity;
  const std::string_view stream_head =
      !compressed ? "" : message.encoding_ == GrpcEncoding::kGzip ? kGzipHead : kZlibHead;
  // Five bytes of a stored block: its kind, its length, and the length inverted.
  const std::size_t lead = kPrefixByteSize + (compressed ? stream_head.size() + 5 : 0);
  HeadWriter writer(head_.data() + lead);
  writer.Id(head.id);
  if (head.sequence_id != 0) {
    writer.Parameter("sequence_id", kInt64, head.sequence_id);
    writer.Parameter("sequence_start", kBool, head.sequence_start ? 1 : 0);
    writer.Parameter("sequence_end", kBool, head.sequence_end ? 1 : 0);
  }
  const std::size_t fields = writer.byte_size();
  head_byte_size_ = lead + fields;
  if (compressed) {
    HeadWriter block(head_.data() + kPrefixByteSize);
    block.Bytes(stream_head);
    const auto length = static_cast<std::uint32_t>(fields);
    const char lengths[] = {0, static_cast<char>(length), static_cast<char>(length >> 8),
                            static_cast<char>(~length), static_cast<char>(~length >> 8)};
    block.Bytes({lengths, sizeof(lengths)});
    const std::string_view plain(head_.data() + lead, fields);
    const auto more = static_cast<z_off_t>(message.inflated_byte_size_);
    if (message.encoding_ == GrpcEncoding::kGzip) {
      StoreLittleEndian(static_cast<std::uint32_t>(crc32_combine(
                            Checksum(message.encoding_, 0, plain), message.checksum_, more)),
                        tail_.data());
      StoreLittleEndian(static_cast<std::uint32_t>(fields + message.inflated_byte_size_),
                        tail_.data() + 4);
      tail_byte_size_ = 8;
    } else {
      StoreBigEndian(static_cast<std::uint32_t>(adler32_combine(
                         Checksum(message.encoding_, 1, plain), message.checksum_, more)),
                     tail_.data());
      tail_byte_size_ = 4;
    }
  }
  whole_ = left_ = head_byte_size_ + message.pieces_byte_size_ + tail_byte_size_;
  head_[0] = compressed ? 1 : 0;
  StoreBigEndian(static_cast<std::uint32_t>(whole_ - kPrefixByteSize), head_.data() + 1);
}

std::string_view InferMessageCursor::Part(std::size_t index) const {
  if (index == 0) {
    return {head_.data(), head_byte_size_};
  }
  return index <= message_->pieces_.size() ? message_->pieces_[index - 1]
                                           : std::string_view(tail_.data(), tail_byte_size_);
}

void InferMessageCursor::AppendTo(net::GatherOutput& out, std::size_t byte_size) {
  HEADRACE_CHECK(byte_size <= left_);
  left_ -= byte_size;
  while (byte_size > 0) {
    const std::string_view part = Part(part_);
    const std::string_view now = part.substr(offset_, byte_size);
    if (part_ == 0 || part_ > message_->pieces_.size()) {
      out.AppendBytes(now);  // ours, and gone when the request is
    } else {
      out.AppendBuffer(Buffer::Unowned(now));
    }
    byte_size -= now.size();
    offset_ += now.size();
    if (offset_ == part.size()) {
      ++part_;
      offset_ = 0;
    }
  }
}

}  // namespace headrace::load
