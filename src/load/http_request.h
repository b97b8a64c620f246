// Requests over HTTP/1.1, encoded before the run.
#ifndef HEADRACE_LOAD_HTTP_REQUEST_H_
#define HEADRACE_LOAD_HTTP_REQUEST_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "load/target.h"
#include "load/transport.h"
#include "load/workload.h"

namespace headrace::load {

// A place in the first piece that each request fills for itself. All have a fixed width, so that no
// length changes: JSON and HTTP both allow blanks before a number and behind a word.
struct RequestField {
  enum class Kind : std::uint8_t {
    kRequestId,      // 16 hexadecimal digits
    kSequenceId,     // 20 decimal digits, blanks in front
    kSequenceStart,  // "true " or "false"
    kSequenceEnd,
  };
  Kind kind;
  std::size_t offset;
};

// The bytes of one request: the pieces one after another, the tensors among them as they are.
// Immutable and shared by all connections.
struct EncodedRequest {
  std::string head;  // what the first piece is a view of
  std::string rest;  // behind it, where the head has fields and what follows is large
  std::vector<std::shared_ptr<const std::string>> payload;
  std::vector<std::string_view> pieces;
  std::vector<RequestField> fields;  // of pieces[0]
  std::size_t byte_size = 0;
  const GoldenOutputs* golden = nullptr;  // of the content; null = the answer is not looked at

  EncodedRequest() = default;
  EncodedRequest(const EncodedRequest&) = delete;
  EncodedRequest& operator=(const EncodedRequest&) = delete;
};

// What one request is beside its bytes; `request_id` is used where the target wants ids.
void FillFields(const std::vector<RequestField>& fields, const Outgoing& request,
                std::uint64_t request_id, std::string& piece);

// Contracts, Triton 1.3 and 1.7 (v2), 1.10; TorchServe 2; KServe v1. INVALID_ARGUMENT names the
// content ("item 'resnet', content 2, input 'x': ...") and what the protocol cannot carry.
Result<std::unique_ptr<EncodedRequest>> EncodeHttpRequest(const TargetSpec& target,
                                                          const Item& item,
                                                          std::size_t content_index);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_HTTP_REQUEST_H_
