// Answers in TorchServe's form (contracts, TorchServe 1.4 and 1.5). All of them belong to the
// exchange's loop.
#ifndef HEADRACE_TORCHSERVE_API_REPLIES_H_
#define HEADRACE_TORCHSERVE_API_REPLIES_H_

#include <string>
#include <string_view>

#include "frontend/torchserve_error.h"
#include "net/http.h"
#include "torchserve/api_route.h"

namespace headrace::torchserve {

// `json`, which is valid, with blanks of two and a line's end, as the server's own JSON always has.
std::string Indented(std::string_view json);

// The whole JSON, which is indented here.
void ReplyJson(net::HttpExchange& exchange, int status, std::string_view json);
// {"status": text}
void ReplyStatus(net::HttpExchange& exchange, int status, std::string_view text);
void ReplyError(net::HttpExchange& exchange, const frontend::TorchServeError& error);

// For routes that take predictions, whose answers bring x-request-id and its company along where
// they are predictions; SurfaceHandler adds them for all other routes.
void AddRequestHeaders(const ApiCall& call);
// The same, and the error.
void RefuseRequest(const ApiCall& call, const frontend::TorchServeError& error);

frontend::TorchServeError ResourceNotFound();
frontend::TorchServeError MethodNotAllowed();
// 429: of a host that has come with wrong tokens too often.
frontend::TorchServeError TooManyFailures();

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_API_REPLIES_H_
