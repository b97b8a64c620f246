#include "load/http_transport.h"
#include "load/transport.h"

namespace headrace::load {

Result<std::unique_ptr<TransportFactory>> MakeTransportFactory(const TargetSpec& target,
                                                               const Workload& workload) {
  switch (target.protocol) {
    case Protocol::kV2Grpc:
      return Unimplemented("the protocol v2 over gRPC cannot be sent yet");
    case Protocol::kInProcess:
      return Unimplemented("a server in this process cannot be asked yet");
    default:
      return MakeHttpTransportFactory(target, workload);
  }
}

}  // namespace headrace::load
