#include "load/grpc_unary.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/ascii.h"
#include "base/checked_math.h"
#include "load/blocking_stream.h"
#include "load/socket_address.h"
#include "protocol/urlencoded.h"

namespace headrace::load {
namespace {

constexpr std::size_t kPrefixByteSize = 5;
constexpr std::int32_t kWindow = INT32_MAX;

nghttp2_nv Field(std::string_view name, std::string_view value) {
  const auto bytes = [](std::string_view text) {
    return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
  };
  return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

// One call on one session.
class Exchange {
 public:
  Exchange(BlockingStream stream, bool tls, std::string_view message)
      : stream_(std::move(stream)), tls_(tls) {
    body_.push_back('\0');
    for (int shift = 24; shift >= 0; shift -= 8) {
      body_.push_back(static_cast<char>(message.size() >> shift));
    }
    body_ += message;
  }

  // OK when the call has ended, whatever its status. `until`: when it is given up.
  Status Run(const std::vector<nghttp2_nv>& head, Nanos until);

  std::optional<int> http_status, grpc_status;
  std::string grpc_message, encoding;
  std::string received;
  bool too_large = false;

 private:
  struct Delete {
    void operator()(nghttp2_session* session) const { nghttp2_session_del(session); }
  };
  Status Start(const std::vector<nghttp2_nv>& head);
  Status Flush(Nanos until);
  void TakeField(std::string_view name, std::string_view value);

  static int OnHeader(nghttp2_session*, const nghttp2_frame*, const std::uint8_t* name,
                      std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                      std::uint8_t, void* user) {
    static_cast<Exchange*>(user)->TakeField({reinterpret_cast<const char*>(name), name_size},
                                            {reinterpret_cast<const char*>(value), value_size});
    return 0;
  }
  static int OnData(nghttp2_session*, std::uint8_t, std::int32_t, const std::uint8_t* data,
                    std::size_t size, void* user) {
    auto& self = *static_cast<Exchange*>(user);
    if (size > GrpcUnary::kMessageByteSizeMax + kPrefixByteSize - self.received.size()) {
      self.too_large = true;
      return NGHTTP2_ERR_CALLBACK_FAILURE;
    }
    self.received.append(reinterpret_cast<const char*>(data), size);
    return 0;
  }
  static int OnClose(nghttp2_session*, std::int32_t, std::uint32_t, void* user) {
    static_cast<Exchange*>(user)->closed_ = true;
    return 0;
  }
  static ssize_t ReadBody(nghttp2_session*, std::int32_t, std::uint8_t* to, std::size_t size,
                          std::uint32_t* flags, nghttp2_data_source* source, void*) {
    auto& self = *static_cast<Exchange*>(source->ptr);
    const std::size_t count = std::min(size, self.body_.size() - self.body_sent_);
    std::memcpy(to, self.body_.data() + self.body_sent_, count);
    self.body_sent_ += count;
    if (self.body_sent_ == self.body_.size()) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
    }
    return static_cast<ssize_t>(count);
  }

  BlockingStream stream_;
  const bool tls_;
  std::unique_ptr<nghttp2_session, Delete> session_;
  std::string body_;
  std::size_t body_sent_ = 0;
  bool closed_ = false;
};

void Exchange::TakeField(std::string_view name, std::string_view value) {
  if (name == ":status") {
    http_status = ParseDecimal<int>(value);
  } else if (name == "grpc-status") {
    grpc_status = ParseDecimal<int>(value);
  } else if (name == "grpc-message") {
    grpc_message = protocol::PercentDecodeWherePossible(value);
  } else if (name == "grpc-encoding") {
    encoding = value;
  }
}

Status Exchange::Start(const std::vector<nghttp2_nv>& head) {
  nghttp2_session_callbacks* callbacks = nullptr;
  nghttp2_session_callbacks_new(&callbacks);
  nghttp2_session_callbacks_set_on_header_callback(callbacks, &OnHeader);
  nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &OnData);
  nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &OnClose);
  nghttp2_session* session = nullptr;
  const int made = nghttp2_session_client_new(&session, callbacks, this);
  nghttp2_session_callbacks_del(callbacks);
  session_.reset(session);
  if (made != 0) {
    return Internal("the HTTP/2 client could not be made");
  }
  const std::array<nghttp2_settings_entry, 2> settings = {
      {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(kWindow)},
       {NGHTTP2_SETTINGS_ENABLE_PUSH, 0}}};
  nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings.data(), settings.size());
  nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0, kWindow);
  nghttp2_data_provider provider{};
  provider.source.ptr = this;
  provider.read_callback = &ReadBody;
  const std::int32_t id =
      nghttp2_submit_request(session, nullptr, head.data(), head.size(), &provider, nullptr);
  return id > 0 ? OkStatus() : Internal("HTTP/2: {}", nghttp2_strerror(id));
}

Status Exchange::Flush(Nanos until) {
  const std::uint8_t* bytes = nullptr;
  for (;;) {
    const ssize_t count = nghttp2_session_mem_send(session_.get(), &bytes);
    if (count < 0) {
      return Internal("HTTP/2: {}", nghttp2_strerror(static_cast<int>(count)));
    }
    if (count == 0) {
      return OkStatus();
    }
    HEADRACE_RETURN_IF_ERROR(stream_.Write(
        {reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(count)}, until));
  }
}

Status Exchange::Run(const std::vector<nghttp2_nv>& head, Nanos until) {
  HEADRACE_RETURN_IF_ERROR(Start(head));
  std::vector<char> buffer(64 << 10);
  while (!closed_) {
    // Where the other end has gone, what it said last is still there to be read.
    if (const Status sent = Flush(until); !sent.ok() && sent.code() != StatusCode::kUnavailable) {
      return sent;
    }
    if (closed_) {
      break;
    }
    HEADRACE_ASSIGN_OR_RETURN(const std::size_t count, stream_.Read(buffer, until));
    if (count == 0) {
      return Unavailable("the connection ended before the answer was there{}",
                         tls_ ? "" : "; does this port want TLS (--tls)?");
    }
    const ssize_t taken = nghttp2_session_mem_recv(
        session_.get(), reinterpret_cast<const std::uint8_t*>(buffer.data()), count);
    if (too_large) {
      return ResourceExhausted("the answer is larger than {} bytes",
                               GrpcUnary::kMessageByteSizeMax);
    }
    if (taken < 0) {
      return Internal("what answers speaks no HTTP/2 ({}); is this the gRPC port?",
                      nghttp2_strerror(static_cast<int>(taken)));
    }
  }
  return OkStatus();
}

Result<std::string> MessageOf(Exchange& exchange) {
  if (exchange.http_status.value_or(0) != 200 && !exchange.grpc_status) {
    return Internal("HTTP status {} and no gRPC status", exchange.http_status.value_or(0));
  }
  const int code = exchange.grpc_status.value_or(static_cast<int>(StatusCode::kUnknown));
  if (code != 0) {
    const bool known = code > 0 && code <= static_cast<int>(StatusCode::kUnauthenticated);
    return Status(known ? static_cast<StatusCode>(code) : StatusCode::kUnknown,
                  exchange.grpc_message);
  }
  const std::string& bytes = exchange.received;
  if (bytes.size() < kPrefixByteSize) {
    return Internal("the call succeeded without a message");
  }
  std::uint32_t size = 0;
  for (std::size_t i = 1; i < kPrefixByteSize; ++i) {
    size = size << 8 | static_cast<unsigned char>(bytes[i]);
  }
  if (bytes[0] != 0 || size != bytes.size() - kPrefixByteSize) {
    return Internal("the answer is no single message without compression");
  }
  return bytes.substr(kPrefixByteSize);
}

}  // namespace

std::string GrpcUnary::Url(std::string_view method) const {
  return AddressText(target_) + std::string(method);
}

Result<std::string> GrpcUnary::Call(std::string_view method, std::string_view message,
                                    Nanos timeout) const {
  const Nanos limit = timeout == 0 ? target_.request_timeout : timeout;
  const std::string prefix = Url(method) + ": ";
  HEADRACE_ASSIGN_OR_RETURN(BlockingStream stream, BlockingStream::Connect(target_, "h2"));
  const std::string authority =
      target_.unix_socket.empty() ? fmt::format("{}:{}", target_.host, target_.port) : "localhost";
  const std::string deadline =
      fmt::format("{}m", std::clamp<Nanos>(limit / kMillisecond, 1, 99'999'999));
  std::vector<nghttp2_nv> head = {Field(":method", "POST"),
                                  Field(":scheme", target_.tls.enabled ? "https" : "http"),
                                  Field(":path", method),
                                  Field(":authority", authority),
                                  Field("te", "trailers"),
                                  Field("content-type", "application/grpc"),
                                  Field("grpc-accept-encoding", "identity"),
                                  Field("grpc-timeout", deadline),
                                  Field("user-agent", "headrace")};
  std::vector<std::pair<std::string, std::string>> metadata;
  for (const auto& [name, value] : target_.headers) {
    metadata.emplace_back(LowerCase(name), value);
  }
  for (const auto& [name, value] : metadata) {
    head.push_back(Field(name, value));
  }
  Exchange exchange(std::move(stream), target_.tls.enabled, message);
  if (const Status status = exchange.Run(head, Clock::Real().Now() + limit);
      !status.ok() && !exchange.grpc_status) {
    return status.WithPrefix(prefix);
  }
  Result<std::string> result = MessageOf(exchange);
  if (!result.ok()) {
    return result.status().WithPrefix(prefix);
  }
  return result;
}

}  // namespace headrace::load
