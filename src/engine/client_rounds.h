// Which turn a request takes when the clients of a queue take turns. Pure.
#ifndef HEADRACE_ENGINE_CLIENT_ROUNDS_H_
#define HEADRACE_ENGINE_CLIENT_ROUNDS_H_

#include <cstddef>
#include <cstdint>
#include <unordered_map>

namespace headrace::engine {

// Service goes in rounds, and each client has `quantum` (of batch size) in a round: what it sends
// beyond that goes to later rounds, however early it sent it. A client that was away comes in at
// the round that is being served, and cannot save up turns (start-time fair queueing, with rounds
// for tags). So a client waits for at most one quantum of each other before its own next one. A
// round ends after kRequestsPerRoundMax requests, however many new clients still come into it.
//
// Remembers the clients that wait, and what others have used of the present round. Not thread-safe.
// Cost of Enter and Leave: one look-up each.
class ClientRounds {
 public:
  explicit ClientRounds(std::int64_t quantum = 1) : quantum_(quantum) {}

  // The round that a request of `client` would be given now.
  std::uint64_t Next(std::uint64_t client) const;
  // The same for a request of batch size `size` that waits from now on.
  std::uint64_t Enter(std::uint64_t client, std::int64_t size);
  // A request that entered waits no more, whatever became of it.
  void Leave(std::uint64_t client);
  // A request of this round is being served.
  void Serve(std::uint64_t round) {
    if (current_ < round) {
      Advance(round);
    }
  }
  // Nothing waits any more: everything begins anew.
  void Reset();

  std::size_t remembered_count() const { return clients_.size(); }

  static constexpr std::size_t kRequestsPerRoundMax = 1024;

 private:
  struct Client {
    std::uint64_t round = 0;  // of its next request
    std::int64_t used = 0;    // of the quantum in that round
    std::size_t waiting = 0;
  };
  void Advance(std::uint64_t round) {
    current_ = round;
    left_ = 0;
    forgettable_ = true;
  }
  void ForgetSome();

  std::int64_t quantum_;
  std::uint64_t current_ = 0;
  std::size_t left_ = 0;      // requests that left in the present round
  bool forgettable_ = false;  // nobody has looked since the round began
  std::size_t waiting_clients_ = 0;
  std::unordered_map<std::uint64_t, Client> clients_;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_CLIENT_ROUNDS_H_
