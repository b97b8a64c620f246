#include "store/source_url.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/ascii.h"

namespace headrace::store {
namespace {

constexpr std::string_view kHexDigits = "0123456789ABCDEF";
constexpr std::size_t kHostByteSizeMax = 253;

bool Has(std::string_view text, char c) { return text.find(c) != std::string_view::npos; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlnum(char c) { return IsDigit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool IsUnreserved(char c) { return IsAlnum(c) || Has("-._~", c); }
char Lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::uint16_t DefaultPort(SourceUrl::Scheme scheme) {
  return scheme == SourceUrl::Scheme::kHttps ? 443 : 80;
}

std::string_view SchemeName(SourceUrl::Scheme scheme) {
  switch (scheme) {
    case SourceUrl::Scheme::kHttp:
      return "http";
    case SourceUrl::Scheme::kHttps:
      return "https";
    case SourceUrl::Scheme::kFile:
      return "file";
  }
  return "";
}

int HexValue(char c) {
  if (IsDigit(c)) {
    return c - '0';
  }
  const char lower = Lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The byte that `text` ("%41...") begins with; nothing if it is no escape.
std::optional<unsigned char> Escaped(std::string_view text) {
  if (text.size() < 3 || HexValue(text[1]) < 0 || HexValue(text[2]) < 0) {
    return std::nullopt;
  }
  return static_cast<unsigned char>(HexValue(text[1]) * 16 + HexValue(text[2]));
}

// Path or query with escapes in one form. Those that could be something else after a second
// decoding, or in another reader's eyes, are refused.
Result<std::string> Normalised(std::string_view text, std::string_view part) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c != '%') {
      if (!IsUnreserved(c) && !Has("/:@!$&'()*+,;=?", c)) {
        return InvalidArgument("the {} has a character that must be percent-encoded", part);
      }
      out += c;
      continue;
    }
    const std::optional<unsigned char> byte = Escaped(text.substr(i));
    if (!byte) {
      return InvalidArgument("the {} has a '%' without two hexadecimal digits", part);
    }
    const char decoded = static_cast<char>(*byte);
    if (*byte < 0x20 || *byte == 0x7f) {
      return InvalidArgument("the {} has an escape of a control byte", part);
    }
    // In a query, '/' and '%' are often escaped (signed URLs), and nobody looks for segments there.
    if (part == "path" && Has("./\\%", decoded)) {
      return InvalidArgument("the path has an escape of '{}'", decoded);
    }
    if (IsUnreserved(decoded)) {
      out += decoded;
    } else {
      out += '%';
      out += kHexDigits[*byte >> 4];
      out += kHexDigits[*byte & 15];
    }
    i += 2;
  }
  return out;
}

// Whether readers of addresses might take the name for a number: 2130706433, 0x7f.1, 127.1.
bool LooksNumeric(std::string_view host) {
  const std::string_view last = host.substr(host.rfind('.') + 1);
  const bool hexadecimal = last.starts_with("0x");
  return hexadecimal
             ? std::all_of(last.begin() + 2, last.end(), [](char c) { return HexValue(c) >= 0; })
             : std::all_of(last.begin(), last.end(), IsDigit);
}

Result<std::string> NormalisedHost(std::string_view text) {
  if (text.starts_with('[')) {
    in6_addr address;
    char written[INET6_ADDRSTRLEN];
    const std::string inner(text.substr(1, text.size() - 2));
    if (!text.ends_with(']') || inet_pton(AF_INET6, inner.c_str(), &address) != 1) {
      return InvalidArgument("the host is no IPv6 address");
    }
    return std::string(inet_ntop(AF_INET6, &address, written, sizeof(written)));
  }
  std::string host = LowerCase(text);
  if (host.ends_with('.')) {
    host.pop_back();
  }
  if (host.empty() || host.size() > kHostByteSizeMax || host.starts_with('.') ||
      host.ends_with('.')) {
    return InvalidArgument("the host is missing or no name");
  }
  if (!std::all_of(host.begin(), host.end(),
                   [](char c) { return IsAlnum(c) || c == '-' || c == '.' || c == '_'; })) {
    return InvalidArgument("the host has a character that no host name has");
  }
  if (LooksNumeric(host)) {
    in_addr address;
    char written[INET_ADDRSTRLEN];
    if (inet_pton(AF_INET, host.c_str(), &address) != 1 ||
        host != inet_ntop(AF_INET, &address, written, sizeof(written))) {
      return InvalidArgument("the host is an address that is not in the form 192.0.2.1");
    }
  }
  return host;
}

Status ParseAuthority(std::string_view authority, SourceUrl& url) {
  if (Has(authority, '@')) {
    return InvalidArgument("it has user information ('@' before the path)");
  }
  std::string_view host = authority;
  url.port = DefaultPort(url.scheme);
  const std::size_t colon = authority.rfind(':');
  if (colon != std::string_view::npos && authority.find(']', colon) == std::string_view::npos) {
    host = authority.substr(0, colon);
    const std::string_view port = authority.substr(colon + 1);
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
    if (error != std::errc() || end != port.data() + port.size() || url.port == 0) {
      return InvalidArgument("the port is no number from 1 to 65535");
    }
  }
  HEADRACE_ASSIGN_OR_RETURN(url.host, NormalisedHost(host));
  return OkStatus();
}

Status CheckSegments(std::string_view path) {
  while (!path.empty()) {
    path.remove_prefix(1);  // the '/'
    const std::size_t end = std::min(path.find('/'), path.size());
    if (path.substr(0, end) == ".") {
      return InvalidArgument("the path has a segment '.'");
    }
    path.remove_prefix(end);
  }
  return OkStatus();
}

}  // namespace

Result<SourceUrl> SourceUrl::Parse(std::string_view text) {
  if (text.size() > kSourceUrlByteSizeMax) {
    return InvalidArgument("it is longer than {} bytes", kSourceUrlByteSizeMax);
  }
  const std::size_t scheme_end = text.find("://");
  if (scheme_end == std::string_view::npos) {
    return InvalidArgument("it has no scheme");
  }
  SourceUrl url;
  const std::string scheme = LowerCase(text.substr(0, scheme_end));
  if (scheme == "https") {
    url.scheme = Scheme::kHttps;
  } else if (scheme == "http") {
    url.scheme = Scheme::kHttp;
  } else if (scheme == "file") {
    url.scheme = Scheme::kFile;
  } else {
    return InvalidArgument("its scheme is none of http, https and file");
  }
  std::string_view rest = text.substr(scheme_end + 3);
  if (Has(rest, '#')) {
    return InvalidArgument("it has a fragment ('#')");
  }
  if (rest.find("..") != std::string_view::npos) {
    return InvalidArgument("it has '..'");
  }
  const std::size_t authority_end = std::min(rest.find_first_of("/?\\"), rest.size());
  const std::string_view authority = rest.substr(0, authority_end);
  rest.remove_prefix(authority_end);
  if (url.scheme == Scheme::kFile) {
    if (!authority.empty()) {
      return InvalidArgument("a file URL has three slashes and no host: file:///folder/name");
    }
  } else {
    HEADRACE_RETURN_IF_ERROR(ParseAuthority(authority, url));
  }
  const std::size_t question = std::min(rest.find('?'), rest.size());
  HEADRACE_ASSIGN_OR_RETURN(url.path, Normalised(rest.substr(0, question), "path"));
  if (question < rest.size()) {
    if (url.scheme == Scheme::kFile) {
      return InvalidArgument("a file URL has no query ('?')");
    }
    HEADRACE_ASSIGN_OR_RETURN(url.query, Normalised(rest.substr(question + 1), "query"));
  }
  if (url.path.empty()) {
    url.path = "/";
  }
  HEADRACE_RETURN_IF_ERROR(CheckSegments(url.path));
  return url;
}

std::string SourceUrl::Origin() const {
  if (scheme == Scheme::kFile) {
    return "";
  }
  std::string origin(SchemeName(scheme));
  const bool is_ipv6 = Has(host, ':');
  origin.append(is_ipv6 ? "://[" : "://").append(host).append(is_ipv6 ? "]" : "");
  if (port != DefaultPort(scheme)) {
    origin.append(":").append(std::to_string(port));
  }
  return origin;
}

std::string SourceUrl::Text() const {
  std::string text = scheme == Scheme::kFile ? "file://" : Origin();
  text += path;
  if (!query.empty()) {
    text.append("?").append(query);
  }
  return text;
}

std::string SourceUrl::DecodedPath() const {
  std::string out;
  for (std::size_t i = 0; i < path.size(); ++i) {
    if (path[i] == '%') {
      out += static_cast<char>(*Escaped(std::string_view(path).substr(i)));
      i += 2;
    } else {
      out += path[i];
    }
  }
  return out;
}

}  // namespace headrace::store
