#include "net/http_parser.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "base/ascii.h"
#include "base/checked_math.h"

namespace headrace::net {
namespace {

// What a chunk costs beside its data and extension: size digits and two line ends, with room for
// leading zeros.
constexpr std::size_t kChunkFramingByteSizeMax = 64;
// No honest sender has one; a size near 2^64 is an attempt at an overflow, not a large body.
constexpr std::uint64_t kChunkByteSizeMax = std::uint64_t{1} << 62;

HttpMethod MethodOf(std::uint8_t method) {
  switch (method) {
    case HTTP_GET:
      return HttpMethod::kGet;
    case HTTP_HEAD:
      return HttpMethod::kHead;
    case HTTP_POST:
      return HttpMethod::kPost;
    case HTTP_PUT:
      return HttpMethod::kPut;
    case HTTP_DELETE:
      return HttpMethod::kDelete;
    case HTTP_OPTIONS:
      return HttpMethod::kOptions;
    case HTTP_PATCH:
      return HttpMethod::kPatch;
    case HTTP_TRACE:
      return HttpMethod::kTrace;
    case HTTP_CONNECT:
      return HttpMethod::kConnect;
    default:
      return HttpMethod::kOther;
  }
}

bool IsHexDigit(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

constexpr bool IsAlphanumeric(char c) {
  return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

// Bytes of `marks` and letters and digits.
constexpr std::array<bool, 256> WordTable(std::string_view marks) {
  std::array<bool, 256> table{};
  for (int c = 0; c < 128; ++c) {
    table[static_cast<std::size_t>(c)] = IsAlphanumeric(static_cast<char>(c));
  }
  for (const char c : marks) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}

bool IsHostText(std::string_view host) {
  static constexpr std::array<bool, 256> kTable = WordTable("-._~%!$&'()*+,;=:[]");
  return std::all_of(host.begin(), host.end(),
                     [](char c) { return kTable[static_cast<unsigned char>(c)]; });
}

bool IsTokenList(std::string_view value) {
  static constexpr std::array<bool, 256> kTable = WordTable("-_.+, ;=");
  return !value.empty() && value.front() != ',' && value.back() != ',' &&
         std::all_of(value.begin(), value.end(),
                     [](char c) { return kTable[static_cast<unsigned char>(c)]; });
}

std::string_view WithoutTrailingBlanks(std::string_view text) {
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
    text.remove_suffix(1);
  }
  return text;
}

}  // namespace

// llhttp's calls, turned into calls of the parser that `data` names.
struct HttpParser::Callbacks {
  static HttpParser& Self(llhttp_t* llhttp) { return *static_cast<HttpParser*>(llhttp->data); }

  static int Protocol(llhttp_t* llhttp, const char* at, std::size_t size) {
    HttpParser& self = Self(llhttp);
    for (const char c : std::string_view(at, size)) {
      if (self.protocol_matched_ >= 4 || c != "HTTP"[self.protocol_matched_++]) {
        return self.Fail(400, "the protocol is not HTTP");
      }
    }
    return 0;
  }
  static int Url(llhttp_t* llhttp, const char* at, std::size_t size) {
    return Self(llhttp).OnTarget({at, size});
  }
  static int FieldName(llhttp_t* llhttp, const char* at, std::size_t size) {
    return Self(llhttp).OnFieldName({at, size});
  }
  static int FieldValue(llhttp_t* llhttp, const char* at, std::size_t size) {
    return Self(llhttp).OnFieldValue({at, size});
  }
  static int FieldValueComplete(llhttp_t* llhttp) {
    Self(llhttp).value_seen_ = true;
    return 0;
  }
  static int HeadersComplete(llhttp_t* llhttp) {
    HttpParser& self = Self(llhttp);
    // The bytes behind an Upgrade or CONNECT request are the next request: this server switches to
    // nothing.
    llhttp->upgrade = 0;
    self.FinishHead();
    return self.failure_.status != 0 ? -1 : HPE_PAUSED;
  }
  static int ChunkHeader(llhttp_t* llhttp) {
    return Self(llhttp).OnChunkHeader(llhttp->content_length);
  }
  static int ChunkExtension(llhttp_t* llhttp, const char*, std::size_t size) {
    HttpParser& self = Self(llhttp);
    self.extension_byte_size_ += size + 1;
    return self.extension_byte_size_ > self.limits_.chunk_extension_byte_size_max
               ? self.Fail(400, "chunk extension too large")
               : 0;
  }
  static int Body(llhttp_t* llhttp, const char* at, std::size_t size) {
    HttpParser& self = Self(llhttp);
    self.framing_byte_size_ -= size;
    return self.sink_->Append({at, size}) ? 0 : self.Fail(503, "no memory for the request body");
  }
  static int MessageComplete(llhttp_t*) { return HPE_PAUSED; }

  static const llhttp_settings_t* Settings() {
    static const llhttp_settings_t kSettings = [] {
      llhttp_settings_t settings;
      llhttp_settings_init(&settings);
      settings.on_protocol = Protocol;
      settings.on_url = Url;
      settings.on_header_field = FieldName;
      settings.on_header_value = FieldValue;
      settings.on_header_value_complete = FieldValueComplete;
      settings.on_headers_complete = HeadersComplete;
      settings.on_chunk_header = ChunkHeader;
      settings.on_chunk_extension_name = ChunkExtension;
      settings.on_chunk_extension_value = ChunkExtension;
      settings.on_body = Body;
      settings.on_message_complete = MessageComplete;
      return settings;
    }();
    return &kSettings;
  }
};

HttpParser::HttpParser(const HttpLimits& limits) : limits_(limits) {}

void HttpParser::Start(HttpRequestHead& head, std::string& bytes) {
  llhttp_init(&llhttp_, HTTP_REQUEST, Callbacks::Settings());
  llhttp_.data = this;
  failure_ = {};
  head_ = &head;
  bytes_ = &bytes;
  sink_ = nullptr;
  chunked_byte_size_ = 0;
  framing_byte_size_ = field_byte_size_ = extension_byte_size_ = 0;
  chunk_count_ = 0;
  protocol_matched_ = 0;
  leading_ = Leading::kNothing;
  value_seen_ = true;
  keep_alive_ = expects_continue_ = false;
}

int HttpParser::Fail(int status, std::string_view reason) {
  if (failure_.status == 0) {
    failure_ = {status, reason};
  }
  return HPE_USER;
}

void HttpParser::FailFromLlhttp(llhttp_errno_t error) {
  // llhttp also says "version" of a malformed line end behind a good one.
  const bool good_version = llhttp_.http_major == 1 && llhttp_.http_minor <= 1;
  if (error == HPE_INVALID_VERSION && protocol_matched_ == 4 && !good_version) {
    Fail(505, "HTTP version not supported");
  } else if (error == HPE_PAUSED_H2_UPGRADE) {
    Fail(400, "HTTP/2 is not served on this port");
  } else {
    const char* reason = llhttp_get_error_reason(&llhttp_);
    Fail(400, reason == nullptr ? std::string_view("malformed request") : std::string_view(reason));
  }
}

HttpParser::Step HttpParser::Execute(std::string_view input) {
  const llhttp_errno_t error = llhttp_execute(&llhttp_, input.data(), input.size());
  if (error == HPE_OK) {
    return {Outcome::kMore, input.size()};
  }
  if (error == HPE_PAUSED) {
    const auto consumed = static_cast<std::size_t>(llhttp_get_error_pos(&llhttp_) - input.data());
    llhttp_resume(&llhttp_);
    return {Outcome::kComplete, consumed};
  }
  FailFromLlhttp(error);
  return {Outcome::kFailed, 0};
}

// One empty line before a request is allowed (RFC 9112, 2.2); llhttp would skip any number of CR
// and LF.
std::size_t HttpParser::SkipEmptyLine(std::string_view input) {
  std::size_t skipped = 0;
  while (leading_ != Leading::kMethod && skipped < input.size()) {
    const char c = input[skipped];
    if (c == '\r' && leading_ == Leading::kNothing) {
      leading_ = Leading::kCr;
    } else if (c == '\n' && leading_ == Leading::kCr) {
      leading_ = Leading::kCrLf;
    } else if (c == '\r' || c == '\n' || leading_ == Leading::kCr) {
      Fail(400, "malformed line end before the request");
      return skipped;
    } else {
      leading_ = Leading::kMethod;
      break;
    }
    ++skipped;
  }
  return skipped;
}

HttpParser::Step HttpParser::ParseHead(std::string_view input) {
  const std::size_t skipped = SkipEmptyLine(input);
  if (failure_.status != 0) {
    return {Outcome::kFailed, 0};
  }
  input.remove_prefix(skipped);
  if (input.empty()) {
    return {Outcome::kMore, skipped};
  }
  Step step = Execute(input);
  framing_byte_size_ += step.consumed;
  step.consumed += skipped;
  // Blanks that llhttp skips belong to no field: the sum of all bytes has a limit of its own.
  if (step.outcome != Outcome::kFailed &&
      framing_byte_size_ > limits_.request_line_byte_size_max + limits_.header_byte_size_max) {
    Fail(431, "request head too large");
    step.outcome = Outcome::kFailed;
  }
  if (step.outcome == Outcome::kComplete) {
    framing_byte_size_ = field_byte_size_ = 0;
  }
  return step;
}

HttpParser::Step HttpParser::ParseChunks(std::string_view input, BodySink& sink,
                                         std::uint64_t body_byte_size_max) {
  sink_ = &sink;
  body_byte_size_max_ = body_byte_size_max;
  framing_byte_size_ += input.size();  // less the chunk data, as it is delivered
  Step step = Execute(input);
  const std::size_t framing_max =
      (std::size_t{chunk_count_} + 1) *
          (kChunkFramingByteSizeMax + limits_.chunk_extension_byte_size_max) +
      limits_.header_byte_size_max;
  if (step.outcome == Outcome::kMore && framing_byte_size_ > framing_max) {
    Fail(400, "chunk framing too large");
    step.outcome = Outcome::kFailed;
  }
  return step;
}

// Appends to the arena and lengthens `view`, which is the arena's last text; moves all views when
// the arena moves.
void HttpParser::Append(std::string_view text, std::string_view& view) {
  if (bytes_->size() + text.size() > bytes_->capacity()) {
    std::string grown;
    grown.reserve(
        std::max<std::size_t>({512, 2 * bytes_->capacity(), bytes_->size() + text.size()}));
    grown.append(*bytes_);
    const auto move = [&](std::string_view& moved) {
      if (moved.data() != nullptr) {
        moved = {grown.data() + (moved.data() - bytes_->data()), moved.size()};
      }
    };
    move(head_->target);
    for (auto& [name, value] : head_->headers) {
      move(name);
      move(value);
    }
    *bytes_ = std::move(grown);
  }
  const char* begin = view.data() != nullptr ? view.data() : bytes_->data() + bytes_->size();
  bytes_->append(text);
  view = {begin, view.size() + text.size()};
}

int HttpParser::OnTarget(std::string_view text) {
  // The name of the method, two blanks and the version are the rest of the line.
  const std::size_t size = head_->target.size() + text.size();
  const std::size_t size_max = limits_.request_line_byte_size_max;
  if (size > size_max ||
      (size_max - size < 64 &&
       size + std::strlen(llhttp_method_name(static_cast<llhttp_method_t>(llhttp_.method))) +
               std::string_view("  HTTP/1.1").size() >
           size_max)) {
    return Fail(414, "request line too long");
  }
  Append(text, head_->target);
  return 0;
}

int HttpParser::OnFieldName(std::string_view text) {
  const bool begins = std::exchange(value_seen_, false);
  field_byte_size_ += text.size() + (begins ? 4 : 0);
  if ((llhttp_.flags & F_TRAILING) != 0) {
    return field_byte_size_ > limits_.header_byte_size_max ? Fail(400, "trailers too large") : 0;
  }
  if (begins) {
    if (head_->headers.size() >= limits_.header_count_max) {
      return Fail(431, "too many header fields");
    }
    if (head_->headers.empty()) {
      head_->headers.reserve(12);
    }
    head_->headers.emplace_back();
  }
  std::string_view& name = head_->headers.back().first;
  if (name.size() + text.size() > limits_.header_name_byte_size_max) {
    return Fail(431, "header field name too long");
  }
  if (field_byte_size_ > limits_.header_byte_size_max) {
    return Fail(431, "header fields too large");
  }
  Append(text, name);
  return 0;
}

int HttpParser::OnFieldValue(std::string_view text) {
  field_byte_size_ += text.size();
  if ((llhttp_.flags & F_TRAILING) != 0) {
    return field_byte_size_ > limits_.header_byte_size_max ? Fail(400, "trailers too large") : 0;
  }
  if (field_byte_size_ > limits_.header_byte_size_max) {
    return Fail(431, "header fields too large");
  }
  Append(text, head_->headers.back().second);
  return 0;
}

int HttpParser::OnChunkHeader(std::uint64_t byte_size) {
  extension_byte_size_ = 0;
  if (byte_size == 0) {
    value_seen_ = true;
    return 0;
  }
  if (++chunk_count_ > limits_.chunk_count_max) {
    return Fail(400, "too many chunks");
  }
  if (byte_size > kChunkByteSizeMax) {
    return Fail(400, "chunk size overflow");
  }
  const auto total = CheckedAdd(chunked_byte_size_, byte_size);
  if (!total || *total > body_byte_size_max_) {
    return Fail(413, "request body too large");
  }
  chunked_byte_size_ = *total;
  return 0;
}

void HttpParser::FinishHead() {
  if (llhttp_.http_major != 1 || llhttp_.http_minor > 1) {
    Fail(505, "HTTP version not supported");
    return;
  }
  head_->method = MethodOf(llhttp_.method);
  const bool asked_to_close = (llhttp_.flags & F_CONNECTION_CLOSE) != 0;
  keep_alive_ = !asked_to_close && (!http_1_0() || (llhttp_.flags & F_CONNECTION_KEEP_ALIVE) != 0);
  CheckTarget();
  CheckFields();
}

void HttpParser::CheckTarget() {
  const std::string_view target = head_->target;
  const std::size_t question_mark = target.find('?');
  head_->path = target.substr(0, question_mark);
  head_->query = question_mark == std::string_view::npos ? std::string_view()
                                                         : target.substr(question_mark + 1);
  if (head_->method == HttpMethod::kConnect ||
      (head_->method == HttpMethod::kOptions && target == "*")) {
    return;
  }
  if (target.empty() || target.front() != '/') {
    Fail(400, "the request target must be a path");
    return;
  }
  if (target.find('#') != std::string_view::npos) {
    Fail(400, "fragment in the request target");
    return;
  }
  for (std::size_t i = target.find('%'); i != std::string_view::npos; i = target.find('%', i + 1)) {
    if (target.size() - i < 3 || !IsHexDigit(target[i + 1]) || !IsHexDigit(target[i + 2])) {
      Fail(400, "malformed percent-encoding in the request target");
      return;
    }
    if (target[i + 1] == '0' && target[i + 2] == '0') {
      Fail(400, "NUL in the request target");
      return;
    }
  }
}

void HttpParser::CheckFields() {
  int hosts = 0;
  int lengths = 0;
  int encodings = 0;
  for (auto& [name, value] : head_->headers) {
    value = WithoutTrailingBlanks(value);
    if (name.size() == 4 && EqualsIgnoringCase(name, "Host")) {
      ++hosts;
      if (!IsHostText(value)) {
        Fail(400, "malformed Host");
      }
    } else if (name.size() == 14 && EqualsIgnoringCase(name, "Content-Length")) {
      ++lengths;
      head_->content_length = ParseDecimal<std::uint64_t>(value);
      if (!head_->content_length) {
        Fail(400, "malformed Content-Length");
      }
    } else if (name.size() == 17 && EqualsIgnoringCase(name, "Transfer-Encoding")) {
      ++encodings;
      CheckTransferEncoding(value);
    } else if (name.size() == 6 && EqualsIgnoringCase(name, "Expect") && !http_1_0()) {
      if (!EqualsIgnoringCase(value, "100-continue")) {
        Fail(417, "unknown Expect");
      }
      expects_continue_ = true;
    }
  }
  if (hosts > 1 || (hosts == 0 && !http_1_0())) {
    Fail(400, "exactly one Host is needed");
  }
  if (lengths > 1) {
    Fail(400, "more than one Content-Length");
  }
  if (encodings > 1 || (encodings > 0 && (lengths > 0 || http_1_0()))) {
    Fail(400, "Transfer-Encoding is not allowed here");
  }
  head_->chunked = encodings == 1;
  if (head_->chunked && (llhttp_.flags & F_CHUNKED) == 0) {
    Fail(400, "malformed Transfer-Encoding");  // the two readings must agree
  }
}

void HttpParser::CheckTransferEncoding(std::string_view value) {
  if (EqualsIgnoringCase(value, "chunked")) {
    return;
  }
  Fail(IsTokenList(value) ? 501 : 400, "Transfer-Encoding other than chunked");
}

}  // namespace headrace::net
