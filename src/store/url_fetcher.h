// Fetches archives over http, https (S3 too) and from files (contracts, TorchServe 2.2; reliability
// D4).
#ifndef HEADRACE_STORE_URL_FETCHER_H_
#define HEADRACE_STORE_URL_FETCHER_H_

#include <atomic>
#include <cstdint>
#include <string>

#include "store/archive_fetcher.h"
#include "store/http_download.h"
#include "store/url_policy.h"

namespace headrace::store {

struct UrlFetcherOptions {
  std::uint64_t byte_size_max = std::uint64_t{16} << 30;  // of one archive as it is fetched
  std::int64_t connect_timeout_ms = 10'000;
  std::int64_t timeout_ms = 30 * 60'000;  // of one fetch, redirects and all
  std::int64_t byte_rate_min = 1024;      // bytes per second; slower for ...
  std::int64_t byte_rate_window_s = 30;   // ... so long ends it. 0: never
  int redirect_count_max = 5;
  S3Access s3;
};

// Thread-safe. Proxies of the environment are not used: the address that was checked is the one
// that is spoken to.
class UrlFetcher : public ArchiveFetcher {
 public:
  UrlFetcher(UrlPolicy policy, UrlFetcherOptions options);

  StoreError Fetch(const std::string& url, const std::string& target, bool s3_sse_kms) override;

  // Ends what is being fetched, and lets nothing be fetched from now on; does not wait.
  void Stop() { stopped_.store(true); }

 private:
  StoreError CopyFile(const std::string& text, const SourceUrl& url, const std::string& target);
  StoreError Download(const std::string& text, SourceUrl url, bool private_addresses,
                      const std::string& target, bool s3_sse_kms);

  const UrlPolicy policy_;
  const UrlFetcherOptions options_;
  std::atomic<bool> stopped_{false};
};

}  // namespace headrace::store

#endif  // HEADRACE_STORE_URL_FETCHER_H_
