// `allowed_urls`: which URLs archives may be fetched from (contracts, TorchServe 2.2; reliability
// D4; CVE-2023-43654, CVE-2024-35198).
#ifndef HEADRACE_STORE_URL_POLICY_H_
#define HEADRACE_STORE_URL_POLICY_H_

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/source_url.h"

namespace headrace::store {

// Immutable; pure but for OpenedFile, which looks at the file system. Thread-safe.
//
// An entry is a place or an expression. A place is a URL, "https://host[:port]/folder/", perhaps
// with ".*" behind its last slash, "\." for a dot, and "http(s)?://" or "https?://" before it: it
// allows what has its scheme, host and port and lies at or below its path, segment by segment,
// whatever the query. Only a place names its host, and so allows one in a private network. All else
// is an expression, as TorchServe has it: without regard to case it must match the whole of the URL
// as it was given, and of its one form.
class UrlPolicy {
 public:
  // No entry allows nothing. INVALID_ARGUMENT names the entry that is no expression.
  static Result<UrlPolicy> Make(const std::vector<std::string>& entries);
  UrlPolicy(UrlPolicy&&) noexcept;
  UrlPolicy& operator=(UrlPolicy&&) noexcept;
  ~UrlPolicy();

  struct Verdict {
    bool allowed = false;
    bool private_addresses = false;  // the host is named, wherever it is
  };
  // `url` is what `text` parses to.
  Verdict Allows(std::string_view text, const SourceUrl& url) const;

  // Whether a file that was opened by an allowed file URL, and is at `path` with all links
  // followed, is in an allowed place too; a place that is behind a link itself is followed as well.
  bool AllowsOpenedFile(const std::string& path) const;

 private:
  struct Entry;
  UrlPolicy();
  std::vector<Entry> entries_;
};

}  // namespace headrace::store

#endif  // HEADRACE_STORE_URL_POLICY_H_
