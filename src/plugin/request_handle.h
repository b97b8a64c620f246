// What a backend holds while it executes: requests, inputs, responses, outputs, response factories.
//
// A request handle owns one engine::InferRequest from Execute until the backend has released it and
// nothing refers to it any more: no response that was made and not sent, no factory. Then the
// request goes back to the engine, finished if the backend never did so, and the handle goes back
// to its pool. Handles and responses are reused oldest first, so that a backend that uses one again
// after it gave it away meets an idle object and gets an error, not freed memory.
//
// Thread-safety: getters of a request that is not released may be called from any thread; what
// changes a request (responses, release, factories) takes its mutex. A response and its outputs
// belong to one thread at a time.
#ifndef HEADRACE_PLUGIN_REQUEST_HANDLE_H_
#define HEADRACE_PLUGIN_REQUEST_HANDLE_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "engine/failed_requests.h"
#include "engine/request.h"
#include "plugin/trace_handle.h"
#include "plugin/values.h"

struct TRITONBACKEND_Input {
  const headrace::NamedTensor* tensor = nullptr;
  headrace::Shape shape;  // as the backend sees it: after the configuration's reshape
  std::uint64_t byte_size = 0;
  TRITONSERVER_BufferAttributes attributes;  // of the buffer that was asked for last
};

struct TRITONBACKEND_Output {
  std::string name;
  headrace::DataType dtype = headrace::DataType::kInvalid;
  headrace::Shape shape;  // as the client sees it
  TRITONBACKEND_Response* response = nullptr;
  headrace::MutableBuffer buffer;
  bool has_buffer = false;
  TRITONSERVER_BufferAttributes attributes;
};

struct TRITONBACKEND_Response {
  TRITONBACKEND_Request* request = nullptr;  // null: idle
  std::deque<TRITONBACKEND_Output> outputs;  // a deque: addresses stay
  std::size_t output_count = 0;              // of `outputs`, in use
  std::vector<headrace::Parameter> parameters;
  headrace::Status fault;  // why it must not reach the client
};

struct TRITONBACKEND_ResponseFactory {
  TRITONBACKEND_Request* request = nullptr;
};

// The next value of an implicit state, while the backend writes it. Belongs to its request.
struct TRITONBACKEND_State {
  TRITONBACKEND_Request* request = nullptr;
  std::string name;  // of the state's output
  headrace::DataType dtype = headrace::DataType::kInvalid;
  headrace::Shape shape;
  headrace::MutableBuffer buffer;
  TRITONSERVER_BufferAttributes attributes;
};

namespace headrace::plugin {

class RequestPool;

}  // namespace headrace::plugin

struct TRITONBACKEND_Request {
 public:
  TRITONBACKEND_Request() = default;
  TRITONBACKEND_Request(const TRITONBACKEND_Request&) = delete;
  TRITONBACKEND_Request& operator=(const TRITONBACKEND_Request&) = delete;

  // The start of an execution. `failed` (may be null) takes the request if it fails with nothing
  // sent for it, until Settle.
  void Begin(std::unique_ptr<headrace::engine::InferRequest> request,
             std::shared_ptr<headrace::plugin::RequestPool> pool,
             headrace::engine::FailedRequests* failed);
  // The execution has returned: what failed and is still referred to ends now, and what fails later
  // ends at once. Costs a load where nothing is referred to any more.
  void Settle();

  // False once the backend has given the request back.
  bool held() const { return held_.load(std::memory_order_acquire); }
  // Requires held(), or a response or factory of it.
  const headrace::engine::InferRequest& request() const { return *request_; }
  headrace::engine::ModelHandle model() const { return request_->model(); }
  std::span<TRITONBACKEND_Input> inputs() { return inputs_; }
  // Null for a request that is not traced; valid as long as the request is.
  TRITONSERVER_InferenceTrace* trace_handle();
  std::uint32_t wanted_output_count() const;
  // Requires index < wanted_output_count().
  const std::string& wanted_output(std::uint32_t index) const;
  bool Wants(const std::string& output) const;

  // Each of these is refused with INVALID_ARGUMENT when its object is not the caller's to use.
  headrace::Status Release();
  // The same, but the request is executed once more, as the next step of its sequence, when nothing
  // refers to it any more.
  headrace::Status Reschedule();
  headrace::Result<TRITONBACKEND_Response*> NewResponse(bool from_factory);
  // Takes the response in every case. `error` ends the request, unless the model is decoupled and
  // more may follow.
  static headrace::Status Send(TRITONBACKEND_Response* response, bool final,
                               headrace::Status error);
  static headrace::Status Delete(TRITONBACKEND_Response* response);
  headrace::Result<TRITONBACKEND_ResponseFactory*> NewFactory();
  headrace::Status FinishByFactory();
  static void Delete(TRITONBACKEND_ResponseFactory* factory);
  static headrace::Result<TRITONBACKEND_Output*> AddOutput(TRITONBACKEND_Response* response,
                                                           const char* name,
                                                           headrace::DataType dtype,
                                                           const headrace::Shape& shape);
  static headrace::Result<std::byte*> AllocateOutput(TRITONBACKEND_Output* output,
                                                     std::uint64_t byte_size);

  // The state whose output is `name`: UNAVAILABLE if the model has none of that name.
  headrace::Result<TRITONBACKEND_State*> NewState(const char* name, headrace::DataType dtype,
                                                  const headrace::Shape& shape);
  // Memory for the state's value; a second call gives other memory.
  static headrace::Result<std::byte*> AllocateState(TRITONBACKEND_State* state,
                                                    std::uint64_t byte_size);
  // Makes what was written the state's value.
  static headrace::Status UpdateState(TRITONBACKEND_State* state);

  // The number of the response whose statistics are reported next, within this execution.
  std::uint64_t NextReportedResponse();

  // Ends the request with `status` if it has not ended, and takes it back from the backend if it is
  // still held.
  void TakeBack(const headrace::Status& status);

 private:
  using Lock = std::unique_lock<std::mutex>;
  void BindInputs();
  void Finish(headrace::Status status);
  // Ends the request with `error`, or keeps the error back for failed_.
  void Fail(headrace::Status error);
  // Whether it takes no more responses.
  bool ended() const { return withheld_ || request_->finished(); }
  void SendLocked(TRITONBACKEND_Response* response, bool final, headrace::Status error);
  static void Idle(TRITONBACKEND_Response* response);
  void Unreference(Lock lock);

  std::unique_ptr<headrace::engine::InferRequest> request_;
  std::vector<TRITONBACKEND_Input> inputs_;
  TRITONSERVER_InferenceTrace shown_trace_;  // guarded by mutex_
  std::shared_ptr<headrace::plugin::RequestPool> pool_;
  std::atomic<bool> held_{false};
  std::atomic<bool> in_use_{false};  // until nothing refers to the request any more

  // Guards what follows, and puts the calls to the response sink, which never block, in a row.
  std::mutex mutex_;
  int references_ = 0;  // the backend's hold, live responses, factories
  std::vector<std::unique_ptr<TRITONBACKEND_Response>> responses_;
  std::size_t next_response_ = 0;
  std::size_t responses_begun_ = 0;         // in this execution
  std::uint64_t responses_reported_ = 0;    // in this execution
  std::deque<TRITONBACKEND_State> states_;  // a deque: addresses stay
  bool rescheduled_ = false;
  headrace::engine::FailedRequests* failed_ = nullptr;
  bool sent_ = false;      // something, in this execution
  bool withheld_ = false;  // it has failed, and its client has not been told
  headrace::Status withheld_error_;
};

namespace headrace::plugin {

// The handles of one instance. Thread-safe. Lives as long as a handle of it is in use.
class RequestPool : public std::enable_shared_from_this<RequestPool> {
 public:
  // A handle for each request, in order, appended to `handles`. `failed`: see
  // TRITONBACKEND_Request::Begin.
  void Begin(std::vector<std::unique_ptr<engine::InferRequest>>& requests,
             std::vector<TRITONBACKEND_Request*>& handles,
             engine::FailedRequests* failed = nullptr);
  void Return(TRITONBACKEND_Request* handle);
  // Takes back every handle that is in use: the backend is gone. Returns how many there were.
  std::size_t TakeBackAll(const Status& status);

 private:
  std::mutex mutex_;  // guards all_ and idle_
  std::vector<std::unique_ptr<TRITONBACKEND_Request>> all_;
  std::deque<TRITONBACKEND_Request*> idle_;  // longest idle first
};

}  // namespace headrace::plugin

#endif  // HEADRACE_PLUGIN_REQUEST_HANDLE_H_
