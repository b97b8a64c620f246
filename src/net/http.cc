#include "net/http.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/ascii.h"
#include "base/check.h"

namespace headrace::net {

std::string_view HttpMethodName(HttpMethod method) {
  static constexpr std::array<std::string_view, 10> kNames = {
      "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "CONNECT", "OTHER"};
  return kNames[static_cast<std::size_t>(method)];
}

std::string_view HttpReason(int status) {
  struct Entry {
    int status;
    std::string_view reason;
  };
  static constexpr std::array kReasons = {
      Entry{200, "OK"},
      Entry{201, "Created"},
      Entry{202, "Accepted"},
      Entry{204, "No Content"},
      Entry{301, "Moved Permanently"},
      Entry{302, "Found"},
      Entry{304, "Not Modified"},
      Entry{307, "Temporary Redirect"},
      Entry{308, "Permanent Redirect"},
      Entry{400, "Bad Request"},
      Entry{401, "Unauthorized"},
      Entry{403, "Forbidden"},
      Entry{404, "Not Found"},
      Entry{405, "Method Not Allowed"},
      Entry{406, "Not Acceptable"},
      Entry{408, "Request Timeout"},
      Entry{409, "Conflict"},
      Entry{411, "Length Required"},
      Entry{412, "Precondition Failed"},
      Entry{413, "Content Too Large"},
      Entry{414, "URI Too Long"},
      Entry{415, "Unsupported Media Type"},
      Entry{417, "Expectation Failed"},
      Entry{422, "Unprocessable Content"},
      Entry{429, "Too Many Requests"},
      Entry{431, "Request Header Fields Too Large"},
      Entry{499, "Client Closed Request"},
      Entry{500, "Internal Server Error"},
      Entry{501, "Not Implemented"},
      Entry{502, "Bad Gateway"},
      Entry{503, "Service Unavailable"},
      Entry{504, "Gateway Timeout"},
      Entry{505, "HTTP Version Not Supported"},
      Entry{507, "Insufficient Storage"},
  };
  const auto found = std::lower_bound(kReasons.begin(), kReasons.end(), status,
                                      [](const Entry& entry, int s) { return entry.status < s; });
  return found != kReasons.end() && found->status == status ? found->reason : "Status";
}

std::optional<std::string_view> HttpRequestHead::Header(std::string_view name) const {
  for (const auto& [key, value] : headers) {
    if (EqualsIgnoringCase(key, name)) {
      return value;
    }
  }
  return std::nullopt;
}

std::size_t HttpRequestHead::HeaderCount(std::string_view name) const {
  return static_cast<std::size_t>(
      std::count_if(headers.begin(), headers.end(),
                    [name](const auto& header) { return EqualsIgnoringCase(header.first, name); }));
}

void HttpExchange::TellObservers(int status) {
  for (HttpAnswerObserver* const observer : std::exchange(observers_, {})) {
    observer->OnAnswer(*this, status);
  }
}

void HttpExchange::Respond(HttpResponse response) {
  TellObservers(response.status);
  if (responder_ != nullptr) {
    response.extra_headers.append(added_headers_);
    responder_->Respond(std::move(response));
  }
}

void HttpExchange::BeginStream(HttpResponse head) {
  HEADRACE_CHECK(head.body.empty() && head.status != 204 && head.status != 304);
  TellObservers(head.status);
  if (responder_ != nullptr) {
    head.extra_headers.append(added_headers_);
    responder_->BeginStream(std::move(head));
  }
}

void HttpExchange::SendPiece(Buffer piece) {
  if (responder_ != nullptr && !piece.empty()) {
    responder_->SendPiece(std::move(piece));
  }
}

void HttpExchange::EndStream() {
  if (responder_ != nullptr) {
    responder_->EndStream();
  }
}

void HttpExchange::BreakStream() {
  if (responder_ != nullptr) {
    responder_->BreakStream();
  }
}

std::uint64_t HttpExchange::unsent_byte_size() const {
  return responder_ != nullptr ? responder_->unsent_byte_size() : 0;
}

}  // namespace headrace::net
