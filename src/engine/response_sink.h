// Where a request's responses go. Implemented by each front end and by wrappers (ordering, later
// cache and ensemble).
#ifndef HEADRACE_ENGINE_RESPONSE_SINK_H_
#define HEADRACE_ENGINE_RESPONSE_SINK_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/parameter.h"
#include "base/result.h"
#include "base/small_memory.h"
#include "tensor/tensor.h"

namespace headrace::engine {

// One response: its output tensors in the order in which the backend made them. Model name, version
// and request id are known to the sink from the request that it was made for.
struct InferResponse {
  std::vector<NamedTensor> outputs;
  std::vector<Parameter> parameters;
  // Nothing is sent after it: Finish(OK) follows at once. A decoupled model may also end without a
  // last response; no response has the mark then.
  bool final = false;
  // Not OK: this response is an error and has no outputs; the request goes on (decoupled models
  // only, contracts, Triton 8.5). An error that ends the request comes with Finish instead.
  Status error = {};
};

// Lives from Submit until Finish. Calls come from one thread at a time, but from any thread (an
// instance thread, a thread of the backend, or the submitting thread when the request is refused).
// Never blocks.
class ResponseSink : public SmallObject {
 public:
  virtual ~ResponseSink() = default;

  // Memory that the backend fills in place and that then travels in a Send: 64-byte aligned,
  // `byte_size` bytes. RESOURCE_EXHAUSTED when the memory budget is spent.
  virtual Result<MutableBuffer> AllocateOutput(std::string_view name, std::size_t byte_size) = 0;
  // One response: once for ordinary models, 0..n times for decoupled ones.
  virtual void Send(InferResponse response) = 0;
  // The end, exactly once and last: OK after the responses, or why there is none.
  virtual void Finish(Status status) = 0;
  // True when nobody waits for the answer any more. Any thread, any time.
  virtual bool Cancelled() const = 0;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_RESPONSE_SINK_H_
