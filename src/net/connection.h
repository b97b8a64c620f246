// What a listener's share knows about each of its connections, whatever it speaks.
#ifndef HEADRACE_NET_CONNECTION_H_
#define HEADRACE_NET_CONNECTION_H_

#include <cstdint>
#include <string_view>

#include "base/intrusive_list.h"
#include "net/event_loop_impl.h"

namespace headrace::net {

// For the list of connections that have output to write at the end of the turn.
struct DirtyTag {};

// Lives on its loop's thread, belongs to its HttpListener, and dies at the end of the turn in which
// it closed.
class Connection : public EventSource, public ListNode<>, public ListNode<DirtyTag> {
 public:
  // The socket is in the epoll set; `received` was read from it already.
  virtual void Begin(std::string_view received) = 0;
  // A deadline of the connection's `TimeoutEntry` has passed.
  virtual void OnTimeout() = 0;
  // The rate of what arrives has to be looked at.
  virtual void OnRateCheck() {}
  // The turn ends: write what gathered in it (HttpListener::FlushLater).
  virtual void Flush() {}
  // Closes now if idle, else as soon as what is in work has its answer.
  virtual void BeginDrain() = 0;
  // Closes now; what is in work is cancelled.
  virtual void Close() = 0;

  // Whose it is (peer_key.h); the listener says so before Begin.
  std::uint64_t peer() const { return peer_; }
  void set_peer(std::uint64_t peer) { peer_ = peer; }

 private:
  std::uint64_t peer_ = 0;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_CONNECTION_H_
