// Requests over HTTP/1.1, each connection with one request at a time.
#ifndef HEADRACE_LOAD_HTTP_TRANSPORT_H_
#define HEADRACE_LOAD_HTTP_TRANSPORT_H_

#include <memory>

#include "base/result.h"
#include "load/target.h"
#include "load/transport.h"
#include "load/workload.h"

namespace headrace::load {

// For the protocols over HTTP. Each transport has a pool of connections that stay open; the one
// that was used last is used next. A request for which none is free opens one, up to
// target.connections_max. A request that the server cuts off is a kReset, and is not sent again.
// INVALID_ARGUMENT as EncodeHttpRequest; UNAVAILABLE: the host has no address.
Result<std::unique_ptr<TransportFactory>> MakeHttpTransportFactory(const TargetSpec& target,
                                                                   const Workload& workload);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_HTTP_TRANSPORT_H_
