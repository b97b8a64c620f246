// The half of GrpcServerCall that sends.
#include <fmt/format.h>

#include <array>
#include <span>
#include <utility>
#include <vector>

#include "net/grpc_compression.h"
#include "net/grpc_server_call.h"
#include "net/http_listener.h"

namespace headrace::net {
namespace {

// Messages below this are not worth compressing.
constexpr std::uint64_t kSmallMessageByteSize = 1024;

std::array<char, 5> MakePrefix(bool compressed, std::uint32_t length) {
  return {static_cast<char>(compressed ? 1 : 0), static_cast<char>(length >> 24),
          static_cast<char>(length >> 16), static_cast<char>(length >> 8),
          static_cast<char>(length)};
}

std::uint64_t ByteSizeOf(const GrpcMessage& message) {
  std::uint64_t byte_size = 0;
  for (const Buffer& buffer : message) {
    byte_size += buffer.size();
  }
  return byte_size;
}

// The trailers of nearly all calls.
std::span<const nghttp2_nv> OkTrailers() {
  static const std::array fields = {StaticField("grpc-status", "0")};
  return fields;
}

// Encodes what the handler wants sent; what may not be sent is dropped.
void AppendMetadata(GrpcMetadata metadata, Http2Fields& fields) {
  for (auto& [name, value] : metadata) {
    if (!IsMetadataName(name)) {
      continue;
    }
    if (name.ends_with("-bin")) {
      fields.emplace_back(std::move(name), EncodeBase64(value));
    } else if (IsAsciiValue(value)) {
      fields.emplace_back(std::move(name), std::move(value));
    }
  }
}

}  // namespace

void GrpcServerCall::SendInitialMetadata(GrpcMetadata metadata) {
  if (!over_ && !initial_sent_) {
    initial_metadata_ = std::move(metadata);
  }
}

void GrpcServerCall::SubmitInitial() {
  initial_sent_ = true;
  std::array<nghttp2_nv, 4> plain = {StaticField(":status", "200"),
                                     StaticField("content-type", "application/grpc"),
                                     StaticField("grpc-accept-encoding", kGrpcAcceptEncoding)};
  std::size_t count = 3;
  if (response_encoding_ != GrpcEncoding::kIdentity) {
    plain[count++] = StaticField("grpc-encoding", GrpcEncodingName(response_encoding_));
  }
  if (initial_metadata_.empty()) {
    SubmitHeaders(std::span(plain).first(count), false);
    return;
  }
  Http2Fields extra;
  AppendMetadata(std::move(initial_metadata_), extra);
  std::vector<nghttp2_nv> fields(plain.begin(), plain.begin() + static_cast<std::ptrdiff_t>(count));
  for (const auto& [name, value] : extra) {
    fields.push_back(CopiedField(name, value));
  }
  SubmitHeaders(fields, false);
}

void GrpcServerCall::Send(GrpcMessage message) {
  if (over_) {
    return;
  }
  std::uint64_t byte_size = ByteSizeOf(message);
  bool compressed = false;
  if (response_encoding_ != GrpcEncoding::kIdentity && byte_size >= kSmallMessageByteSize &&
      byte_size <= UINT32_MAX / 2) {
    Result<Buffer> smaller = CompressMessage(response_encoding_, plan_.response_compression,
                                             message, listener().loop().pool());
    if (smaller.ok() && smaller->size() < byte_size) {
      compressed = true;
      byte_size = smaller->size();
      message = {std::move(smaller).value()};
    }
  }
  if (byte_size > UINT32_MAX) {
    Fail(ResourceExhausted("the answer of {} bytes is larger than a gRPC message can be",
                           byte_size));
    return;
  }
  if (!initial_sent_) {
    SubmitInitial();
  }
  const std::array prefix = MakePrefix(compressed, static_cast<std::uint32_t>(byte_size));
  Queue({prefix.data(), prefix.size()}, message.empty() ? Buffer() : message.front());
  for (std::size_t i = 1; i < message.size(); ++i) {
    if (!message[i].empty()) {
      Queue({}, message[i]);
    }
  }
  Wake();
}

void GrpcServerCall::Finish(Status status, GrpcMetadata trailers) {
  if (!over_) {
    over_ = true;
    End(status, std::move(trailers));
  }
}

void GrpcServerCall::End(const Status& status, GrpcMetadata trailers) {
  deadline_timer_.Disarm();
  DisarmBodyTimeout();
  body_.Reset();
  held_.Reset();
  listener().cells().responses.Add(1);
  if (plan_.observer != nullptr) {
    plan_.observer->OnEnd(*this, status.code());
  }
  if (status.ok() && trailers.empty() && initial_sent_) {
    QueueEnd(OkTrailers());
    Wake();
    return;
  }
  Http2Fields fields;
  fields.emplace_back("grpc-status", fmt::format("{}", static_cast<int>(status.code())));
  if (!status.ok()) {
    fields.emplace_back(
        "grpc-message",
        PercentEncode(status.message(), listener().options().grpc.sent_status_byte_size_max));
  }
  AppendMetadata(std::move(trailers), fields);
  if (initial_sent_) {
    QueueEnd(std::move(fields));
    Wake();
    return;
  }
  std::vector<nghttp2_nv> all = {StaticField(":status", "200"),
                                 StaticField("content-type", "application/grpc"),
                                 StaticField("grpc-accept-encoding", kGrpcAcceptEncoding)};
  Http2Fields initial;
  AppendMetadata(std::move(initial_metadata_), initial);
  for (const Http2Fields* part : {&initial, &fields}) {
    for (const auto& [name, value] : *part) {
      all.push_back(CopiedField(name, value));
    }
  }
  SubmitHeaders(all, true);
}

}  // namespace headrace::net
