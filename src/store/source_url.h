// The URL of an archive, taken apart and brought into one form (reliability D4).
#ifndef HEADRACE_STORE_SOURCE_URL_H_
#define HEADRACE_STORE_SOURCE_URL_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace::store {

inline constexpr std::size_t kSourceUrlByteSizeMax = 4096;

// In one form: scheme and host in lower case, a number of a port where it is not the scheme's own,
// unreserved characters of the path not percent-encoded, escapes in upper case. Two URLs that a
// server could take for one and the same are equal in it; one that readers could understand in
// two ways is refused.
struct SourceUrl {
  enum class Scheme : std::uint8_t { kHttp, kHttps, kFile };

  Scheme scheme = Scheme::kHttps;
  std::string host;  // a name, a dotted IPv4 address or an IPv6 address without brackets; kFile: ""
  std::uint16_t port = 0;
  std::string path;   // begins with '/'; still percent-encoded
  std::string query;  // without the '?'

  // Refuses (INVALID_ARGUMENT, the message names the part): another scheme, user information, a
  // fragment, ".." anywhere, "." segments, escapes that hide '.', '/', '\', '%' or a control byte,
  // characters that no URL has, addresses in any form but the usual one (decimal, octal, short),
  // zone identifiers, ports that are none, a host in a file URL, more than kSourceUrlByteSizeMax.
  static Result<SourceUrl> Parse(std::string_view text);

  // The whole URL again.
  std::string Text() const;
  // scheme://host[:port]; empty for file.
  std::string Origin() const;
  // The path, percent-decoded: of a file URL what is opened.
  std::string DecodedPath() const;
};

}  // namespace headrace::store

#endif  // HEADRACE_STORE_SOURCE_URL_H_
