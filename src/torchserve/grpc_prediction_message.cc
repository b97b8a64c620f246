#include "torchserve/grpc_prediction_message.h"

#include <cstdint>
#include <utility>

#include "frontend/grpc_unary.h"
#include "protocol/form_part.h"
#include "protocol/proto_reader.h"
#include "torchserve/grpc_messages.h"

namespace headrace::torchserve {
namespace {

using protocol::ProtoReader;

constexpr std::size_t kNameMax = PredictionMessage::kNameByteSizeMax;

// A protobuf number, seven bits a byte.
void AppendVarint(std::uint64_t number, std::string& out) {
  for (; number >= 0x80; number >>= 7) {
    out += static_cast<char>(number | 0x80);
  }
  out += static_cast<char>(number);
}

void Append(Tensor bytes, Tensor& data) {
  for (std::size_t i = 0; i < bytes.fragment_count(); ++i) {
    const Buffer& fragment = bytes.fragment(i);
    if (fragment.empty()) {
      continue;
    }
    if (data.data.empty()) {
      data.data = fragment;
    } else {
      data.more_fragments.push_back(fragment);
    }
  }
}

// One entry of the map: 1 is the key, 2 the value.
bool ReadInput(ProtoReader& reader, frontend::PredictionContent& content) {
  ProtoReader entry;
  if (!reader.ReadMessage(entry)) {
    return false;
  }
  protocol::FormPart part;
  Tensor bytes;
  while (entry.Next()) {
    if (entry.field() == 1) {
      entry.ReadString(part.name, kNameMax);
    } else if (entry.field() == 2) {
      bytes = Tensor();
      entry.ReadInPlace(bytes);
    } else {
      entry.Skip();
    }
  }
  if (!entry.ok()) {
    return reader.Fail(entry.error());
  }
  part.offset = content.data.byte_size();
  part.byte_size = bytes.byte_size();
  content.parts.push_back(std::move(part));
  Append(std::move(bytes), content.data);
  return true;
}

}  // namespace

Result<PredictionMessage> ReadPredictionMessage(const net::GrpcMessage& message) {
  PredictionMessage read;
  ProtoReader reader(message);
  while (reader.Next()) {
    switch (reader.field()) {
      case 1:
        reader.ReadString(read.model_name, kNameMax);
        break;
      case 2:
        reader.ReadString(read.model_version, kNameMax);
        break;
      case 3:
        if (read.content.parts.size() >= PredictionMessage::kInputCountMax) {
          return InvalidArgument("input: more than {} entries", PredictionMessage::kInputCountMax);
        }
        ReadInput(reader, read.content);
        break;
      case 4:
        reader.ReadString(read.sequence_id.emplace(), kNameMax);
        break;
      default:
        reader.Skip();
    }
  }
  if (!reader.ok()) {
    return InvalidArgument("the message is no PredictionsRequest: {}", reader.error());
  }
  return read;
}

net::GrpcMessage EncodePrediction(std::vector<Buffer> body,
                                  const std::optional<std::string>& sequence_id,
                                  const Status& failure) {
  std::uint64_t byte_size = 0;
  for (const Buffer& buffer : body) {
    byte_size += buffer.size();
  }
  net::GrpcMessage message;
  if (byte_size > 0) {
    std::string head(1, '\x0a');  // field 1, with its length
    AppendVarint(byte_size, head);
    message.push_back(Buffer::FromString(std::move(head)));
    for (Buffer& buffer : body) {
      message.push_back(std::move(buffer));
    }
  }
  org::pytorch::serve::grpc::inference::PredictionResponse rest;
  if (sequence_id) {
    rest.set_sequence_id(*sequence_id);
  }
  if (!failure.ok()) {
    const std::string& text = failure.message();
    const std::size_t line = text.rfind('\n');
    google::rpc::Status& status = *rest.mutable_status();
    status.set_code(static_cast<int>(failure.code()));
    status.set_message(text.substr(0, line));
    if (line != std::string::npos) {
      google::rpc::ErrorInfo info;
      info.set_reason(text.substr(line + 1));
      status.add_details()->PackFrom(info);
    }
  }
  for (Buffer& buffer : frontend::EncodeGrpcMessage(rest)) {
    message.push_back(std::move(buffer));
  }
  return message;
}

}  // namespace headrace::torchserve
