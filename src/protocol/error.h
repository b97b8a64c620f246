// One table from canonical codes to what each protocol says.
#ifndef HEADRACE_PROTOCOL_ERROR_H_
#define HEADRACE_PROTOCOL_ERROR_H_

#include "base/status.h"

namespace headrace::protocol {

// Contracts, Triton 1.2: INTERNAL 500, NOT_FOUND 404, UNAVAILABLE 503, UNIMPLEMENTED 501, and 400
// for what the client did wrong; beyond Triton: RESOURCE_EXHAUSTED 413, UNAUTHENTICATED 401,
// PERMISSION_DENIED 403, DEADLINE_EXCEEDED 504.
int HttpStatusOf(StatusCode code);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_ERROR_H_
