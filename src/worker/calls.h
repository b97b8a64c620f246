// Requests that a worker makes to other models of the server.
#ifndef HEADRACE_WORKER_CALLS_H_
#define HEADRACE_WORKER_CALLS_H_

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "base/result.h"
#include "engine/request.h"
#include "worker/host_services.h"
#include "worker/json_messages.h"
#include "worker/session.h"
#include "worker/wire.h"

namespace headrace::worker {

// The calls of one session. Thread-safe: they begin on the keeper's thread, and their responses
// come on those of the called models. Lives as long as a call of it is under way.
class Calls : public std::enable_shared_from_this<Calls> {
 public:
  static constexpr std::size_t kCountMax = 1024;

  explicit Calls(std::shared_ptr<Session> session) : session_(std::move(session)) {}

  // Copies the inputs and submits the request; whatever becomes of it, CALL_RESPONSE tells the
  // worker. A failure is a rule that the worker broke. Does not block.
  Status Begin(const WireRequest& call, CallExtras extras, HostServices& services);
  void Cancel(std::uint64_t key);
  // Nobody waits for the answers any more.
  void CancelAll();

 private:
  class Sink;
  friend class Sink;
  using Flag = std::shared_ptr<std::atomic<bool>>;

  Status Submit(const WireRequest& call, CallExtras& extras, HostServices& services, Flag flag);
  void Respond(std::uint64_t key, engine::InferResponse response, bool final);
  // `status`: to be told with the final flag; null: it has been told.
  void End(std::uint64_t key, const Status* status);
  // Whether this thread is submitting a request, so that what ends now was refused.
  bool IsSubmitting() const {
    return submitting_.load(std::memory_order_relaxed) == std::this_thread::get_id();
  }

  const std::shared_ptr<Session> session_;
  std::atomic<std::thread::id> submitting_{};
  std::mutex mutex_;  // guards open_
  std::unordered_map<std::uint64_t, Flag> open_;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_CALLS_H_
