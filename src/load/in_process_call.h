// Requests through the C interface, and the way of their answers to the sender's thread.
#ifndef HEADRACE_LOAD_IN_PROCESS_CALL_H_
#define HEADRACE_LOAD_IN_PROCESS_CALL_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/mpsc_queue.h"
#include "base/result.h"
#include "base/unique_fd.h"
#include "load/golden.h"
#include "load/in_process_server.h"
#include "load/transport.h"
#include "load/workload.h"

namespace headrace::load {

class InProcessCall;

// One callback of the server.
struct InProcessEvent : MpscNode<> {
  InProcessCall* call = nullptr;
  TRITONSERVER_InferenceResponse* response = nullptr;  // the receiver's to delete; may be null
  bool final = false;
  bool in_call = false;  // a member of its call; else from the heap
  Nanos when = 0;
};

// Where the server's threads leave events for one sender.
class InProcessInbox {
 public:
  static Result<std::unique_ptr<InProcessInbox>> Make();

  // Any thread.
  void Push(InProcessEvent& event);
  // The sender's thread.
  int fd() const { return fd_.get(); }  // readable when there is something
  MpscQueue<InProcessEvent>::Batch PopAll();

 private:
  explicit InProcessInbox(UniqueFd fd) : fd_(std::move(fd)) {}

  UniqueFd fd_;
  MpscQueue<InProcessEvent> queue_;
};

// One request of a content, with its inputs, used for one Send after another. Belongs to the
// sender's thread; the server's threads use it between Submit and the final event and release.
class InProcessCall {
 public:
  // `inbox` and `workload` outlive the call. Failures name what the interface cannot carry.
  static Result<std::unique_ptr<InProcessCall>> Make(InProcessServer& server,
                                                     TRITONSERVER_ResponseAllocator* allocator,
                                                     InProcessInbox& inbox,
                                                     const Workload& workload, std::uint32_t item,
                                                     std::uint32_t content);
  ~InProcessCall();
  InProcessCall(const InProcessCall&) = delete;
  InProcessCall& operator=(const InProcessCall&) = delete;

  // Hands it to the server. On failure nothing will come of it.
  Status Submit(const Outgoing& outgoing);
  void Cancel();
  // Its final event was taken, and the server holds nothing of it any more: it may be used again.
  bool idle() const { return ended && !with_server_.load(std::memory_order_acquire); }
  // What of the outputs of `response` is not as expected.
  Mismatch Compare(TRITONSERVER_InferenceResponse* response) const;
  const GoldenOutputs* golden() const { return golden_; }

  // Callbacks for the allocator.
  static TRITONSERVER_Error* Allocate(TRITONSERVER_ResponseAllocator*, const char* name,
                                      std::size_t byte_size, TRITONSERVER_MemoryType, std::int64_t,
                                      void* user, void** buffer, void** buffer_user,
                                      TRITONSERVER_MemoryType* type, std::int64_t* type_id);
  static TRITONSERVER_Error* Release(TRITONSERVER_ResponseAllocator*, void* buffer,
                                     void* buffer_user, std::size_t, TRITONSERVER_MemoryType,
                                     std::int64_t);

  // The transport's, between Submit and idle.
  Outgoing outgoing;
  bool told = false;  // its end
  bool ended = true;  // its final event was taken
  bool wrong = false;
  bool checked = false;
  bool has_outputs = false;
  std::size_t position = 0;  // among those that are out

 private:
  // Memory of an output, kept for the next.
  struct Output {
    std::atomic<bool> taken{false};
    std::vector<char> bytes;
  };

  InProcessCall(InProcessServer& server, InProcessInbox& inbox) : server_(server), inbox_(inbox) {}
  Status AddInputs(const Item& item, const Content& content);
  Status AddParameters(const Item& item);
  static void OnResponse(TRITONSERVER_InferenceResponse* response, std::uint32_t flags, void* user);
  static void OnRelease(TRITONSERVER_InferenceRequest*, std::uint32_t, void* user);

  InProcessServer& server_;
  InProcessInbox& inbox_;
  const GoldenOutputs* golden_ = nullptr;
  TRITONSERVER_InferenceRequest* request_ = nullptr;
  std::atomic<bool> with_server_{false};
  InProcessEvent final_event_;
  std::array<Output, 8> outputs_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_IN_PROCESS_CALL_H_
