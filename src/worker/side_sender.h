// Sends on a worker's side channel, from any thread, without ever waiting.
#ifndef HEADRACE_WORKER_SIDE_SENDER_H_
#define HEADRACE_WORKER_SIDE_SENDER_H_

#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <string>

#include "base/result.h"
#include "worker/channel.h"
#include "worker/data_region.h"
#include "worker/wire.h"

namespace headrace::worker {

// Thread-safe. What the socket does not take at once waits here, in order, and leaves when the
// keeper has seen that the socket is writable.
class SideSender {
 public:
  static constexpr std::size_t kWaitingByteSizeMax = std::size_t{64} << 20;

  // Borrows both. `wake`: called when something begins to wait, so that the keeper looks at
  // `waiting()`; any thread.
  SideSender(Channel& channel, DataRegion& region, std::function<void()> wake);

  // UNAVAILABLE: the worker has gone. RESOURCE_EXHAUSTED: it does not read, or a long body finds no
  // room in the data region. The message is not sent then.
  Status Send(MessageType type, std::string body);
  // Sends what waits, until the socket is full again.
  Status Flush();
  bool waiting() const;

 private:
  struct Message {
    Head head;
    std::string body;
  };

  Channel& channel_;
  DataRegion& region_;
  const std::function<void()> wake_;
  mutable std::mutex mutex_;  // guards what follows, and sending
  std::deque<Message> messages_;
  std::size_t waiting_byte_size_ = 0;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_SIDE_SENDER_H_
