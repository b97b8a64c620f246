#include "load/infer_message.h"

#include <simdjson.h>
#include <zlib.h>

#include <climits>
#include <utility>

#include "protocol/proto_writer.h"

namespace headrace::load {
namespace {

using net::GrpcEncoding;
using protocol::ProtoWriter;

// Fields of inference.ModelInferRequest and of the messages in it (contracts, Triton 2.3).
constexpr std::uint32_t kModelName = 1, kModelVersion = 2, kParameters = 4, kInputs = 5,
                        kOutputs = 6, kRawInputs = 7;
constexpr std::uint32_t kInputName = 1, kInputType = 2, kInputShape = 3, kInputParameters = 4;
constexpr std::uint32_t kOutputName = 1, kOutputParameters = 2;
constexpr std::uint32_t kBool = 1, kInt64 = 2, kString = 3, kDouble = 4, kUint64 = 5;

// Tensors of fewer bytes than this are copied to what is in front of them: a piece of its own costs
// more.
constexpr std::size_t kCopiedByteSizeMax = 1024;
// For what a request adds.
constexpr std::size_t kHeadRoom = 256;

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

const unsigned char* Bytes(const char* data) {
  return reinterpret_cast<const unsigned char*>(data);
}

std::uint32_t Checksum(GrpcEncoding encoding, std::uint32_t before, std::string_view bytes) {
  return static_cast<std::uint32_t>(encoding == GrpcEncoding::kGzip
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
  if (message.pieces_byte_size_ > INT_MAX - kHeadRoom) {
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
  auto deflated =
      std::make_unique<std::string>(deflateBound(&stream, pieces_byte_size_) + 64, '\0');
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

}  // namespace headrace::load
