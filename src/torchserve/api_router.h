// Finds the route of a request among the tables of the families. Pure.
#ifndef HEADRACE_TORCHSERVE_API_ROUTER_H_
#define HEADRACE_TORCHSERVE_API_ROUTER_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "net/http.h"
#include "torchserve/access.h"
#include "torchserve/api_route.h"

namespace headrace::torchserve {

constexpr bool Contains(Surfaces set, Surface surface) {
  return (set & static_cast<Surfaces>(surface)) != 0;
}

// The path as ApiCall has it: decoded as a whole, so that an encoded slash cuts too, then cut at
// '/', without empty segments at its end (contracts, TorchServe 1.1). A '%' that begins no encoding
// stays.
std::vector<std::string> SplitPath(std::string_view raw);
// The fields of a query, cut first and decoded afterwards.
std::vector<std::pair<std::string, std::string>> SplitQuery(std::string_view raw);

// Whether `path` is one that `pattern` means (api_route.h).
bool Matches(std::string_view pattern, std::span<const std::string> path);

// Immutable once filled. A look costs one comparison of a first segment for each route.
class ApiRouter {
 public:
  // Those of `routes` that are on one of `surfaces`, behind what is there.
  void Add(std::span<const ApiRoute> routes, Surfaces surfaces);

  struct Found {
    const ApiRoute* route = nullptr;  // null: there is no such path
    bool method_allowed = false;      // else `route` is the path's first
  };
  Found Find(std::span<const std::string> path, net::HttpMethod method) const;

 private:
  std::vector<const ApiRoute*> routes_;
};

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_API_ROUTER_H_
