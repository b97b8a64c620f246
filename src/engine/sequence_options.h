// How a model batches sequences (contracts, Triton 4.4).
#ifndef HEADRACE_ENGINE_SEQUENCE_OPTIONS_H_
#define HEADRACE_ENGINE_SEQUENCE_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "tensor/buffer.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace headrace::engine {

enum class SequenceControlKind : std::uint8_t { kStart, kReady, kEnd, kCorrelationId };

// A tensor that the scheduler adds to each request: one element that tells the model about the
// sequence.
struct SequenceControl {
  std::string input;
  SequenceControlKind kind = SequenceControlKind::kStart;
  DataType dtype = DataType::kInvalid;
  Buffer when_false{}, when_true{};  // the element; empty for kCorrelationId
};

// An output that comes back as an input with the next request of the sequence.
struct SequenceStateSpec {
  std::string input, output;
  DataType dtype = DataType::kInvalid;
  Shape dims{};          // -1 = any; without the batch dimension
  Shape initial_dims{};  // of the value at the start of a sequence; no -1
  Buffer initial_data{};
};

struct SequenceOptions {
  // direct: a sequence keeps one position of one instance's batch. Otherwise "oldest": it keeps one
  // instance, whose batches take the oldest waiting requests of different sequences.
  bool direct = true;
  // Sequences that an instance serves at a time: positions of its batch, or candidates.
  std::size_t slot_count = 1;
  std::int64_t batch_size_max = 0;  // the model's; 0: tensors have no batch dimension
  // Without a request for so long, a sequence loses its slot and its state.
  Nanos idle_max = kSecond;
  // A batch waits so long for company; with direct only until slot_utilization_min is reached.
  Nanos queue_delay_max = 0;
  double slot_utilization_min = 0;              // direct: share of slots with a request, 0..1
  std::vector<std::int64_t> preferred_sizes{};  // oldest; ascending
  // A request is a sequence by itself unless it names one, and its backend may have it executed
  // again.
  bool iterative = false;
  // A request that names a sequence which there is not begins it, whether it says START or not.
  bool starts_by_itself = false;
  // Requests that come so long after a sequence's first one begin it anew.
  Nanos age_max = kNever;
  // Beyond them requests are refused: sequences, with those that wait for a slot; requests of one
  // that wait.
  std::size_t sequence_count_max = SIZE_MAX;
  std::size_t pending_count_max = SIZE_MAX;
  std::vector<SequenceControl> controls{};
  std::vector<SequenceStateSpec> states{};
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_SEQUENCE_OPTIONS_H_
