#include "store/url_fetcher.h"

#include <curl/curl.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <climits>
#include <cstring>
#include <filesystem>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/unique_fd.h"

namespace headrace::store {
namespace {

constexpr std::size_t kCopyByteSize = 1 << 20;

StoreError NotAllowed(const std::string& url, std::string_view why) {
  HEADRACE_LOG_WARNING("the archive {} is not fetched: {}", EscapeForLog(url), why);
  return {StoreFault::kModelNotFound,
          fmt::format("Given URL {} does not match any allowed URL(s): {}", url, why)};
}

StoreError NotFetched(const std::string& url, const Status& why) {
  HEADRACE_LOG_WARNING("the archive {} could not be fetched: {}", EscapeForLog(url), why.message());
  if (why.code() == StatusCode::kUnavailable) {
    return {StoreFault::kDownload,
            fmt::format("Failed to download archive from: {} ({})", url, why.message())};
  }
  return {StoreFault::kInternal, fmt::format("Failed to save model: {} ({})", url, why.message())};
}

StoreError NotKept(const std::string& url, const std::string& target, const Status& why) {
  if (why.code() == StatusCode::kAlreadyExists) {
    return {StoreFault::kInternal,
            "Model file already exists " + std::filesystem::path(target).filename().string()};
  }
  return NotFetched(url, why);
}

// Where the open file is, whatever links led to it.
std::string PathOf(int fd) {
  std::string path(PATH_MAX, '\0');
  const ssize_t byte_size =
      readlink(fmt::format("/proc/self/fd/{}", fd).c_str(), path.data(), path.size());
  path.resize(byte_size < 0 ? 0 : static_cast<std::size_t>(byte_size));
  return path;
}

std::int64_t NowMs() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

UrlFetcher::UrlFetcher(UrlPolicy policy, UrlFetcherOptions options)
    : policy_(std::move(policy)), options_(std::move(options)) {
  curl_global_init(CURL_GLOBAL_DEFAULT);
}

StoreError UrlFetcher::Fetch(const std::string& url, const std::string& target, bool s3_sse_kms) {
  if (url.find("..") != std::string::npos) {
    return {StoreFault::kModelNotFound, "Relative path is not allowed in url: " + url};
  }
  Result<SourceUrl> parsed = SourceUrl::Parse(url);
  if (!parsed.ok()) {
    return NotAllowed(url, parsed.status().message());
  }
  const UrlPolicy::Verdict verdict = policy_.Allows(url, *parsed);
  if (!verdict.allowed) {
    return NotAllowed(url, "no entry of allowed_urls allows it");
  }
  if (parsed->scheme == SourceUrl::Scheme::kFile) {
    return CopyFile(url, *parsed, target);
  }
  return Download(url, std::move(parsed).value(), verdict.private_addresses, target, s3_sse_kms);
}

StoreError UrlFetcher::CopyFile(const std::string& text, const SourceUrl& url,
                                const std::string& target) {
  // O_NONBLOCK: a named pipe must not hold the thread until somebody writes to it.
  const UniqueFd source(
      open(url.DecodedPath().c_str(), O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
  struct stat facts = {};
  if (!source || fstat(source.get(), &facts) != 0) {
    return NotFetched(text, Unavailable("{}", std::strerror(errno)));
  }
  if (!policy_.AllowsOpenedFile(PathOf(source.get()))) {
    return NotAllowed(text, "a link leads out of what allowed_urls allows");
  }
  if (!S_ISREG(facts.st_mode)) {
    return NotFetched(text, Unavailable("it is no file"));
  }
  Result<NewFile> file = NewFile::Make(target);
  if (!file.ok()) {
    return NotKept(text, target, file.status());
  }
  std::vector<char> block(kCopyByteSize);
  while (true) {
    const ssize_t byte_size = read(source.get(), block.data(), block.size());
    if (byte_size < 0) {
      return NotFetched(text, Unavailable("{}", std::strerror(errno)));
    }
    if (byte_size == 0) {
      break;
    }
    if (stopped_.load()) {
      return NotFetched(text, Unavailable("the server ends"));
    }
    if (static_cast<std::uint64_t>(byte_size) > options_.byte_size_max - file->byte_size()) {
      return NotFetched(text, Unavailable("it is larger than {} bytes", options_.byte_size_max));
    }
    if (const Status status = file->Append(block.data(), static_cast<std::size_t>(byte_size));
        !status.ok()) {
      return NotKept(text, target, status);
    }
  }
  const Status published = file->Publish();
  return published.ok() ? StoreError() : NotKept(text, target, published);
}

StoreError UrlFetcher::Download(const std::string& text, SourceUrl url, bool private_addresses,
                                const std::string& target, bool s3_sse_kms) {
  if (s3_sse_kms && options_.s3.access_key_id.empty()) {
    return {StoreFault::kDownload,
            fmt::format("Failed to download archive from: {} (s3_sse_kms needs AWS_ACCESS_KEY_ID, "
                        "AWS_SECRET_ACCESS_KEY and AWS_DEFAULT_REGION in the server's environment)",
                        text)};
  }
  const std::int64_t deadline_ms = NowMs() + options_.timeout_ms;
  Result<NewFile> file = NewFile::Make(target);
  if (!file.ok()) {
    return NotKept(text, target, file.status());
  }
  for (int redirect_count = 0; redirect_count <= options_.redirect_count_max; ++redirect_count) {
    const std::int64_t left_ms = deadline_ms - NowMs();
    if (left_ms <= 0 || stopped_.load()) {
      return NotFetched(text, Unavailable("{}", left_ms <= 0 ? "it takes too long" : "stopped"));
    }
    const HttpOutcome outcome =
        store::Download({.url = url,
                         .private_addresses = private_addresses,
                         .s3 = options_.s3.Signs(url) ? &options_.s3 : nullptr,
                         .byte_size_max = options_.byte_size_max,
                         .connect_timeout_ms = options_.connect_timeout_ms,
                         .timeout_ms = left_ms,
                         .byte_rate_min = options_.byte_rate_min,
                         .byte_rate_window_s = options_.byte_rate_window_s,
                         .stopped = stopped_},
                        *file);
    if (outcome.status.code() == StatusCode::kPermissionDenied) {
      return NotAllowed(text, outcome.status.message());
    }
    if (!outcome.status.ok()) {
      return NotFetched(text, outcome.status);
    }
    if (outcome.redirect.empty()) {
      const Status published = file->Publish();
      return published.ok() ? StoreError() : NotKept(text, target, published);
    }
    Result<SourceUrl> next = SourceUrl::Parse(outcome.redirect);
    if (!next.ok()) {
      return NotAllowed(text,
                        "it is redirected to a URL that is refused: " + next.status().message());
    }
    const UrlPolicy::Verdict verdict = policy_.Allows(outcome.redirect, *next);
    if (!verdict.allowed || next->scheme == SourceUrl::Scheme::kFile) {
      return NotAllowed(text, "it is redirected to a URL that allowed_urls does not allow");
    }
    if (url.scheme == SourceUrl::Scheme::kHttps && next->scheme == SourceUrl::Scheme::kHttp) {
      return NotAllowed(text, "it is redirected from https to http");
    }
    url = std::move(next).value();
    private_addresses = verdict.private_addresses;
  }
  return NotFetched(text, Unavailable("more than {} redirects", options_.redirect_count_max));
}

}  // namespace headrace::store
