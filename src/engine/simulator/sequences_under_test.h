// The seam at which the simulator puts the real sequence core, or one with a planted bug.
#ifndef HEADRACE_ENGINE_SIMULATOR_SEQUENCES_UNDER_TEST_H_
#define HEADRACE_ENGINE_SIMULATOR_SEQUENCES_UNDER_TEST_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "engine/sequence_core.h"

namespace headrace::engine::simulator {

// The real core; a planted bug overrides what it breaks.
class SequencesUnderTest {
 public:
  using Sequence = SequenceCore::Sequence;
  SequencesUnderTest(SequenceOptions options, QueueLimits limits)
      : core_(std::move(options), limits, "m") {}
  virtual ~SequencesUnderTest() = default;

  virtual SequenceCore::PushResult Push(std::unique_ptr<InferRequest>& request, Nanos now) {
    return core_.Push(request, now);
  }
  virtual void TryPop(std::size_t seat, Nanos now, SequenceCore::Popped& popped) {
    core_.TryPop(seat, now, popped);
  }
  virtual std::size_t Released(Sequence& sequence, Nanos now, std::unique_ptr<InferRequest> again) {
    return core_.Released(sequence, now, std::move(again));
  }
  virtual void Expire(Nanos now, std::vector<SequenceCore::Dropped>& dropped,
                      std::vector<std::size_t>& seats) {
    core_.Expire(now, dropped, seats);
  }
  SequenceCore& core() { return core_; }

 private:
  SequenceCore core_;
};

using SequencesFactory =
    std::function<std::unique_ptr<SequencesUnderTest>(SequenceOptions, QueueLimits)>;

SequencesFactory RealSequences();

struct SequenceMutant {
  std::string name;
  SequencesFactory sequences;
  int lost_wakeup_percent = 0;
};

// Planted bugs, each of which the simulation catches within kMutantSeedsMax seeds.
std::vector<SequenceMutant> SequenceMutants();

}  // namespace headrace::engine::simulator

#endif  // HEADRACE_ENGINE_SIMULATOR_SEQUENCES_UNDER_TEST_H_
