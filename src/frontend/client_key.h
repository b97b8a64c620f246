// Who sent a request, as far as a fair queue has to know.
#ifndef HEADRACE_FRONTEND_CLIENT_KEY_H_
#define HEADRACE_FRONTEND_CLIENT_KEY_H_

#include <cstdint>

#include "frontend/front_end.h"
#include "net/grpc.h"
#include "net/http.h"

namespace headrace::frontend {

// The same number for all requests of one client: a hash of the header or metadata field that
// FrontEndOptions::client_header names, or where that is empty or the request has none the host
// that the request came from. Costs a load unless there is such a header.
std::uint64_t ClientKey(const FrontEndOptions& options, const net::HttpExchange& exchange);
std::uint64_t ClientKey(const FrontEndOptions& options, const net::GrpcCall& call);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_CLIENT_KEY_H_
