#include "frontend/router.h"

#include <algorithm>

namespace headrace::frontend {

std::optional<RouteMatch> Router::Match(std::string_view path) const {
  RouteMatch match;
  if (!Walk(nodes_[0], path, match)) {
    return std::nullopt;
  }
  return match;
}

// Recursion is as deep as the longest pattern, not as the path: every level goes down one node.
bool Router::Walk(const Node& node, std::string_view rest, RouteMatch& match) const {
  if (rest.empty()) {
    if (node.route < 0) {
      return false;
    }
    match.route = &routes_[static_cast<std::size_t>(node.route)];
    return true;
  }
  if (rest.front() != '/') {
    return false;
  }
  rest.remove_prefix(1);
  const std::string_view all = rest;
  const std::string_view segment = rest.substr(0, rest.find('/'));
  rest.remove_prefix(segment.size());
  for (std::int16_t child = node.first_child; child >= 0;) {
    const Node& next = nodes_[static_cast<std::size_t>(child)];
    if (next.kind == Kind::kRest) {
      match.rest = all;
      match.route = &routes_[static_cast<std::size_t>(next.route)];
      return true;
    }
    if (Accepts(next, segment) && Walk(next, rest, match)) {
      Capture(next, segment, match);
      return true;
    }
    child = next.next_sibling;
  }
  return false;
}

bool Router::Accepts(const Node& node, std::string_view segment) {
  switch (node.kind) {
    case Kind::kLiteral:
      return node.literal == segment;
    case Kind::kVersion:
      return !segment.empty() && std::all_of(segment.begin(), segment.end(),
                                             [](char c) { return c >= '0' && c <= '9'; });
    case Kind::kModel:
    case Kind::kRepository:
    case Kind::kRegion:
      return !segment.empty();
    case Kind::kRest:
      break;  // Walk takes it
  }
  return false;
}

void Router::Capture(const Node& node, std::string_view segment, RouteMatch& match) {
  switch (node.kind) {
    case Kind::kLiteral:
      break;
    case Kind::kModel:
      match.model = segment;
      break;
    case Kind::kVersion:
      match.version = segment;
      break;
    case Kind::kRepository:
      match.repository = segment;
      break;
    case Kind::kRegion:
      match.region = segment;
      break;
    case Kind::kRest:
      break;
  }
}

}  // namespace headrace::frontend
