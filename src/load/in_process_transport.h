// Load on a server in this process: no network, no copy of inputs.
#ifndef HEADRACE_LOAD_IN_PROCESS_TRANSPORT_H_
#define HEADRACE_LOAD_IN_PROCESS_TRANSPORT_H_

#include <memory>

#include "base/result.h"
#include "load/target.h"
#include "load/transport.h"
#include "load/workload.h"

namespace headrace::load {

// Requests are made once, as many of each content as were ever out at a time, and sent again and
// again; their outputs go to memory that is kept with them. `done` is the time at which the server
// called back with the last response; `wire_status` is gRPC's code. A request past its time is
// cancelled. Golden outputs are compared with the first response.
//
// Loads the workload's models. INVALID_ARGUMENT: what the interface cannot carry; other failures
// are the server's, with the model's name.
Result<std::unique_ptr<TransportFactory>> MakeInProcessTransportFactory(const TargetSpec& target,
                                                                        const Workload& workload);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_IN_PROCESS_TRANSPORT_H_
