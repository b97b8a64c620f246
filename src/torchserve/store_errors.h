// What a model store says, as TorchServe's APIs tell it (contracts, TorchServe 1.5 and 2). Pure,
// thread-safe.
#ifndef HEADRACE_TORCHSERVE_STORE_ERRORS_H_
#define HEADRACE_TORCHSERVE_STORE_ERRORS_H_

#include <string>
#include <string_view>

#include "frontend/torchserve_error.h"
#include "store/model_store.h"
#include "store/store_error.h"

namespace headrace::torchserve {

// Requires a fault.
frontend::TorchServeError ErrorOf(const store::StoreError& error);

// 200, 206 or 202.
int HttpStatusOf(store::Progress progress);

// {"status": text}, as all protocols show it: indented, with a line's end.
std::string StatusJson(std::string_view text);

// An answer over HTTP: the body is StatusJson of the reply's text, or the error.
struct StoreAnswer {
  int status = 200;
  std::string json;
  std::string headers;  // complete lines
};
StoreAnswer AnswerOf(const store::StoreReply& reply);

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_STORE_ERRORS_H_
