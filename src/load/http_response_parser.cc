#include "load/http_response_parser.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "base/checked_math.h"

namespace headrace::load {
namespace {

// Of an answer that is kept, to be compared.
constexpr std::size_t kBodyByteSizeMax = std::size_t{256} << 20;

template <std::size_t kSize>
void AppendTo(std::array<char, kSize>& buffer, std::size_t& byte_size, std::string_view text) {
  if (byte_size < kSize) {
    std::copy_n(text.data(), std::min(text.size(), kSize - byte_size), buffer.data() + byte_size);
  }
  byte_size += text.size();
}

bool HasNoBody(std::uint32_t status) { return status < 200 || status == 204 || status == 304; }

}  // namespace

struct HttpResponseParser::Callbacks {
  static HttpResponseParser& Self(llhttp_t* parser) {
    return *static_cast<HttpResponseParser*>(parser->data);
  }
  static int OnFieldName(llhttp_t* parser, const char* at, std::size_t size) {
    return Self(parser).OnFieldName({at, size});
  }
  static int OnFieldValue(llhttp_t* parser, const char* at, std::size_t size) {
    return Self(parser).OnFieldValue({at, size});
  }
  static int OnFieldEnd(llhttp_t* parser) { return Self(parser).OnFieldEnd(); }
  static int OnHeadersComplete(llhttp_t* parser) { return Self(parser).OnHeadersComplete(); }
  static int OnBody(llhttp_t* parser, const char* at, std::size_t size) {
    return Self(parser).OnBody({at, size});
  }
  static int OnChunkComplete(llhttp_t* parser) {
    HttpResponseParser& self = Self(parser);
    // The last chunk, which is empty, ends the stream.
    self.response_count_ += self.wanted_.chunks_are_responses && self.chunk_has_data_ ? 1 : 0;
    self.chunk_has_data_ = false;
    return 0;
  }
  static int OnMessageComplete(llhttp_t* parser) { return Self(parser).OnMessageComplete(); }

  static const llhttp_settings_t& Settings() {
    static const llhttp_settings_t kSettings = [] {
      llhttp_settings_t settings;
      llhttp_settings_init(&settings);
      settings.on_header_field = OnFieldName;
      settings.on_header_value = OnFieldValue;
      settings.on_header_value_complete = OnFieldEnd;
      settings.on_headers_complete = OnHeadersComplete;
      settings.on_body = OnBody;
      settings.on_chunk_complete = OnChunkComplete;
      settings.on_message_complete = OnMessageComplete;
      return settings;
    }();
    return kSettings;
  }
};

HttpResponseParser::HttpResponseParser() {
  llhttp_init(&llhttp_, HTTP_RESPONSE, &Callbacks::Settings());
  llhttp_.data = this;
}

void HttpResponseParser::Start(const Wanted& wanted) {
  llhttp_reset(&llhttp_);
  wanted_ = wanted;
  begun_ = complete_ = keep_alive_ = event_stream_ = chunk_has_data_ = false;
  status_ = response_count_ = 0;
  body_left_ = 0;
  json_byte_size_.reset();
  name_byte_size_ = value_byte_size_ = 0;
  events_ = {};
  body_.clear();
}

HttpResponseParser::State HttpResponseParser::Feed(std::string_view bytes) {
  begun_ = begun_ || !bytes.empty();
  while (!bytes.empty()) {
    if (body_left_ > 0) {
      return FeedBody(bytes);
    }
    const llhttp_errno_t error = llhttp_execute(&llhttp_, bytes.data(), bytes.size());
    if (error == HPE_OK) {
      return State::kMore;
    }
    if (error != HPE_PAUSED) {
      return State::kMalformed;
    }
    bytes.remove_prefix(static_cast<std::size_t>(llhttp_get_error_pos(&llhttp_) - bytes.data()));
    if (complete_ && body_left_ == 0) {
      return bytes.empty() ? State::kComplete : State::kMalformed;
    }
    if (!complete_) {  // an interim answer (1xx): the one that counts follows
      llhttp_resume(&llhttp_);
    }
  }
  return State::kMore;
}

// The body has a length: no parser needs to look at it.
HttpResponseParser::State HttpResponseParser::FeedBody(std::string_view bytes) {
  if (bytes.size() > body_left_) {
    return State::kMalformed;
  }
  body_left_ -= bytes.size();
  if (OnBody(bytes) != 0) {
    return State::kMalformed;
  }
  return body_left_ == 0 ? State::kComplete : State::kMore;
}

HttpResponseParser::State HttpResponseParser::Dropped(std::uint64_t byte_size) {
  body_left_ -= std::min(byte_size, body_left_);
  return body_left_ == 0 ? State::kComplete : State::kMore;
}

HttpResponseParser::State HttpResponseParser::Finish() {
  if (!begun_ || body_left_ > 0) {
    return State::kCut;
  }
  // An answer without a length ends with its connection.
  const llhttp_errno_t error = llhttp_finish(&llhttp_);
  return (error == HPE_OK || error == HPE_PAUSED) && complete_ ? State::kComplete : State::kCut;
}

std::uint32_t HttpResponseParser::TakeResponses() { return std::exchange(response_count_, 0); }

int HttpResponseParser::OnFieldName(std::string_view text) {
  AppendTo(name_, name_byte_size_, text);
  return 0;
}

int HttpResponseParser::OnFieldValue(std::string_view text) {
  AppendTo(value_, value_byte_size_, text);
  return 0;
}

int HttpResponseParser::OnFieldEnd() {
  const std::string_view name(name_.data(), std::min(name_byte_size_, name_.size()));
  const std::string_view value(value_.data(), std::min(value_byte_size_, value_.size()));
  static constexpr std::string_view kEventStream = "text/event-stream";
  if (EqualsIgnoringCase(name, "content-type")) {
    event_stream_ = EqualsIgnoringCase(value.substr(0, kEventStream.size()), kEventStream);
  } else if (EqualsIgnoringCase(name, "inference-header-content-length")) {
    json_byte_size_ = ParseDecimal<std::uint64_t>(value);
  }
  name_byte_size_ = value_byte_size_ = 0;
  return 0;
}

int HttpResponseParser::OnHeadersComplete() {
  status_ = static_cast<std::uint32_t>(llhttp_.status_code);
  if ((llhttp_.flags & F_CONTENT_LENGTH) == 0 || event_stream_) {
    return 0;
  }
  body_left_ = HasNoBody(status_) ? 0 : llhttp_.content_length;
  return 1;  // no body for llhttp
}

int HttpResponseParser::OnBody(std::string_view bytes) {
  chunk_has_data_ = true;
  if (event_stream_) {
    response_count_ += events_.Feed(bytes);
  }
  if (wanted_.body) {
    if (bytes.size() > kBodyByteSizeMax - body_.size()) {
      return -1;
    }
    body_ += bytes;
  }
  return 0;
}

int HttpResponseParser::OnMessageComplete() {
  complete_ = status_ >= 200 || status_ == 101;
  keep_alive_ = llhttp_should_keep_alive(&llhttp_) != 0;
  return HPE_PAUSED;
}

}  // namespace headrace::load
