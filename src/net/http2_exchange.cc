#include "net/http2_exchange.h"

#include <fmt/format.h>

#include <charconv>
#include <memory>
#include <utility>

#include "base/ascii.h"
#include "net/http2_session.h"
#include "net/http_listener.h"

namespace headrace::net {
namespace {

// From here on a body comes in fewer pieces when frames may be larger.
constexpr std::uint64_t kLargeBodyByteSize = 64 * 1024;

HttpMethod MethodOf(std::string_view name) {
  for (int i = 0; i < static_cast<int>(HttpMethod::kOther); ++i) {
    if (HttpMethodName(static_cast<HttpMethod>(i)) == name) {
      return static_cast<HttpMethod>(i);
    }
  }
  return HttpMethod::kOther;
}

// "Name: value\r\n..." as fields with lower-case names; those of a connection are dropped.
void AppendLines(std::string_view lines, Http2Fields& fields) {
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    const std::string_view line = lines.substr(0, end);
    lines.remove_prefix(end == std::string_view::npos ? lines.size() : end + 2);
    const std::size_t colon = line.find(": ");
    if (colon == std::string_view::npos) {
      continue;
    }
    std::string name = LowerCase(line.substr(0, colon));
    if (name != "connection" && name != "keep-alive" && name != "transfer-encoding") {
      fields.emplace_back(std::move(name), line.substr(colon + 2));
    }
  }
}

}  // namespace

Http2Exchange::Verdict Http2Exchange::FillHead(const Http2Head& head) {
  HttpRequestHead& out = exchange_->head_;
  std::string& bytes = exchange_->head_bytes_;
  // Enough for all: the views stay where they are.
  bytes.reserve(head.list_byte_size() + 16);
  const auto store = [&bytes](std::string_view text) {
    const std::size_t offset = bytes.size();
    bytes.append(text);
    return std::string_view(bytes).substr(offset);
  };
  out.method = MethodOf(head.method());
  out.target = store(head.path());
  const std::size_t query = out.target.find('?');
  out.path = out.target.substr(0, query);
  out.query = query == std::string_view::npos ? std::string_view() : out.target.substr(query + 1);
  if (!head.authority().empty()) {
    out.headers.emplace_back("host", store(head.authority()));
  }
  for (std::size_t i = 0; i < head.field_count(); ++i) {
    const auto [name, value] = head.field(i);
    if (name == "host" && !head.authority().empty()) {
      continue;
    }
    out.headers.emplace_back(store(name), store(value));
    if (name == "content-length") {
      std::uint64_t length = 0;
      const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
      if (error != std::errc() || end != value.data() + value.size()) {
        return {400, "Content-Length is no number"};
      }
      out.content_length = length;
    }
  }
  const HttpLimits& limits = listener().limits();
  if (head.too_large()) {
    return {431, "request header fields too large"};
  }
  if (head.path().size() > limits.request_line_byte_size_max) {
    return {414, "request target too long"};
  }
  if (head.invalid()) {
    return {400, "invalid header field"};
  }
  if (!out.path.starts_with('/')) {
    return {400, "invalid request target"};
  }
  return {};
}

void Http2Exchange::Begin(Http2Head head, Nanos begun, bool end_stream) {
  listener().cells().requests.Add(1);
  exchange_ = std::make_shared<HttpExchange>(listener().loop(), this);
  exchange_->begun_ = begun;
  exchange_->head_.peer = session()->peer();
  const Verdict verdict = FillHead(head);
  head_only_ = exchange_->head_.method == HttpMethod::kHead;
  if (listener().http_handler() == nullptr) {
    Fail(415, "this port serves gRPC alone: the content type must be application/grpc");
    return;
  }
  if (verdict.status != 0) {
    Fail(verdict.status, verdict.reason);
    return;
  }
  exchange_->head_.chunked = !end_stream && !exchange_->head_.content_length.has_value();
  BodyPlan plan = listener().handler().OnHead(exchange_->head_);
  if (plan.refuse_status != 0) {
    HttpResponse response;
    response.status = plan.refuse_status;
    response.extra_headers = std::move(plan.refuse_headers);
    if (plan.refuse_json.empty()) {
      response.content_type = {};
    }
    response.body.push_back(Buffer::FromString(std::move(plan.refuse_json)));
    Send(std::move(response));
  } else if (exchange_->head_.content_length.value_or(0) > plan.byte_size_max) {
    Fail(413, "request body too large");
  } else {
    StartBody(plan);
    if (end_stream) {
      OnEndStream();
    } else {
      ArmBodyTimeout();
    }
  }
}

void Http2Exchange::StartBody(const BodyPlan& plan) {
  receiving_ = true;
  BlockPool& pool = listener().loop().pool();
  body_byte_size_max_ = plan.byte_size_max;
  if (exchange_->head_.content_length.has_value()) {
    if (*exchange_->head_.content_length >= kLargeBodyByteSize) {
      session()->AllowLargeFrames();
    }
    body_.StartSized(pool, *exchange_->head_.content_length, plan.aligned_offset);
  } else {
    body_.StartChunked(pool, plan.aligned_offset);
  }
}

std::span<char> Http2Exchange::ReceiveSpace() {
  return receiving_ && exchange_->head_.content_length.has_value() ? body_.ReceiveSpace()
                                                                   : std::span<char>();
}

std::size_t Http2Exchange::OnData(std::string_view bytes) {
  if (!receiving_) {
    return 0;
  }
  ArmBodyTimeout();
  const std::span<char> space = ReceiveSpace();
  if (exchange_->head_.content_length.has_value() && bytes.size() > body_.left()) {
    Fail(400, "more body than Content-Length says");
  } else if (!space.empty() && space.data() == bytes.data()) {
    body_.Received(bytes.size());
  } else if (body_.received() + bytes.size() > body_byte_size_max_) {
    Fail(413, "request body too large");
  } else if (!body_.Append(bytes)) {
    Fail(503, "no memory for the request body");
  }
  return 0;
}

// nghttp2 has compared the body with its Content-Length.
void Http2Exchange::OnEndStream() {
  if (!receiving_) {
    return;
  }
  receiving_ = false;
  DisarmBodyTimeout();
  exchange_->head_.chunked = false;
  exchange_->body_ = body_.Finish();
  exchange_->received_ = listener().loop().now();
  listener().handler().OnRequest(exchange_);
}

void Http2Exchange::OnBodyTimeout() {
  listener().cells().timeouts.Add(1);
  Fail(408, "the request body did not arrive in time");
}

void Http2Exchange::Fail(int status, std::string_view reason) {
  listener().cells().Rejections(status).Add(1);
  HttpResponse response;
  response.status = status;
  if (status == 503) {
    response.extra_headers = "Retry-After: 1\r\n";
  }
  response.body.push_back(Buffer::FromString(fmt::format("{{\"error\":\"{}\"}}", reason)));
  Send(std::move(response));
}

void Http2Exchange::Respond(HttpResponse response) {
  if (exchange_ != nullptr && !receiving_ && !streaming_) {
    Send(std::move(response));
  }
}

void Http2Exchange::ReleaseInput() {
  receiving_ = false;
  DisarmBodyTimeout();
  body_.Reset();
  listener().cells().responses.Add(1);
}

void Http2Exchange::EndExchange() {
  exchange_->responder_ = nullptr;
  exchange_.reset();
}

void Http2Exchange::SubmitHead(const HttpResponse& response, std::optional<std::uint64_t> length,
                               bool end) {
  const std::string status = fmt::format("{}", response.status);
  const std::string length_text = fmt::format("{}", length.value_or(0));
  Http2Fields extra;
  AppendLines(response.extra_headers, extra);
  std::vector<nghttp2_nv> fields = {CopiedField(":status", status)};
  if (!response.content_type.empty()) {
    fields.push_back(CopiedField("content-type", response.content_type));
  }
  for (const auto& [name, value] : extra) {
    fields.push_back(CopiedField(name, value));
  }
  if (length.has_value()) {
    fields.push_back(CopiedField("content-length", length_text));
  }
  SubmitHeaders(fields, end);
}

void Http2Exchange::Send(HttpResponse response) {
  ReleaseInput();
  EndExchange();
  std::uint64_t byte_size = 0;
  for (const Buffer& buffer : response.body) {
    byte_size += buffer.size();
  }
  const bool may_have_body = response.status != 204 && response.status != 304;
  const bool has_body = may_have_body && !head_only_ && byte_size > 0;
  SubmitHead(response, may_have_body ? std::optional(byte_size) : std::nullopt, !has_body);
  if (has_body) {
    for (const Buffer& buffer : response.body) {
      if (!buffer.empty()) {
        Queue({}, buffer);
      }
    }
    QueueEnd(Http2Fields());
  }
}

void Http2Exchange::BeginStream(HttpResponse head) {
  if (exchange_ == nullptr || receiving_ || streaming_) {
    return;
  }
  ReleaseInput();
  if (head_only_) {
    EndExchange();
  } else {
    streaming_ = true;
  }
  SubmitHead(head, std::nullopt, head_only_);
}

void Http2Exchange::SendPiece(Buffer piece) {
  if (streaming_) {
    Queue({}, piece);
    Wake();
  }
}

void Http2Exchange::EndStream() {
  if (!streaming_) {
    return;
  }
  streaming_ = false;
  EndExchange();
  QueueEnd(Http2Fields());
  Wake();
}

void Http2Exchange::BreakStream() {
  if (!streaming_) {
    return;
  }
  streaming_ = false;
  EndExchange();
  Reset(NGHTTP2_INTERNAL_ERROR);
}

void Http2Exchange::OnClosed() {
  receiving_ = streaming_ = false;
  body_.Reset();
  if (exchange_ != nullptr) {
    exchange_->responder_ = nullptr;
    exchange_->cancelled_.store(true, std::memory_order_relaxed);
    exchange_.reset();
    listener().cells().cancelled.Add(1);
  }
}

}  // namespace headrace::net
