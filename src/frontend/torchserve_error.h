// Errors as TorchServe tells them (contracts, TorchServe 1.5 to 1.7). Pure.
#ifndef HEADRACE_FRONTEND_TORCHSERVE_ERROR_H_
#define HEADRACE_FRONTEND_TORCHSERVE_ERROR_H_

#include <string>
#include <string_view>

#include "base/status.h"
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

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_TORCHSERVE_ERROR_H_
