// What a TorchServe handler would find in a request (contracts, TorchServe 1.3).
#ifndef HEADRACE_HANDLER_REQUEST_CONTENT_H_
#define HEADRACE_HANDLER_REQUEST_CONTENT_H_

#include <cstdint>
#include <string_view>

#include "base/result.h"
#include "engine/request.h"
#include "tensor/buffer.h"

namespace headrace::handler {

// The part that default handlers look at: `data`, or `body` where that is absent or empty.
struct RequestContent {
  enum class Kind : std::uint8_t { kBytes, kText, kJson };
  Kind kind = Kind::kBytes;
  Buffer bytes;  // of text: UTF-8; of JSON: a whole value, which parses
};

// `decode`: parts are what their media types say, as with decode_input_request. INVALID_ARGUMENT
// when there is no such part, for requests that want an explanation, and for several rows in one
// request. Thread-safe.
Result<RequestContent> ContentOf(const engine::InferRequest& request, bool decode);

}  // namespace headrace::handler

#endif  // HEADRACE_HANDLER_REQUEST_CONTENT_H_
