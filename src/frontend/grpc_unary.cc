#include "frontend/grpc_unary.h"

#include "tensor/buffer.h"

namespace headrace::frontend {

Status ParseGrpcMessage(const net::GrpcMessage& bytes, google::protobuf::Message& message) {
  // Else the library writes to stderr what it does not like about the bytes.
  const google::protobuf::LogSilencer silencer;
  bool parsed = false;
  if (bytes.size() == 1) {
    parsed = bytes[0].size() <= INT32_MAX &&
             message.ParseFromArray(bytes[0].data(), static_cast<int>(bytes[0].size()));
  } else {
    std::string whole;
    for (const Buffer& slice : bytes) {
      whole.append(slice.view());
    }
    parsed = message.ParseFromString(whole);
  }
  if (parsed) {
    return OkStatus();
  }
  return InvalidArgument("the bytes of the request are no {}",
                         message.GetDescriptor()->full_name());
}

net::GrpcMessage EncodeGrpcMessage(const google::protobuf::Message& message) {
  std::string bytes;
  message.SerializeToString(&bytes);
  if (bytes.empty()) {
    return {};
  }
  return {Buffer::FromString(std::move(bytes))};
}

}  // namespace headrace::frontend
