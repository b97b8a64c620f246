// Errors as TorchServe tells them (contracts, TorchServe 1.5 to 1.7).
#ifndef HEADRACE_FRONTEND_TORCHSERVE_ERROR_H_
#define HEADRACE_FRONTEND_TORCHSERVE_ERROR_H_

#include <string>
#include <string_view>

#include "base/status.h"
#include "engine/model.h"
#include "frontend/replies.h"

namespace headrace::frontend {

struct TorchServeError {
  int code = 500;
  std::string_view type = "InternalServerException";  // static text
  std::string message = {};
};

// {"code", "type", "message"}, indented and with a line's end, as its clients have it.
Refusal RefusalOf(const TorchServeError& error);

// What a request's failure is to its client. `http_status`: what the handler itself has said, 0 for
// none.
TorchServeError ErrorOf(const Status& status, int http_status);
// The same of an UNAVAILABLE of `model`, with the cause: there is no worker, its workers are down,
// or its queue is full. `version`: as the client has asked for it, or empty. Looks at the model as
// it is now.
TorchServeError UnavailableError(const Status& status, const engine::Model& model,
                                 std::string_view version);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_TORCHSERVE_ERROR_H_
