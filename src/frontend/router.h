// Finds the route of a raw request path. The table is compiled into a trie when the program is
// compiled, so that a malformed pattern, a doubled one or a route without an operation class does
// not build.
#ifndef HEADRACE_FRONTEND_ROUTER_H_
#define HEADRACE_FRONTEND_ROUTER_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "frontend/operation_class.h"
#include "net/http.h"

namespace headrace::frontend {

struct Call;
using RouteHandler = void (*)(Call& call);

// What a route does with a body; the limits behind the names are in front_end.cc.
enum class BodyRule : std::uint8_t {
  kIgnored,     // not expected; a small one is read and dropped
  kControl,     // small JSON
  kUpload,      // JSON that may carry files
  kInfer,       // tensors: placed by Inference-Header-Content-Length
  kPrediction,  // whatever a handler takes
};

// Methods as a bit set, so that a route can have several.
enum class MethodSet : std::uint8_t { kGet = 1, kPost = 2, kGetAndPost = 3, kAny = 4 };

constexpr bool Allows(MethodSet methods, net::HttpMethod method) {
  const auto bits = static_cast<std::uint8_t>(methods);
  return (method == net::HttpMethod::kGet && (bits & 1) != 0) ||
         (method == net::HttpMethod::kPost && (bits & 2) != 0) || methods == MethodSet::kAny;
}

// The complete Allow header line.
constexpr std::string_view AllowHeaderLine(MethodSet methods) {
  switch (methods) {
    case MethodSet::kGet:
      return "Allow: GET\r\n";
    case MethodSet::kPost:
      return "Allow: POST\r\n";
    case MethodSet::kGetAndPost:
      return "Allow: GET, POST\r\n";
    case MethodSet::kAny:
      break;
  }
  return "";
}

// One row of the table. A pattern is a path whose segments are literals or placeholders: {model},
// {repository} and {region} take one or more bytes other than '/', {version} one or more digits
// (contracts, Triton 1.1), and {rest}, at the end, all that follows, which may be nothing.
struct Route {
  // All parts are required: there is no route without an operation class.
  consteval Route(std::string_view route_pattern, MethodSet route_methods,
                  OperationClass route_operation, BodyRule route_body, void (&route_handler)(Call&))
      : pattern(route_pattern),
        methods(route_methods),
        operation(route_operation),
        body(route_body),
        handler(&route_handler) {}

  std::string_view pattern;
  MethodSet methods;
  OperationClass operation;
  BodyRule body;
  RouteHandler handler;
};

// A path that matched. The views point into the path.
struct RouteMatch {
  const Route* route = nullptr;
  std::string_view model, version, repository, region, rest;  // empty = the route has no such part
};

// Immutable, so thread-safe. Borrows the table, which must be static.
class Router {
 public:
  static constexpr std::size_t kNodeCountMax = 96;

  explicit consteval Router(std::span<const Route> routes) : routes_(routes) {
    nodes_[0] = Node{};
    for (std::size_t i = 0; i < routes.size(); ++i) {
      Add(routes[i].pattern, static_cast<std::int16_t>(i));
    }
  }

  // The route of `path`, whatever the method. Literals win over placeholders. Never allocates.
  std::optional<RouteMatch> Match(std::string_view path) const;

  std::span<const Route> routes() const { return routes_; }

 private:
  enum class Kind : std::uint8_t { kLiteral, kModel, kVersion, kRepository, kRegion, kRest };

  struct Node {
    std::string_view literal;
    Kind kind = Kind::kLiteral;
    std::int16_t first_child = -1;
    std::int16_t next_sibling = -1;
    std::int16_t route = -1;
  };

  static constexpr Kind KindOf(std::string_view segment) {
    if (segment.empty()) {
      throw "a pattern has no empty segment";
    }
    if (segment.front() != '{') {
      return Kind::kLiteral;
    }
    if (segment == "{model}") {
      return Kind::kModel;
    }
    if (segment == "{version}") {
      return Kind::kVersion;
    }
    if (segment == "{repository}") {
      return Kind::kRepository;
    }
    if (segment == "{region}") {
      return Kind::kRegion;
    }
    if (segment == "{rest}") {
      return Kind::kRest;
    }
    throw "unknown placeholder";
  }

  constexpr void Add(std::string_view pattern, std::int16_t route) {
    std::int16_t at = 0;
    while (!pattern.empty()) {
      if (pattern.front() != '/') {
        throw "a pattern begins with '/'";
      }
      pattern.remove_prefix(1);
      const std::string_view segment = pattern.substr(0, pattern.find('/'));
      pattern.remove_prefix(segment.size());
      at = Child(at, segment);
    }
    if (nodes_[at].route >= 0) {
      throw "two routes have the same pattern";
    }
    nodes_[at].route = route;
  }

  // The child of `parent` for this segment, made if needed: literals in front, placeholders at the
  // end.
  constexpr std::int16_t Child(std::int16_t parent, std::string_view segment) {
    const Kind kind = KindOf(segment);
    const std::string_view literal = kind == Kind::kLiteral ? segment : std::string_view();
    std::int16_t last = -1;
    for (std::int16_t child = nodes_[parent].first_child; child >= 0;
         child = nodes_[child].next_sibling) {
      if (nodes_[child].kind == kind && nodes_[child].literal == literal) {
        return child;
      }
      last = child;
    }
    if (node_count_ == kNodeCountMax) {
      throw "kNodeCountMax is too small";
    }
    const auto added = static_cast<std::int16_t>(node_count_++);
    nodes_[added] = Node{literal, kind, -1, -1, -1};
    if (kind == Kind::kLiteral || last < 0) {
      nodes_[added].next_sibling = nodes_[parent].first_child;
      nodes_[parent].first_child = added;
    } else {
      nodes_[last].next_sibling = added;
    }
    return added;
  }

  bool Walk(const Node& node, std::string_view rest, RouteMatch& match) const;
  static bool Accepts(const Node& node, std::string_view segment);
  static void Capture(const Node& node, std::string_view segment, RouteMatch& match);

  std::span<const Route> routes_;
  std::array<Node, kNodeCountMax> nodes_{};
  std::size_t node_count_ = 1;
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_ROUTER_H_
