// Which cores an instance has, and how many threads it should use: what the server decided.
#ifndef HEADRACE_BACKENDS_COMMON_HOST_PLACEMENT_H_
#define HEADRACE_BACKENDS_COMMON_HOST_PLACEMENT_H_

#include <string_view>
#include <vector>

#include "common/error.h"
#include "triton_abi.h"

namespace headrace::backend {

// A value type.
struct HostPlacement {
  // The cores to which the calling thread is bound, ascending; empty if it may run wherever the
  // process may. Threads that are started by it are bound to the same.
  std::vector<int> cpus;
  // Threads for one execution: the server's word (host policy setting thread-count), else the
  // cores; 0 if neither is there.
  int thread_count = 0;

  // Of an instance, on the thread that initialises it: servers bind that thread meanwhile.
  static Error Of(TRITONBACKEND_ModelInstance* instance, HostPlacement* placement);
};

// The thread-count of a host policy as the server hands it out: {"<policy>":{"thread-count":"2"}};
// 0 if it is not there or no number.
int ThreadCountOfPolicy(std::string_view policy_json);

// The cores that this process may use; at least one.
int ProcessCoreCount();

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_COMMON_HOST_PLACEMENT_H_
