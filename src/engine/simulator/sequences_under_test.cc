#include "engine/simulator/sequences_under_test.h"

#include <algorithm>
#include <utility>

namespace headrace::engine::simulator {
namespace {

template <typename T>
SequencesFactory Make() {
  return [](SequenceOptions options, QueueLimits limits) {
    return std::make_unique<T>(std::move(options), limits);
  };
}

// Every eighth request comes behind the one after it.
class Overtakes final : public SequencesUnderTest {
 public:
  using SequencesUnderTest::SequencesUnderTest;
  SequenceCore::PushResult Push(std::unique_ptr<InferRequest>& request, Nanos now) override {
    if (held_ == nullptr && ++count_ % 8 == 0 && request->sequence_flags == 0) {
      held_ = std::move(request);
      return {};
    }
    const auto result = SequencesUnderTest::Push(request, now);
    if (held_ != nullptr) {
      SequencesUnderTest::Push(held_, now);
      held_.reset();
    }
    return result;
  }

 private:
  std::unique_ptr<InferRequest> held_;
  int count_ = 0;
};

// A sequence goes on before its request is released.
class ReleasesEarly final : public SequencesUnderTest {
 public:
  using SequencesUnderTest::SequencesUnderTest;
  void TryPop(std::size_t seat, Nanos now, SequenceCore::Popped& popped) override {
    SequencesUnderTest::TryPop(seat, now, popped);
    for (Sequence* sequence : popped.sequences) {
      if (sequence != nullptr && !sequence->ending && !sequence->pending.empty()) {
        SequencesUnderTest::Released(*sequence, now, nullptr);
      }
    }
  }
  std::size_t Released(Sequence& sequence, Nanos now,
                       std::unique_ptr<InferRequest> again) override {
    return sequence.in_flight ? SequencesUnderTest::Released(sequence, now, std::move(again))
                              : sequence.seat;
  }
};

class LosesReleases final : public SequencesUnderTest {
 public:
  using SequencesUnderTest::SequencesUnderTest;
  std::size_t Released(Sequence& sequence, Nanos now,
                       std::unique_ptr<InferRequest> again) override {
    if (again == nullptr && ++count_ % 16 == 0) {
      return sequence.seat;
    }
    return SequencesUnderTest::Released(sequence, now, std::move(again));
  }

 private:
  int count_ = 0;
};

// A state of another sequence of the batch.
class MixesStates final : public SequencesUnderTest {
 public:
  using SequencesUnderTest::SequencesUnderTest;
  void TryPop(std::size_t seat, Nanos now, SequenceCore::Popped& popped) override {
    SequencesUnderTest::TryPop(seat, now, popped);
    auto& sequences = popped.sequences;
    if (sequences.size() > 1 && sequences[0] != nullptr && sequences[1] != nullptr) {
      std::swap(sequences[0]->state, sequences[1]->state);
    }
  }
};

class SwapsSlots final : public SequencesUnderTest {
 public:
  using SequencesUnderTest::SequencesUnderTest;
  void TryPop(std::size_t seat, Nanos now, SequenceCore::Popped& popped) override {
    SequencesUnderTest::TryPop(seat, now, popped);
    if (popped.batch.size() > 1 && ++count_ % 4 == 0) {
      std::swap(popped.batch[0], popped.batch[1]);
      std::swap(popped.sequences[0], popped.sequences[1]);
    }
  }

 private:
  int count_ = 0;
};

class ForgetsToExpire final : public SequencesUnderTest {
 public:
  using SequencesUnderTest::SequencesUnderTest;
  void Expire(Nanos, std::vector<SequenceCore::Dropped>&, std::vector<std::size_t>&) override {}
};

class ExpiresEarly final : public SequencesUnderTest {
 public:
  using SequencesUnderTest::SequencesUnderTest;
  void Expire(Nanos now, std::vector<SequenceCore::Dropped>& dropped,
              std::vector<std::size_t>& seats) override {
    SequencesUnderTest::Expire(now + kMillisecond, dropped, seats);
  }
  SequenceCore::PushResult Push(std::unique_ptr<InferRequest>& request, Nanos now) override {
    std::vector<SequenceCore::Dropped> dropped;
    std::vector<std::size_t> seats;
    Expire(now, dropped, seats);
    for (auto& one : dropped) {
      one.request->Finish(one.status, one.reason);
    }
    return SequencesUnderTest::Push(request, now);
  }
};

// Takes any request as the first of a sequence.
class NeedsNoStart final : public SequencesUnderTest {
 public:
  using SequencesUnderTest::SequencesUnderTest;
  SequenceCore::PushResult Push(std::unique_ptr<InferRequest>& request, Nanos now) override {
    const auto result = SequencesUnderTest::Push(request, now);
    if (request == nullptr || result.status.code() != StatusCode::kInvalidArgument) {
      return result;
    }
    request->sequence_flags |= 1;
    return SequencesUnderTest::Push(request, now);
  }
};

// Merges what two looks give out.
class OverLimit final : public SequencesUnderTest {
 public:
  using SequencesUnderTest::SequencesUnderTest;
  void TryPop(std::size_t seat, Nanos now, SequenceCore::Popped& popped) override {
    SequencesUnderTest::TryPop(seat, now, popped);
    if (popped.batch.empty()) {
      return;
    }
    SequenceCore::Popped more;
    SequencesUnderTest::TryPop(seat, now, more);
    std::move(more.batch.begin(), more.batch.end(), std::back_inserter(popped.batch));
    std::move(more.dropped.begin(), more.dropped.end(), std::back_inserter(popped.dropped));
    popped.sequences.insert(popped.sequences.end(), more.sequences.begin(), more.sequences.end());
  }
};

}  // namespace

SequencesFactory RealSequences() { return Make<SequencesUnderTest>(); }

std::vector<SequenceMutant> SequenceMutants() {
  return {{"sequences_overtake", Make<Overtakes>()},
          {"sequences_release_early", Make<ReleasesEarly>()},
          {"sequences_lose_releases", Make<LosesReleases>()},
          {"sequences_mix_states", Make<MixesStates>()},
          {"sequences_swap_slots", Make<SwapsSlots>()},
          {"sequences_forget_to_expire", Make<ForgetsToExpire>()},
          {"sequences_expire_early", Make<ExpiresEarly>()},
          {"sequences_need_no_start", Make<NeedsNoStart>()},
          {"sequences_over_limit", Make<OverLimit>()},
          {"sequence_runner_loses_wakeups", RealSequences(), 30}};
}

}  // namespace headrace::engine::simulator
