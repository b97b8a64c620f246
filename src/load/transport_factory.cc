#include "load/grpc_transport.h"
#include "load/http_transport.h"
#include "load/in_process_transport.h"
#include "load/transport.h"

namespace headrace::load {

Result<std::unique_ptr<TransportFactory>> MakeTransportFactory(const TargetSpec& target,
                                                               const Workload& workload) {
  switch (target.protocol) {
    case Protocol::kV2Grpc:
      return MakeGrpcTransportFactory(target, workload);
    case Protocol::kInProcess:
      return MakeInProcessTransportFactory(target, workload);
    default:
      return MakeHttpTransportFactory(target, workload);
  }
}

}  // namespace headrace::load
