// Unary gRPC calls that block, for what is asked of a server beside inference.
#ifndef HEADRACE_LOAD_GRPC_UNARY_H_
#define HEADRACE_LOAD_GRPC_UNARY_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "load/target.h"

namespace headrace::load {

// A connection of its own for each call: these are few. Thread-safe.
class GrpcUnary {
 public:
  static constexpr std::size_t kMessageByteSizeMax = std::size_t{256} << 20;

  explicit GrpcUnary(TargetSpec target);

  // The answer's message, of `method` ("/inference.GRPCInferenceService/ModelConfig"). A failed
  // call has the code that the server gave and "host:port/method: its message". UNAVAILABLE,
  // DEADLINE_EXCEEDED and INTERNAL (what came is no gRPC) are ours. `timeout` 0 = the target's.
  Result<std::string> Call(std::string_view method, std::string_view message,
                           Nanos timeout = 0) const;

  std::string Url(std::string_view method) const;

 private:
  const TargetSpec target_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_GRPC_UNARY_H_
