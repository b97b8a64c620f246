#include "torchserve/api_router.h"

#include <optional>

#include "protocol/urlencoded.h"

namespace headrace::torchserve {
namespace {

// More segments stay one, so that no path costs more than its bytes.
constexpr std::size_t kSegmentCountMax = 64;
constexpr std::size_t kQueryFieldCountMax = 256;

std::string_view TakeSegment(std::string_view& rest, char separator) {
  const std::size_t end = rest.find(separator);
  const std::string_view segment = rest.substr(0, end);
  rest = end == std::string_view::npos ? std::string_view() : rest.substr(end + 1);
  return segment;
}

bool SegmentMatches(std::string_view pattern, std::string_view segment) {
  if (!pattern.starts_with('*')) {
    return pattern == segment;
  }
  const std::string_view end = pattern.substr(1);
  return segment.size() >= end.size() && segment.ends_with(end);
}

bool Allows(std::string_view methods, net::HttpMethod method) {
  if (methods.empty()) {
    return true;
  }
  const std::string_view name = net::HttpMethodName(method);
  while (!methods.empty()) {
    if (TakeSegment(methods, ',') == name) {
      return true;
    }
  }
  return false;
}

std::string DecodeField(std::string_view text) {
  auto decoded = protocol::PercentDecode(text, true);
  return decoded.ok() ? *std::move(decoded) : std::string(text);
}

}  // namespace

std::vector<std::string> SplitPath(std::string_view raw) {
  std::optional<std::string> decoded;
  if (raw.find('%') != std::string_view::npos) {
    decoded = protocol::PercentDecodeWherePossible(raw);
    raw = *decoded;
  }
  while (raw.ends_with('/')) {
    raw.remove_suffix(1);
  }
  std::vector<std::string> path;
  if (raw.starts_with('/')) {
    raw.remove_prefix(1);
  }
  if (raw.empty()) {
    return path;
  }
  path.reserve(4);
  while (path.size() + 1 < kSegmentCountMax) {
    const std::size_t end = raw.find('/');
    path.emplace_back(raw.substr(0, end));
    if (end == std::string_view::npos) {
      return path;
    }
    raw.remove_prefix(end + 1);
  }
  path.emplace_back(raw);
  return path;
}

std::vector<std::pair<std::string, std::string>> SplitQuery(std::string_view raw) {
  std::vector<std::pair<std::string, std::string>> fields;
  while (!raw.empty() && fields.size() < kQueryFieldCountMax) {
    const std::string_view field = TakeSegment(raw, '&');
    if (field.empty()) {
      continue;
    }
    const std::size_t equals = field.find('=');
    fields.emplace_back(
        DecodeField(field.substr(0, equals)),
        equals == std::string_view::npos ? std::string() : DecodeField(field.substr(equals + 1)));
  }
  return fields;
}

bool Matches(std::string_view pattern, std::span<const std::string> path) {
  pattern.remove_prefix(1);  // the slash that all begin with
  while (!pattern.empty()) {
    const std::string_view segment = TakeSegment(pattern, '/');
    if (segment == "**") {
      return true;
    }
    if (path.empty() || !SegmentMatches(segment, path.front())) {
      return false;
    }
    path = path.subspan(1);
  }
  return path.empty();
}

void ApiRouter::Add(std::span<const ApiRoute> routes, Surfaces surfaces) {
  for (const ApiRoute& route : routes) {
    if (Contains(surfaces, route.surface)) {
      routes_.push_back(&route);
    }
  }
}

ApiRouter::Found ApiRouter::Find(std::span<const std::string> path, net::HttpMethod method) const {
  Found found;
  for (const ApiRoute* route : routes_) {
    if (!Matches(route->pattern, path)) {
      continue;
    }
    if (Allows(route->methods, method)) {
      return {route, true};
    }
    if (found.route == nullptr) {
      found.route = route;
    }
  }
  return found;
}

}  // namespace headrace::torchserve
