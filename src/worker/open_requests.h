// The requests that a worker has and has not answered.
//
// Each has a slot of its own: the index of its cancel byte in the data region, and the low bits of
// its key. An instance's thread opens a batch and takes back what EXECUTED answers; what is left is
// late, and the keeper answers it when its responses come on the side channel.
#ifndef HEADRACE_WORKER_OPEN_REQUESTS_H_
#define HEADRACE_WORKER_OPEN_REQUESTS_H_

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "engine/request.h"
#include "worker/data_region.h"

namespace headrace::worker {

// Thread-safe. Requests in it belong to it; one that a delivery uses is used by nobody else.
class OpenRequests {
 public:
  static constexpr std::size_t kCountMax = DataRegion::kCancelByteSize;

  explicit OpenRequests(DataRegion& region) : region_(region) {}

  struct Opened {
    std::uint64_t key = 0;
    std::uint32_t cancel_slot = 0;
    engine::InferRequest* request = nullptr;  // borrowed until the batch is taken or settled
  };
  // Opens them in order, one `opened` for each, until there is no slot left; what was opened is
  // null afterwards. Marks them as executing.
  void OpenBatch(std::span<std::unique_ptr<engine::InferRequest>> requests,
                 std::vector<Opened>& opened);

  // The request, which is open no more; waits for a delivery that is under way. Null: not
  // executing.
  std::unique_ptr<engine::InferRequest> TakeExecuting(std::uint64_t key);
  // The end of an execution: what of the batch is still open is late from now on.
  void SettleBatch(std::span<const Opened> batch);
  // What of the batch is still open, waiting for deliveries that are under way.
  std::vector<std::unique_ptr<engine::InferRequest>> TakeBatch(std::span<const Opened> batch);
  // What is late. The same waiting does not apply: the keeper, which delivers, calls it.
  std::vector<std::unique_ptr<engine::InferRequest>> TakeLate();

  // A delivery: the request for the caller's use until Keep or Remove; nothing if it is not open.
  struct Used {
    engine::InferRequest* request = nullptr;
    bool answered = false;  // it has had a response before
  };
  std::optional<Used> Use(std::uint64_t key);
  // It has had a response and stays open.
  void Keep(std::uint64_t key);
  std::unique_ptr<engine::InferRequest> Remove(std::uint64_t key);

  // Whether the key was ever given to the worker.
  bool WasOpened(std::uint64_t key) const;
  // The trace of an open request, for what it causes; null if there is none.
  std::shared_ptr<engine::RequestTrace> TraceOf(std::uint64_t key) const;

  // Tells the worker which of the requests nobody waits for any more.
  void ShowCancelled();
  std::size_t count() const;

 private:
  struct Entry {
    std::uint64_t key = 0;  // 0: free
    std::unique_ptr<engine::InferRequest> request;
    bool executing = false, used = false, cancelled = false, answered = false;
  };
  Entry* Find(std::uint64_t key);
  std::unique_ptr<engine::InferRequest> Close(Entry& entry);

  DataRegion& region_;
  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable unused_;
  std::vector<Entry> entries_;             // by slot
  std::vector<std::uint32_t> free_slots_;  // of entries_
  std::size_t count_ = 0;
  std::uint64_t last_number_ = 0;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_OPEN_REQUESTS_H_
