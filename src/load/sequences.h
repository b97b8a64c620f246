// Sequences of requests: which of them are open, and what comes next in each.
#ifndef HEADRACE_LOAD_SEQUENCES_H_
#define HEADRACE_LOAD_SEQUENCES_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "load/random.h"
#include "load/workload.h"

namespace headrace::load {

// One sender's share of the sequences of an item. A sequence has one request out at a time, so that
// the server sees its requests in order. One thread.
class SequencePool {
 public:
  struct Share {
    std::uint32_t sender_index = 0, sender_count = 1;
    std::uint64_t seed = 1;
  };
  // `item` is borrowed and has sequences. A sender has one sequence at least.
  SequencePool(const Item& item, const Share& share);

  // The next request of one sequence.
  struct Turn {
    std::uint32_t sequence = 0;  // for Release
    std::uint32_t content = 0;
    std::uint64_t id = 0;
    bool start = false;
    bool end = false;
  };
  // Nothing while every sequence has a request out.
  std::optional<Turn> Take();
  // A last request for a sequence that was begun and has none out; nothing when there is no such.
  std::optional<Turn> TakeToEnd();
  // The request of `sequence` has ended. After a failure the server's state is not known: another
  // sequence is begun in its place.
  void Release(std::uint32_t sequence, bool ok);

 private:
  struct Sequence {
    std::uint64_t id = 0;
    std::uint32_t length = 0, sent = 0;  // length 0: not begun
    Stream contents;
  };
  void Begin(Sequence& sequence);
  Turn TurnOf(std::uint32_t index, bool end);

  const Item& item_;
  const Share share_;
  Random random_;
  std::uint64_t begun_count_ = 0;
  std::uint32_t content_next_ = 0;
  std::vector<Sequence> sequences_;
  std::vector<std::uint32_t> idle_;  // a ring: from idle_first_, idle_count_ of them
  std::size_t idle_first_ = 0, idle_count_ = 0;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_SEQUENCES_H_
