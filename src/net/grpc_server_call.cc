#include "net/grpc_server_call.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "net/grpc_compression.h"
#include "net/http2_session.h"
#include "net/http_listener.h"

namespace headrace::net {
namespace {

// Messages below this are not worth a thought about their place in memory.
constexpr std::uint64_t kSmallMessageByteSize = 1024;
// From here on a message comes in fewer pieces when frames may be larger.
constexpr std::uint64_t kLargeMessageByteSize = 64 * 1024;

std::uint32_t ReadLength(const char* bytes) {
  std::array<unsigned char, 4> b;
  std::memcpy(b.data(), bytes, b.size());
  return std::uint32_t{b[0]} << 24 | std::uint32_t{b[1]} << 16 | std::uint32_t{b[2]} << 8 | b[3];
}

}  // namespace

std::optional<std::string_view> GrpcRequestHead::Header(std::string_view name) const {
  for (const auto& [key, value] : metadata) {
    if (key == name) {
      return value;
    }
  }
  return std::nullopt;
}

GrpcServerCall::GrpcServerCall(Http2Session& session, std::int32_t id)
    : Http2Stream(session, id), loop_(listener().loop()), handler_(*listener().grpc_handler()) {
  head_.peer = session.peer();
}

GrpcServerCall::~GrpcServerCall() = default;

GrpcCallRef GrpcServerCall::Self() {
  return std::static_pointer_cast<GrpcServerCall>(shared_from_this());
}

std::uint64_t GrpcServerCall::byte_size_max() const {
  return std::min(plan_.message_byte_size_max, listener().options().grpc.message_byte_size_max);
}

Status GrpcServerCall::ReadHead() {
  head_.path = fields_.path();
  head_.authority = fields_.authority();
  head_.metadata.reserve(fields_.field_count());
  Status status;
  for (std::size_t i = 0; i < fields_.field_count(); ++i) {
    const auto [name, value] = fields_.field(i);
    head_.metadata.emplace_back(name, value);
    if (name.ends_with("-bin")) {
      if (!IsBase64(value)) {
        status = InvalidArgument("metadata '{}' is not valid base64", name);
      }
    } else if (!IsAsciiValue(value)) {
      status = InvalidArgument("metadata '{}' has bytes that are not printable ASCII", name);
    } else if (name == "grpc-timeout") {
      const std::optional<Nanos> timeout = ParseGrpcTimeout(value);
      if (timeout.has_value()) {
        deadline_ = begun_ + *timeout;
      } else {
        status = InvalidArgument("grpc-timeout '{}' is malformed", value);
      }
    } else if (name == "grpc-encoding") {
      const std::optional<GrpcEncoding> encoding = ParseGrpcEncoding(value);
      if (encoding.has_value()) {
        request_encoding_ = *encoding;
      } else {
        status = Unimplemented("grpc-encoding '{}' is not supported; it can be {}", value,
                               kGrpcAcceptEncoding);
      }
    }
  }
  const Http2Limits& limits = listener().options().http2;
  if (fields_.too_large()) {
    return ResourceExhausted("metadata of {} bytes is larger than max ({}, {} fields)",
                             fields_.list_byte_size(), limits.header_list_byte_size_max,
                             listener().limits().header_count_max);
  }
  if (fields_.invalid()) {
    return InvalidArgument("metadata has an invalid field");
  }
  return status;
}

void GrpcServerCall::Begin(Http2Head head, Nanos begun, bool end_stream) {
  listener().cells().requests.Add(1);
  listener().cells().grpc_calls.Add(1);
  fields_ = std::move(head);
  begun_ = begun;
  if (Status status = ReadHead(); !status.ok()) {
    over_ = true;
    End(status, {});
    return;
  }
  if (deadline_ <= listener().loop().now()) {
    OnDeadline();
    return;
  }
  plan_ = handler_.OnCall(head_);
  if (!plan_.refusal.ok()) {
    over_ = true;
    End(plan_.refusal, {});
    return;
  }
  method_ = plan_.method;
  set_drained_mark(plan_.drained_mark);
  if (plan_.response_compression != GrpcCompressionLevel::kNone) {
    response_encoding_ = ChooseGrpcEncoding(head_.Header("grpc-accept-encoding").value_or(""));
  }
  listener().http2_timers().deadlines.Arm(deadline_timer_, deadline_);
  if (end_stream) {
    OnEndStream();
  } else if (!plan_.streaming) {
    ArmBodyTimeout();
  }
}

void GrpcServerCall::OnDeadline() {
  listener().cells().grpc_deadlines.Add(1);
  Fail(DeadlineExceeded("Deadline Exceeded"));
}

void GrpcServerCall::Fail(Status status) {
  if (over_) {
    return;
  }
  over_ = true;
  cancelled_.store(true, std::memory_order_relaxed);
  End(status, {});
  if (heard_ || plan_.streaming) {
    handler_.OnCancel(Self());
  }
}

std::size_t GrpcServerCall::OnData(std::string_view bytes) {
  if (over_) {
    return 0;
  }
  bytes.remove_prefix(paused_ ? 0 : Parse(bytes));
  if (!over_ && !bytes.empty()) {
    Hold(bytes);
  }
  return over_ ? 0 : bytes.size();
}

// What is held is bounded by the stream's window, which is not given back for it.
void GrpcServerCall::Hold(std::string_view bytes) {
  if (held_.received() == 0) {
    held_.StartChunked(listener().loop().pool(), 0);
  }
  if (!held_.Append(bytes)) {
    Fail(ResourceExhausted("no memory for the message"));
  }
}

std::size_t GrpcServerCall::Parse(std::string_view bytes) {
  std::size_t taken = 0;
  while (taken < bytes.size() && !over_ && !paused_) {
    const std::string_view rest = bytes.substr(taken);
    taken += prefix_byte_size_ < kPrefixByteSize ? ParsePrefix(rest) : ParseBody(rest);
  }
  if (over_ || paused_) {
    return taken;
  }
  if (prefix_byte_size_ > 0 || (!plan_.streaming && !half_closed_)) {
    ArmBodyTimeout();
  } else {
    DisarmBodyTimeout();
  }
  return taken;
}

std::size_t GrpcServerCall::ParsePrefix(std::string_view bytes) {
  const std::size_t part = std::min(bytes.size(), kPrefixByteSize - prefix_byte_size_);
  std::memcpy(prefix_.data() + prefix_byte_size_, bytes.data(), part);
  prefix_byte_size_ += part;
  if (prefix_byte_size_ < kPrefixByteSize) {
    return part;
  }
  const std::uint64_t byte_size = ReadLength(prefix_.data() + 1);
  const auto flag = static_cast<unsigned char>(prefix_[0]);
  if (flag > 1) {
    Fail(Internal("message has the unknown compressed flag {}", flag));
  } else if (flag == 1 && request_encoding_ == GrpcEncoding::kIdentity) {
    Fail(Internal("message is compressed, and the call has no grpc-encoding"));
  } else if (byte_size > byte_size_max()) {
    Fail(ResourceExhausted("Received message larger than max ({} vs. {})", byte_size,
                           byte_size_max()));
  } else if (!plan_.streaming && unary_message_.has_value()) {
    Fail(Unimplemented("the method takes one message, and the client sent more"));
  } else if (byte_size == 0) {
    FinishMessage();
  } else {
    const std::uint64_t aligned =
        flag == 1 || byte_size < kSmallMessageByteSize
            ? 0
            : handler_.AlignedOffset(head_, method_, bytes.substr(part), byte_size);
    body_.StartSized(listener().loop().pool(), byte_size, aligned);
    if (byte_size >= kLargeMessageByteSize) {
      session()->AllowLargeFrames();
    }
  }
  return part;
}

std::size_t GrpcServerCall::ParseBody(std::string_view bytes) {
  const std::size_t part = std::min<std::uint64_t>(bytes.size(), body_.left());
  const std::span<char> space = body_.ReceiveSpace();
  if (!space.empty() && space.data() == bytes.data()) {
    body_.Received(part);  // it was read to its place
  } else if (!body_.Append(bytes.substr(0, part))) {
    Fail(ResourceExhausted("no memory for the message"));
    return part;
  }
  if (body_.left() == 0) {
    FinishMessage();
  }
  return part;
}

std::span<char> GrpcServerCall::ReceiveSpace() {
  return over_ || paused_ || prefix_byte_size_ < kPrefixByteSize ? std::span<char>()
                                                                 : body_.ReceiveSpace();
}

void GrpcServerCall::FinishMessage() {
  const bool compressed = prefix_[0] != 0;
  prefix_byte_size_ = 0;
  Buffer message = body_.Finish();
  if (compressed) {
    Result<Buffer> whole =
        DecompressMessage(request_encoding_, message, byte_size_max(), listener().loop().pool());
    if (!whole.ok()) {
      Fail(whole.status());
      return;
    }
    message = std::move(whole).value();
  }
  if (plan_.streaming) {
    Deliver(std::move(message));
  } else {
    unary_message_ = std::move(message);
  }
}

void GrpcServerCall::Deliver(Buffer buffer) {
  heard_ = true;
  GrpcMessage message;
  if (!buffer.empty()) {
    message.push_back(std::move(buffer));
  }
  handler_.OnMessage(Self(), std::move(message));
}

void GrpcServerCall::OnEndStream() {
  if (over_) {
    return;
  }
  half_closed_ = true;
  if (paused_) {
    return;
  }
  DisarmBodyTimeout();
  if (prefix_byte_size_ != 0) {
    Fail(Internal("the call ends inside of a message"));
  } else if (plan_.streaming) {
    half_close_told_ = true;
    heard_ = true;
    handler_.OnHalfClose(Self());
  } else if (!unary_message_.has_value()) {
    Fail(Unimplemented("the method takes one message, and the client sent none"));
  } else {
    Deliver(std::move(*unary_message_));
  }
}

void GrpcServerCall::OnBodyTimeout() {
  listener().cells().timeouts.Add(1);
  Fail(DeadlineExceeded("the message did not arrive in time"));
}

void GrpcServerCall::OnDrained() {
  if (!over_) {
    handler_.OnDrained(Self());
  }
}

void GrpcServerCall::PauseReading() {
  if (plan_.streaming && !over_) {
    paused_ = true;
    DisarmBodyTimeout();
  }
}

void GrpcServerCall::ResumeReading() {
  if (!paused_ || over_) {
    return;
  }
  paused_ = false;
  if (resuming_) {
    return;  // called by the handler that the loop below runs
  }
  const GrpcCallRef self = Self();
  resuming_ = true;
  const std::size_t taken = Parse(held_.view().substr(held_taken_));
  resuming_ = false;
  if (session() != nullptr && taken > 0) {
    session()->GiveWindowBack(id(), taken);
  }
  if (over_) {
    return;
  }
  DropHeld(taken);
  if (half_closed_ && !half_close_told_ && !paused_) {
    OnEndStream();
  }
}

// Forgets what was parsed, moving the rest only when it is the smaller part.
void GrpcServerCall::DropHeld(std::size_t taken) {
  held_taken_ += taken;
  if (held_taken_ == held_.received()) {
    held_.Reset();
    held_taken_ = 0;
  } else if (held_taken_ * 2 >= held_.received()) {
    const Buffer old = held_.Finish();
    Hold(old.view().substr(held_taken_));
    held_taken_ = 0;
  }
}

void GrpcServerCall::OnClosed() {
  deadline_timer_.Disarm();
  body_.Reset();
  held_.Reset();
  unary_message_.reset();
  if (over_) {
    return;
  }
  over_ = true;
  cancelled_.store(true, std::memory_order_relaxed);
  listener().cells().cancelled.Add(1);
  if (plan_.observer != nullptr) {
    plan_.observer->OnEnd(*this, StatusCode::kCancelled);
  }
  if (heard_ || plan_.streaming) {
    handler_.OnCancel(Self());
  }
}

}  // namespace headrace::net
