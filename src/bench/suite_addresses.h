// "host:port" as a target.
#ifndef HEADRACE_BENCH_SUITE_ADDRESSES_H_
#define HEADRACE_BENCH_SUITE_ADDRESSES_H_

#include <string_view>

#include "base/result.h"
#include "load/target.h"

namespace headrace::bench {

// Sets host, port, TLS or Unix socket of `target` by "[http[s]://]host[:port]" or "unix:PATH", and
// its protocol; without a port, the protocol's usual one (8000, gRPC 8001, TorchServe 8080).
// INVALID_ARGUMENT says what is wrong.
Status SetAddress(std::string_view text, load::Protocol protocol, load::TargetSpec& target);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_SUITE_ADDRESSES_H_
