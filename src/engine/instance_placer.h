// Which cores and which memory the instances of models get: by host policies (contracts, Triton
// 7.2, `--host-policy`), and otherwise cores of their own while there are enough.
#ifndef HEADRACE_ENGINE_INSTANCE_PLACER_H_
#define HEADRACE_ENGINE_INSTANCE_PLACER_H_

#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/status.h"
#include "base/thread.h"
#include "base/topology.h"
#include "engine/backend.h"

namespace headrace::engine {

struct HostPolicy {
  CpuList cpus{};      // empty: those of the node, or any
  int numa_node = -1;  // -1: none named
};
using HostPolicies = std::map<std::string, HostPolicy>;  // by name

// INVALID_ARGUMENT names the policy, and what of it this process does not have.
Status CheckHostPolicies(const HostPolicies& policies, const Topology& topology);

// Where one instance, and the threads that its backend starts for it, run.
struct HostBinding {
  CpuList cpus;          // empty: wherever the process may
  int numa_node = -1;    // whose memory is preferred; -1: no preference
  int thread_count = 1;  // that one execution should use: the instance's share of the cores
  std::string settings_json = "{}";  // for the backend: its policy's settings, and thread-count
};

// Binds the calling thread until it is destroyed: threads that are started meanwhile inherit it.
class ScopedBinding {
 public:
  explicit ScopedBinding(const HostBinding& binding);
  ~ScopedBinding();
  ScopedBinding(const ScopedBinding&) = delete;
  ScopedBinding& operator=(const ScopedBinding&) = delete;

 private:
  CpuList before_;  // empty: not bound
  bool prefers_memory_ = false;
};

// Binds the calling thread for good. What the machine refuses is logged.
void BindThread(const HostBinding& binding);

// Thread-safe. One for all models of a server.
//
// An instance whose host policy is defined gets that policy's cores, shared with the others of the
// policy. The other CPU instances of a model get `thread_count` cores each, or an equal share of
// all cores where that is 0: cores of their own, of one NUMA node if possible, if all of them fit
// into those that no other instance has. Else they run wherever the process may, as they do where a
// share is all cores, or where the control group limits the process's time.
class InstancePlacer {
 public:
  // Gives the cores back when it is destroyed. Move-only.
  class Lease {
   public:
    Lease() = default;
    Lease(Lease&&) noexcept;
    Lease& operator=(Lease&&) noexcept;
    ~Lease() { Release(); }
    const HostBinding& binding() const { return binding_; }
    void Release();

   private:
    friend class InstancePlacer;
    struct Ledger;
    HostBinding binding_;
    std::shared_ptr<Ledger> ledger_;  // null: no cores of its own
  };

  // `pins`: whether instances without a policy get cores of their own at all.
  InstancePlacer(Topology topology, HostPolicies policies, bool pins);
  ~InstancePlacer();

  // One lease for each of a model's instances, in order. `thread_count`: that the model's
  // configuration asks for; 0: nothing.
  std::vector<Lease> Place(std::span<const InstancePlacement> placements, int thread_count) const;

  const Topology& topology() const { return topology_; }

 private:
  Lease ByPolicy(const InstancePlacement& placement, const HostPolicy& policy, int thread_count,
                 std::ptrdiff_t sharers) const;
  // Of a policy that the configuration names and nobody defines.
  void WarnOfUndefined(const InstancePlacement& placement) const;
  // The cores of `count` instances with `thread_count` each; nothing if they do not fit.
  std::vector<CpuList> TakeCores(std::size_t count, std::size_t thread_count) const;

  const Topology topology_;
  const HostPolicies policies_;
  const bool pins_;
  const std::shared_ptr<Lease::Ledger> ledger_;
};

// "cores 0-1 of NUMA node 0; threads for its backend: 2", for the log.
std::string DescribeBinding(const HostBinding& binding, const Topology& topology);

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_INSTANCE_PLACER_H_
