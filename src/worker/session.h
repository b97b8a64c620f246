// One life of a worker: its channels, what it shares with the server, and what it has to answer.
#ifndef HEADRACE_WORKER_SESSION_H_
#define HEADRACE_WORKER_SESSION_H_

#include <atomic>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <utility>

#include "base/result.h"
#include "worker/channel.h"
#include "worker/data_region.h"
#include "worker/open_requests.h"
#include "worker/side_sender.h"

namespace headrace::worker {

// Shared by the keeper, the instance's thread, and calls of other models that the worker has made;
// the parts say which threads may use them.
class Session {
 public:
  // What is given to the process when it starts.
  struct TheirEnds {
    UniqueFd call, side;
  };

  // `wake`: see SideSender.
  static Result<std::shared_ptr<Session>> Create(std::uint64_t data_byte_size,
                                                 std::function<void()> wake);

  Channel call;  // the keeper's until the worker is ready, then the instance thread's
  Channel side;
  const std::unique_ptr<DataRegion> region;
  OpenRequests open;
  SideSender sender;
  TheirEnds theirs;  // until the process has started

  // Sends a question on the call channel; a long body goes through the data region. For whoever has
  // the call channel; Answered when the answer to the oldest question has come.
  Status Ask(MessageType type, std::string_view body, std::uint16_t flags = 0);
  void Answered();
  std::uint64_t execute_count = 0;  // of the EXECUTEs that were sent; theirs too

  // Whether the process is gone, or will be at once; any thread.
  bool ended() const { return ended_.load(std::memory_order_acquire); }
  void SetEnded() { ended_.store(true, std::memory_order_release); }

  Session(Channel call_channel, Channel side_channel, std::unique_ptr<DataRegion> data_region,
          TheirEnds their_ends, std::function<void()> wake)
      : call(std::move(call_channel)),
        side(std::move(side_channel)),
        region(std::move(data_region)),
        open(*region),
        sender(side, *region, std::move(wake)),
        theirs(std::move(their_ends)) {}

 private:
  std::atomic<bool> ended_{false};
  std::deque<std::uint64_t> asked_blocks_;  // of long questions' bodies, oldest first; 0: none
};

// The body of a packet that lies in `buffer`: there, or a copy in `storage` of what the head says
// lies in the worker's half. Followed by 64 readable bytes. INVALID_ARGUMENT if it lies elsewhere.
Result<std::span<const std::byte>> BodyOf(const Head& head, std::span<const std::byte> packet,
                                          const DataRegion& region, std::string& storage);

inline std::string_view TextOf(std::span<const std::byte> body) {
  return {reinterpret_cast<const char*>(body.data()), body.size()};
}

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_SESSION_H_
