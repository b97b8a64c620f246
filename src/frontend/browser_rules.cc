#include "frontend/browser_rules.h"

#include <arpa/inet.h>

#include <algorithm>
#include <optional>
#include <string_view>

#include "base/ascii.h"

namespace headrace::frontend {
namespace {

constexpr std::size_t kShownByteSizeMax = 128;  // of what a client chooses

// "host:80" -> "host"; "[::1]:80" -> "::1".
std::string_view WithoutPort(std::string_view host) {
  if (host.starts_with('[')) {
    const std::size_t end = host.find(']');
    return end == std::string_view::npos ? host : host.substr(1, end - 1);
  }
  return host.substr(0, host.find(':'));
}

bool IsAddress(std::string_view host) {
  in6_addr address;
  const std::string text(host);
  return ::inet_pton(AF_INET, text.c_str(), &address) == 1 ||
         ::inet_pton(AF_INET6, text.c_str(), &address) == 1;
}

bool IsLocalhost(std::string_view name) {
  constexpr std::string_view kSuffix = ".localhost";
  return EqualsIgnoringCase(name, kSuffix.substr(1)) ||
         (name.size() > kSuffix.size() &&
          EqualsIgnoringCase(name.substr(name.size() - kSuffix.size()), kSuffix));
}

bool MayBeCalled(const BrowserRules& rules, std::string_view host) {
  if (!rules.loopback && rules.allowed_hosts.empty()) {
    return true;
  }
  const std::string_view name = WithoutPort(host);
  return IsLocalhost(name) || IsAddress(name) ||
         std::any_of(rules.allowed_hosts.begin(), rules.allowed_hosts.end(),
                     [&](const std::string& allowed) {
                       return allowed == "*" || EqualsIgnoringCase(allowed, name);
                     });
}

// Whether `origin` is the server's own, which `host` names. The scheme is what the browser has used
// for the server itself.
bool IsSameOrigin(std::string_view origin, std::string_view host) {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (origin.starts_with(scheme)) {
      return !host.empty() && EqualsIgnoringCase(origin.substr(scheme.size()), host);
    }
  }
  return false;
}

}  // namespace

Status CheckBrowser(const BrowserRules& rules, const net::HttpRequestHead& head) {
  const std::string_view host = head.Header("Host").value_or("");
  // No browser leaves it out.
  if (!host.empty() && !MayBeCalled(rules, host)) {
    return PermissionDenied(
        "Host '{}' is no name of this server; use an address or localhost, or allow the name with "
        "management_allowed_hosts (--management-allowed-host)",
        host.substr(0, kShownByteSizeMax));
  }
  const std::optional<std::string_view> origin = head.Header("Origin");
  if (!origin || (head.HeaderCount("Origin") == 1 &&
                  (rules.allowed_origin == "*" || *origin == rules.allowed_origin ||
                   IsSameOrigin(*origin, host)))) {
    return OkStatus();
  }
  return PermissionDenied(
      "a page of another origin, '{}', may not change this server; cors_allowed_origin allows one "
      "of TorchServe's clients",
      origin->substr(0, kShownByteSizeMax));
}

}  // namespace headrace::frontend
