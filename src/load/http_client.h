// A blocking HTTP client for what is asked of a server beside inference.
#ifndef HEADRACE_LOAD_HTTP_CLIENT_H_
#define HEADRACE_LOAD_HTTP_CLIENT_H_

#include <cstddef>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "load/target.h"

namespace headrace::load {

struct HttpClientSpec {
  std::string origin;       // "http://host:port", without a path
  std::string unix_socket;  // connects there, whatever the origin's host
  std::vector<std::pair<std::string, std::string>> headers;
  TlsFiles tls;
  Nanos connect_timeout = 5 * kSecond;
  Nanos timeout = 60 * kSecond;  // of a whole call
  std::size_t body_byte_size_max = std::size_t{256} << 20;
};

struct HttpCall {
  std::string method = "GET";
  std::string path;  // the request target: "/v2?x=1"
  std::string_view body = {};
  std::string content_type = {};                                  // "" = none
  std::vector<std::pair<std::string, std::string>> headers = {};  // of this call alone
  Nanos timeout = 0;                                              // 0 = the client's
};

struct HttpReply {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;  // names in lower case
  std::string body;

  bool ok() const { return status / 100 == 2; }
  const std::string* Header(std::string_view lower_case_name) const;
};

// Keeps one connection open and sends one call at a time over it. Thread-safe.
class HttpClient {
 public:
  explicit HttpClient(HttpClientSpec spec);
  ~HttpClient();

  // Any answer is a success. UNAVAILABLE, DEADLINE_EXCEEDED (no answer), RESOURCE_EXHAUSTED (an
  // answer that is too large), each naming the URL. Redirects are not followed, proxies not used.
  Result<HttpReply> Call(const HttpCall& call);

  // "http://host:port/path", for messages.
  std::string Url(std::string_view path) const;

 private:
  struct Transfer;

  const HttpClientSpec spec_;
  std::mutex mutex_;  // guards curl_
  std::unique_ptr<void, void (*)(void*)> curl_;
};

// The origin of a target that speaks HTTP: "http://127.0.0.1:8000", with brackets around IPv6.
std::string HttpOrigin(const TargetSpec& target);
// The same host at another port.
std::string HttpOrigin(const TargetSpec& target, int port);
// The spec of a client of `target`, with its TLS, headers and time-outs.
HttpClientSpec ClientOf(const TargetSpec& target);

struct SplitUrl {
  std::string origin, path;  // path: "/..." or ""
};
// "host:port/x" gets "http://" in front. INVALID_ARGUMENT for another scheme, or no host.
Result<SplitUrl> ParseUrl(std::string_view url);

// `target` with the host, port and TLS of `url`, over TCP.
Result<TargetSpec> TargetOf(TargetSpec target, std::string_view url);

// `text` with everything but letters, digits and "-._~" as %XX: a segment of a path.
std::string EscapePath(std::string_view text);

// A failed answer as a status: the code of its HTTP status, "GET URL: 404: what the server said"
// (the member "error", "message" or "detail" of a JSON body, else its first line).
Status ReplyError(std::string_view method, std::string_view url, const HttpReply& reply);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_HTTP_CLIENT_H_
