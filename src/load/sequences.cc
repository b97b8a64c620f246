#include "load/sequences.h"

#include <algorithm>
#include <cmath>

namespace headrace::load {

SequencePool::SequencePool(const Item& item, const Share& share)
    : item_(item), share_(share), random_(HashOf(share.seed) + share.sender_index) {
  const auto total = static_cast<std::uint32_t>(std::max(item.sequences.concurrent, 1));
  const std::uint32_t rest = total % share.sender_count;
  const std::uint32_t count =
      std::max(total / share.sender_count + (share.sender_index < rest ? 1 : 0), 1U);
  content_next_ = share.sender_index;
  sequences_.resize(count);
  idle_.resize(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    idle_[i] = i;
  }
  idle_count_ = count;
}

void SequencePool::Begin(Sequence& sequence) {
  const SequenceSpec& spec = item_.sequences;
  const std::uint64_t number = begun_count_++ * share_.sender_count + share_.sender_index;
  const std::uint64_t range = spec.id_last - spec.id_first + 1;  // 0: all 2^64
  sequence.id = spec.id_first + (range == 0 ? number : number % range);
  sequence.sent = 0;
  const double variation = std::clamp(spec.length_variation, 0.0, 1.0);
  const double length = spec.length * (1 + variation * (2 * random_.Uniform() - 1));
  sequence.length = static_cast<std::uint32_t>(std::clamp(std::round(length), 1.0, 1e9));
  if (item_.streams.empty()) {
    return;
  }
  sequence.contents = item_.streams[number % item_.streams.size()];
  if (!spec.length_given) {
    sequence.length = std::max(sequence.contents.end - sequence.contents.begin, 1U);
  }
}

SequencePool::Turn SequencePool::TurnOf(std::uint32_t index, bool end) {
  Sequence& sequence = sequences_[index];
  if (sequence.length == 0) {
    Begin(sequence);
  }
  Turn turn;
  turn.sequence = index;
  turn.id = sequence.id;
  turn.start = sequence.sent == 0;
  turn.end = end || sequence.sent + 1 >= sequence.length;
  if (const std::uint32_t size = sequence.contents.end - sequence.contents.begin; size > 0) {
    turn.content = sequence.contents.begin + sequence.sent % size;
  } else {
    turn.content = content_next_ % static_cast<std::uint32_t>(item_.contents.size());
    content_next_ += share_.sender_count;
  }
  ++sequence.sent;
  if (turn.end) {
    sequence.length = 0;
  }
  return turn;
}

std::optional<SequencePool::Turn> SequencePool::Take() {
  if (idle_count_ == 0) {
    return std::nullopt;
  }
  const std::uint32_t index = idle_[idle_first_];
  idle_first_ = (idle_first_ + 1) % idle_.size();
  --idle_count_;
  return TurnOf(index, false);
}

std::optional<SequencePool::Turn> SequencePool::TakeToEnd() {
  for (std::size_t seen = idle_count_; seen > 0; --seen) {
    const std::uint32_t index = idle_[idle_first_];
    idle_first_ = (idle_first_ + 1) % idle_.size();
    --idle_count_;
    if (sequences_[index].length != 0) {
      return TurnOf(index, true);
    }
    Release(index, true);
  }
  return std::nullopt;
}

void SequencePool::Release(std::uint32_t sequence, bool ok) {
  if (!ok) {
    sequences_[sequence].length = 0;
  }
  idle_[(idle_first_ + idle_count_) % idle_.size()] = sequence;
  ++idle_count_;
}

}  // namespace headrace::load
