#include "store/http_download.h"

#include <curl/curl.h>
#include <sys/socket.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <utility>

#include "store/source_address.h"

namespace headrace::store {
namespace {

// Of an answer that is no 200: read, so that its head is seen, and dropped.
constexpr std::uint64_t kOtherBodyByteSizeMax = 64 << 10;
constexpr long kOk = 200;

struct Transfer {
  const HttpDownload& download;
  NewFile& file;
  CURL* curl;
  std::uint64_t dropped_byte_size = 0;
  std::string refused_address;  // the last one
  Status failure;
};

long AnswerCode(CURL* curl) {
  long code = 0;
  curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &code);
  return code;
}

curl_socket_t OpenSocket(void* context, curlsocktype, curl_sockaddr* address) {
  Transfer& transfer = *static_cast<Transfer*>(context);
  if (!transfer.download.private_addresses && !IsPublicAddress(address->addr)) {
    transfer.refused_address = AddressText(address->addr);
    return CURL_SOCKET_BAD;
  }
  return socket(address->family, address->socktype | SOCK_CLOEXEC, address->protocol);
}

std::size_t TakeBody(char* data, std::size_t size, std::size_t count, void* context) {
  Transfer& transfer = *static_cast<Transfer*>(context);
  const std::size_t byte_size = size * count;
  if (AnswerCode(transfer.curl) != kOk) {
    transfer.dropped_byte_size += byte_size;
    return transfer.dropped_byte_size > kOtherBodyByteSizeMax ? 0 : byte_size;
  }
  if (byte_size > transfer.download.byte_size_max - transfer.file.byte_size()) {
    transfer.failure = Unavailable("it is larger than {} bytes", transfer.download.byte_size_max);
    return 0;
  }
  transfer.failure = transfer.file.Append(data, byte_size);
  return transfer.failure.ok() ? byte_size : 0;
}

int IsStopped(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(context)->load() ? 1 : 0;
}

using Headers = std::unique_ptr<curl_slist, void (*)(curl_slist*)>;

Headers Sign(CURL* curl, const S3Access& access) {
  Headers headers(nullptr, &curl_slist_free_all);
  curl_easy_setopt(curl, CURLOPT_AWS_SIGV4, ("aws:amz:" + access.region + ":s3").c_str());
  curl_easy_setopt(curl, CURLOPT_USERNAME, access.access_key_id.c_str());
  curl_easy_setopt(curl, CURLOPT_PASSWORD, access.secret_access_key.c_str());
  // Of the empty body; S3 wants to see it, and it is signed.
  headers.reset(curl_slist_append(
      nullptr,
      "x-amz-content-sha256: e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"));
  if (!access.session_token.empty()) {
    headers.reset(curl_slist_append(headers.release(),
                                    ("x-amz-security-token: " + access.session_token).c_str()));
  }
  curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers.get());
  return headers;
}

void SetOptions(Transfer& transfer) {
  CURL* const curl = transfer.curl;
  const HttpDownload& download = transfer.download;
  curl_easy_setopt(curl, CURLOPT_URL, download.url.Text().c_str());
  curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(curl, CURLOPT_PATH_AS_IS, 1L);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_NETRC, static_cast<long>(CURL_NETRC_IGNORED));
  curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(curl, CURLOPT_USERAGENT, "headrace");
  curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(download.connect_timeout_ms));
  curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(download.timeout_ms));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, static_cast<long>(download.byte_rate_min));
  curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(download.byte_rate_window_s));
  curl_easy_setopt(curl, CURLOPT_MAXFILESIZE_LARGE,
                   static_cast<curl_off_t>(download.byte_size_max));
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETFUNCTION, &OpenSocket);
  curl_easy_setopt(curl, CURLOPT_OPENSOCKETDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &TakeBody);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &transfer);
  curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
  curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, &IsStopped);
  curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &download.stopped);
}

std::string Variable(const char* name, const char* other = nullptr) {
  const char* value = std::getenv(name);
  if ((value == nullptr || *value == '\0') && other != nullptr) {
    value = std::getenv(other);
  }
  return value == nullptr ? "" : value;
}

HttpOutcome Outcome(const Transfer& transfer, CURLcode code) {
  if (!transfer.failure.ok()) {
    return {transfer.failure, ""};
  }
  // An address that is refused looks to curl like one that cannot be connected to.
  if (code != CURLE_OK && !transfer.refused_address.empty()) {
    return {PermissionDenied("its host is at {}, which is no public address; an entry of "
                             "allowed_urls that names the host allows it",
                             transfer.refused_address),
            ""};
  }
  const long answer = AnswerCode(transfer.curl);
  if (answer / 100 == 3) {
    char* redirect = nullptr;
    curl_easy_getinfo(transfer.curl, CURLINFO_REDIRECT_URL, &redirect);
    if (redirect != nullptr) {
      return {OkStatus(), redirect};
    }
  }
  if (answer != 0 && answer != kOk) {
    return {Unavailable("the server answers {}", answer), ""};
  }
  if (code != CURLE_OK) {
    return {Unavailable("{}", curl_easy_strerror(code)), ""};
  }
  return {};
}

}  // namespace

S3Access S3Access::FromEnvironment() {
  S3Access access;
  access.access_key_id = Variable("AWS_ACCESS_KEY_ID");
  access.secret_access_key = Variable("AWS_SECRET_ACCESS_KEY");
  access.session_token = Variable("AWS_SESSION_TOKEN");
  if (std::string region = Variable("AWS_DEFAULT_REGION", "AWS_REGION"); !region.empty()) {
    access.region = std::move(region);
  }
  if (Result<SourceUrl> endpoint =
          SourceUrl::Parse(Variable("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"));
      endpoint.ok()) {
    access.endpoint_origin = endpoint->Origin();
  }
  return access;
}

bool S3Access::Signs(const SourceUrl& url) const {
  if (access_key_id.empty() || secret_access_key.empty() ||
      url.query.find("X-Amz-Signature=") != std::string::npos) {
    return false;
  }
  if (!endpoint_origin.empty() && url.Origin() == endpoint_origin) {
    return true;
  }
  // bucket.s3.region.amazonaws.com, s3-region.amazonaws.com, s3.amazonaws.com, ...com.cn
  const std::size_t amazon = url.host.rfind(".amazonaws.com");
  if (url.scheme != SourceUrl::Scheme::kHttps || amazon == std::string::npos ||
      (!url.host.ends_with(".amazonaws.com") && !url.host.ends_with(".amazonaws.com.cn"))) {
    return false;
  }
  const std::string labels = "." + url.host.substr(0, amazon) + ".";
  return labels.find(".s3.") != std::string::npos || labels.find(".s3-") != std::string::npos;
}

HttpOutcome Download(const HttpDownload& download, NewFile& file) {
  const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), &curl_easy_cleanup);
  if (curl == nullptr) {
    return {Internal("the HTTP client could not be made"), ""};
  }
  Transfer transfer{download, file, curl.get(), 0, {}, {}};
  SetOptions(transfer);
  std::optional<Headers> headers;
  if (download.s3 != nullptr) {
    headers = Sign(curl.get(), *download.s3);
  }
  const CURLcode code = curl_easy_perform(curl.get());
  return Outcome(transfer, code);
}

}  // namespace headrace::store
