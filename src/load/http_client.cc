#include "load/http_client.h"

#include <curl/curl.h>

#include <algorithm>

#include "base/ascii.h"
#include "base/check.h"
#include "base/checked_math.h"
#include "load/json_document.h"

namespace headrace::load {
namespace {

constexpr std::size_t kHeadByteSizeMax = 256 << 10;
constexpr std::size_t kMessageByteSizeMax = 500;

using Headers = std::unique_ptr<curl_slist, void (*)(curl_slist*)>;

long Milliseconds(Nanos time) { return static_cast<long>(std::max<Nanos>(1, time / kMillisecond)); }

void Append(Headers& headers, const std::string& line) {
  headers.reset(curl_slist_append(headers.release(), line.c_str()));
}

void SetTls(CURL* curl, const TlsFiles& tls) {
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, tls.verify_peer ? 1L : 0L);
  curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, tls.verify_host ? 2L : 0L);
  if (!tls.ca_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_CAINFO, tls.ca_file.c_str());
  }
  if (!tls.certificate_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_SSLCERT, tls.certificate_file.c_str());
  }
  if (!tls.key_file.empty()) {
    curl_easy_setopt(curl, CURLOPT_SSLKEY, tls.key_file.c_str());
  }
}

StatusCode CodeOf(int http_status) {
  switch (http_status) {
    case 401:
      return StatusCode::kUnauthenticated;
    case 403:
      return StatusCode::kPermissionDenied;
    case 404:
      return StatusCode::kNotFound;
    case 409:
      return StatusCode::kAlreadyExists;
    case 429:
      return StatusCode::kResourceExhausted;
    case 405:
    case 501:
      return StatusCode::kUnimplemented;
    case 503:
      return StatusCode::kUnavailable;
    default:
      return http_status / 100 == 4 ? StatusCode::kInvalidArgument : StatusCode::kInternal;
  }
}

std::string MessageOf(const std::string& body) {
  if (const auto document = JsonDocument::Parse(body, "answer"); document.ok()) {
    for (const char* name : {"error", "message", "detail"}) {
      if (const auto text = StringMember(document->root(), name); !text.empty()) {
        return std::string(text.substr(0, kMessageByteSizeMax));
      }
    }
  }
  const std::string line = body.substr(0, std::min(body.find('\n'), kMessageByteSizeMax));
  return line.empty() ? "no further words" : line;
}

}  // namespace

struct HttpClient::Transfer {
  HttpReply reply;
  std::size_t body_byte_size_max = 0;
  std::size_t head_byte_size = 0;
  bool too_large = false;

  static std::size_t TakeBody(char* data, std::size_t size, std::size_t count, void* context) {
    Transfer& transfer = *static_cast<Transfer*>(context);
    if (size * count > transfer.body_byte_size_max - transfer.reply.body.size()) {
      transfer.too_large = true;
      return 0;
    }
    transfer.reply.body.append(data, size * count);
    return size * count;
  }

  static std::size_t TakeHeader(char* data, std::size_t size, std::size_t count, void* context) {
    Transfer& transfer = *static_cast<Transfer*>(context);
    const std::string_view line(data, size * count);
    transfer.head_byte_size += line.size();
    if (transfer.head_byte_size > kHeadByteSizeMax) {
      transfer.too_large = true;
      return 0;
    }
    if (line.starts_with("HTTP/")) {
      transfer.reply.headers.clear();  // of an answer before the last: 100 Continue
    }
    if (const std::size_t colon = line.find(':'); colon != std::string_view::npos) {
      std::string_view value = line.substr(colon + 1);
      while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) {
        value.remove_prefix(1);
      }
      while (!value.empty() &&
             (value.back() == '\r' || value.back() == '\n' || value.back() == ' ')) {
        value.remove_suffix(1);
      }
      transfer.reply.headers.emplace_back(LowerCase(line.substr(0, colon)), value);
    }
    return line.size();
  }
};

const std::string* HttpReply::Header(std::string_view lower_case_name) const {
  for (const auto& [name, value] : headers) {
    if (name == lower_case_name) {
      return &value;
    }
  }
  return nullptr;
}

HttpClient::HttpClient(HttpClientSpec spec)
    : spec_(std::move(spec)), curl_(nullptr, [](void* curl) { curl_easy_cleanup(curl); }) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  curl_.reset(curl_easy_init());
  HEADRACE_CHECK(curl_ != nullptr);
}

HttpClient::~HttpClient() = default;

std::string HttpClient::Url(std::string_view path) const {
  return spec_.origin + std::string(path);
}

Result<HttpReply> HttpClient::Call(const HttpCall& call) {
  const std::string url = Url(call.path);
  Transfer transfer;
  transfer.body_byte_size_max = spec_.body_byte_size_max;
  Headers headers(nullptr, &curl_slist_free_all);
  Append(headers, "Expect:");
  if (!call.body.empty() || call.method != "GET") {
    Append(headers,
           call.content_type.empty() ? "Content-Type:" : "Content-Type: " + call.content_type);
  }
  for (const auto* list : {&spec_.headers, &call.headers}) {
    for (const auto& [name, value] : *list) {
      Append(headers, value.empty() ? name + ";" : name + ": " + value);
    }
  }

  const std::lock_guard lock(mutex_);
  CURL* const curl = curl_.get();
  curl_easy_reset(curl);  // keeps the connection
  curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "headrace");
  curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, static_cast<long>(CURL_HTTP_VERSION_1_1));
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, Milliseconds(spec_.connect_timeout));
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS,
                   Milliseconds(call.timeout == 0 ? spec_.timeout : call.timeout));
  if (!spec_.unix_socket.empty()) {
    curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, spec_.unix_socket.c_str());
  }
  SetTls(curl, spec_.tls);
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  if (call.method != "GET") {
    curl_easy_setopt(curl, CURLOPT_POSTFIELDS, call.body.data() == nullptr ? "" : call.body.data());
    curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(call.body.size()));
    curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, call.method.c_str());
  }
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Transfer::TakeBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &Transfer::TakeHeader);
  curl_easy_setopt(curl, CURLOPT_HEADERDATA, &transfer);
  const CURLcode code = curl_easy_perform(curl);
  if (transfer.too_large) {
    return ResourceExhausted("{} {}: the answer is larger than {} bytes", call.method, url,
                             spec_.body_byte_size_max);
  }
  if (code == CURLE_OPERATION_TIMEDOUT) {
    return DeadlineExceeded("{} {}: no answer in time", call.method, url);
  }
  if (code == CURLE_URL_MALFORMAT) {
    return InvalidArgument("'{}' is not a URL", url);
  }
  if (code != CURLE_OK) {
    return Unavailable("{} {}: {}", call.method, url, curl_easy_strerror(code));
  }
  long status = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
  transfer.reply.status = static_cast<int>(status);
  return std::move(transfer.reply);
}

std::string HttpOrigin(const TargetSpec& target) { return HttpOrigin(target, target.port); }

std::string HttpOrigin(const TargetSpec& target, int port) {
  const std::string_view scheme = target.tls.enabled ? "https" : "http";
  const bool bare_ipv6 =
      target.host.find(':') != std::string::npos && !target.host.starts_with('[');
  return bare_ipv6 ? fmt::format("{}://[{}]:{}", scheme, target.host, port)
                   : fmt::format("{}://{}:{}", scheme, target.host, port);
}

HttpClientSpec ClientOf(const TargetSpec& target) {
  HttpClientSpec spec;
  spec.origin = HttpOrigin(target);
  spec.unix_socket = target.unix_socket;
  spec.headers = target.headers;
  spec.tls = target.tls;
  spec.connect_timeout = target.connect_timeout;
  spec.timeout = target.request_timeout;
  return spec;
}

Result<SplitUrl> ParseUrl(std::string_view url) {
  std::string text(url);
  if (text.find("://") == std::string::npos) {
    text = "http://" + text;
  }
  if (!text.starts_with("http://") && !text.starts_with("https://")) {
    return InvalidArgument("'{}': only http:// and https:// are spoken", url);
  }
  const std::size_t host = text.find("://") + 3;
  const std::size_t path = std::min(text.find_first_of("/?#", host), text.size());
  if (path == host) {
    return InvalidArgument("'{}' has no host; write http://host:port/path", url);
  }
  SplitUrl split{text.substr(0, path), text.substr(path)};
  split.path.resize(std::min(split.path.find('#'), split.path.size()));
  if (split.path.starts_with('?')) {
    split.path = "/" + split.path;
  }
  return split;
}

Result<TargetSpec> TargetOf(TargetSpec target, std::string_view url) {
  HEADRACE_ASSIGN_OR_RETURN(const SplitUrl split, ParseUrl(url));
  target.tls.enabled = split.origin.starts_with("https://");
  target.unix_socket.clear();
  std::string authority = split.origin.substr(split.origin.find("://") + 3);
  target.port = target.tls.enabled ? 443 : 80;
  const std::size_t colon = authority.rfind(':');
  if (colon != std::string::npos && authority.find(']', colon) == std::string::npos) {
    const auto port = ParseDecimal<std::uint16_t>(std::string_view(authority).substr(colon + 1));
    if (!port) {
      return InvalidArgument("'{}': the port is no number from 0 to 65535", url);
    }
    target.port = *port;
    authority.resize(colon);
  }
  target.host = std::move(authority);
  return target;
}

std::string EscapePath(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       std::string_view("-._~").find(c) != std::string_view::npos;
    if (plain) {
      out.push_back(c);
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

Status ReplyError(std::string_view method, std::string_view url, const HttpReply& reply) {
  return Status(CodeOf(reply.status),
                fmt::format("{} {}: {}: {}", method, url, reply.status, MessageOf(reply.body)));
}

}  // namespace headrace::load
