// Load over gRPC: ModelInfer, or one ModelStreamInfer for each connection.
#ifndef HEADRACE_LOAD_GRPC_TRANSPORT_H_
#define HEADRACE_LOAD_GRPC_TRANSPORT_H_

#include <memory>

#include "base/result.h"
#include "load/target.h"
#include "load/transport.h"
#include "load/workload.h"

namespace headrace::load {

// Encodes the workload, resolves the name, registers shared memory if the target asks for it. Each
// transport has TargetSpec::grpc_connections connections, whatever Connect is told, and spreads its
// requests over them. A connection that ends is made anew: what was out ends with kReset, what was
// not sent goes on; where none can be made, with kConnect. Requests beyond
// SETTINGS_MAX_CONCURRENT_STREAMS wait inside. A request that the server refuses before it looks at
// it (REFUSED_STREAM, after GOAWAY) is sent once more.
//
// On streams, responses are matched by request id; a request ends with triton_final_response.
// Golden outputs are compared with the first response.
//
// INVALID_ARGUMENT: what gRPC cannot carry, or a file that cannot be used. UNAVAILABLE: the host is
// not found. Failures to register shared memory are the server's.
Result<std::unique_ptr<TransportFactory>> MakeGrpcTransportFactory(const TargetSpec& target,
                                                                   const Workload& workload);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_GRPC_TRANSPORT_H_
