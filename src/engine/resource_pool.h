// Which instances may execute while resources are limited. Pure: RateLimiter guards it and lets
// threads wait.
#ifndef HEADRACE_ENGINE_RESOURCE_POOL_H_
#define HEADRACE_ENGINE_RESOURCE_POOL_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"
#include "engine/backend.h"

namespace headrace::engine {

// How much there is of a resource: on one device, or without a device on every one and globally.
struct ResourceLimit {
  std::string name;
  std::uint64_t count = 0;
  std::optional<int> device;
};

// Not thread-safe. Without a limit for a resource there is as much of it as the neediest instance
// wants (contracts, Triton 4.5). Instances on CPUs share one pseudo device.
//
// Order: each execution moves its instance back by its priority, so that an instance of priority 1
// runs twice as often as one of priority 2 while both want to. Who comes back after a pause has not
// saved anything up. An instance that does not get what it needs holds back those behind it that
// need some of the same, so that large needs are not starved by small ones; others pass.
class ResourcePool {
 public:
  using Id = std::uint64_t;

  explicit ResourcePool(std::vector<ResourceLimit> limits) : limits_(std::move(limits)) {}

  // INVALID_ARGUMENT in the words of contracts, Triton 4.5 if it could never run, or names a
  // resource global that others name by device.
  Result<Id> Add(const InstancePlacement& placement);
  // Requires: it neither waits nor holds.
  void Remove(Id id);
  // The instance wants to execute.
  void Request(Id id);
  // Those that may execute now; they hold what they need until Release.
  std::vector<Id> Grant();
  void Release(Id id);

  // The instance is about to Request again: until then, or until Forget, those behind it in turn
  // wait for it as for one that waits. Otherwise two instances that share a resource would take
  // turns whatever their priorities, since the one that releases never waits at that moment.
  void Expect(Id id);
  void Forget(Id id);

  std::size_t waiting_count() const { return waiting_.size() - expected_.size(); }
  struct Figure {
    std::string name;
    std::string device;  // "global", "cpu" or the GPU's number
    std::uint64_t limit = 0, in_use = 0;
  };
  std::vector<Figure> figures() const;

 private:
  static constexpr int kGlobal = -2;
  static constexpr int kCpu = -1;
  using Key = std::pair<std::string, int>;  // resource, device
  using Needs = std::map<Key, std::uint64_t>;
  struct Member {
    Needs needs;
    std::uint64_t priority = 1;
    std::uint64_t turn = 0;     // the sum of its executions' priorities
    std::uint64_t arrival = 0;  // of its last request: who came first goes first, at equal turns
  };

  static Needs NeedsOf(const InstancePlacement& placement);
  std::optional<std::uint64_t> ConfiguredLimit(const Key& key) const;
  std::uint64_t Limit(const Key& key) const;
  bool Fits(const Needs& needs) const;

  const std::vector<ResourceLimit> limits_;
  std::map<Id, Member> members_;
  std::map<Key, std::uint64_t> in_use_;
  std::map<std::pair<std::uint64_t, std::uint64_t>, Id> waiting_;  // by turn and arrival
  std::set<Id> expected_;  // in waiting_, but not waiting yet
  std::uint64_t now_ = 0;  // the latest turn that was granted
  std::uint64_t arrivals_ = 0;
  Id next_ = 1;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_RESOURCE_POOL_H_
