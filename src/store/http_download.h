// One GET, from one address that was looked at before it was connected to.
#ifndef HEADRACE_STORE_HTTP_DOWNLOAD_H_
#define HEADRACE_STORE_HTTP_DOWNLOAD_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "base/status.h"
#include "store/new_file.h"
#include "store/source_url.h"

namespace headrace::store {

// The usual variables of Amazon's tools. An empty key: nothing is signed.
struct S3Access {
  std::string access_key_id, secret_access_key, session_token;
  std::string region = "us-east-1";
  std::string endpoint_origin;  // of a store that is not Amazon's: "https://host:port"

  // AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_DEFAULT_REGION (or
  // AWS_REGION), AWS_ENDPOINT_URL_S3 (or AWS_ENDPOINT_URL).
  static S3Access FromEnvironment();
  // Whether a request for `url` is signed: https and a host of S3, or the endpoint's origin, and no
  // signature in the query.
  bool Signs(const SourceUrl& url) const;
};

struct HttpDownload {
  const SourceUrl& url;
  bool private_addresses = false;  // else every address must be public (source_address.h)
  const S3Access* s3 = nullptr;    // null: unsigned
  std::uint64_t byte_size_max = 0;
  std::int64_t connect_timeout_ms = 0, timeout_ms = 0;
  std::int64_t byte_rate_min = 0, byte_rate_window_s = 0;
  const std::atomic<bool>& stopped;
};

struct HttpOutcome {
  // PERMISSION_DENIED: an address that is not allowed; UNAVAILABLE: did not come;
  // RESOURCE_EXHAUSTED and INTERNAL: the file could not be written.
  Status status;
  std::string redirect;  // where the answer points to; then nothing was written
};

// Appends the body of a 200 to `file`, and of no other answer. Blocks.
HttpOutcome Download(const HttpDownload& download, NewFile& file);

}  // namespace headrace::store

#endif  // HEADRACE_STORE_HTTP_DOWNLOAD_H_
