// Brings archives that lie elsewhere into the model store (contracts, TorchServe 2.2; reliability
// D4).
#ifndef HEADRACE_STORE_ARCHIVE_FETCHER_H_
#define HEADRACE_STORE_ARCHIVE_FETCHER_H_

#include <string>
#include <string_view>

#include "store/store_error.h"

namespace headrace::store {

// Implementations are thread-safe. UrlFetcher (store/url_fetcher.h) is the one that knows http,
// https, file and S3; tests give their own.
class ArchiveFetcher {
 public:
  virtual ~ArchiveFetcher() = default;

  // Whether `url` names something outside of the store ("scheme://...").
  static bool IsUrl(std::string_view url) { return url.find("://") != std::string_view::npos; }

  // Fetches `url` into the new file `target`, which is only there when the whole archive is.
  // Blocks. Nothing is written before the URL was allowed. kModelNotFound for one that is not
  // ("Given URL
  // ..."), kDownload for one that does not come, kInternal "Model file already exists <file>".
  virtual StoreError Fetch(const std::string& url, const std::string& target, bool s3_sse_kms) = 0;
};

}  // namespace headrace::store

#endif  // HEADRACE_STORE_ARCHIVE_FETCHER_H_
