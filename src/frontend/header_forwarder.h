// Hands request headers, or gRPC metadata, to backends as parameters (contracts, Triton 1.6;
// reliability D20).
#ifndef HEADRACE_FRONTEND_HEADER_FORWARDER_H_
#define HEADRACE_FRONTEND_HEADER_FORWARDER_H_

#include <memory>
#include <string_view>

#include "base/result.h"
#include "protocol/v2_message.h"

namespace headrace::frontend {

// Immutable, so thread-safe.
class HeaderForwarder {
 public:
  // `pattern` is a regular expression (ECMAScript) that is looked for in header names, without
  // regard to case unless it begins with "(?-i)"; empty: no header is forwarded. INVALID_ARGUMENT
  // for what is no expression.
  static Result<HeaderForwarder> Create(std::string_view pattern);

  bool active() const { return matcher_ != nullptr; }

  // Adds the header to the request's parameters, if it is one of those. INVALID_ARGUMENT "Header
  // 'x' is reserved for Triton usage and cannot be forwarded." for a name that means something else
  // among parameters.
  Status Forward(std::string_view name, std::string_view value,
                 protocol::V2InferRequest& request) const;

 private:
  class Matcher;
  std::shared_ptr<const Matcher> matcher_;  // null: none is forwarded
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_HEADER_FORWARDER_H_
