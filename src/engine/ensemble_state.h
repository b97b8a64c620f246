// How far one request has come through an ensemble: which tensors are there, which steps can run,
// which responses are complete. Without threads: EnsembleRun guards it.
#ifndef HEADRACE_ENGINE_ENSEMBLE_STATE_H_
#define HEADRACE_ENGINE_ENSEMBLE_STATE_H_

#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include "engine/ensemble_plan.h"
#include "engine/response_sink.h"
#include "tensor/tensor.h"

namespace headrace::engine {

// Not thread-safe. Tensors are handed on, never copied; one that nobody needs any more is let go.
//
// Iterations (contracts, Triton 4.6): the responses of a decoupled step are numbered from 0, and
// what lies behind runs once for each number. A step that reads tensors of two decoupled steps runs
// with those of equal numbers. One that also reads tensors from before gets the same of those every
// time (a stock Triton runs it for the first iteration only).
class EnsembleState {
 public:
  struct Start {
    std::size_t step = 0;
    std::uint64_t iteration = 0;  // meaningless for steps that are not iterated
    std::vector<NamedTensor> inputs;
  };

  // Borrows the plan. `wanted_outputs`: empty = all.
  EnsembleState(const EnsemblePlan& plan, const std::vector<std::string>& wanted_outputs);

  // The request's inputs; takes the tensors. Inputs that are left out stay away from the steps that
  // read them.
  void Begin(std::vector<NamedTensor> inputs);
  // One response of a step that ran at `iteration`; the only one unless the step is decoupled.
  // Outputs that no tensor stands for are dropped.
  void Accept(std::size_t step, std::uint64_t iteration, InferResponse response);

  bool has_ready() const { return !ready_.empty(); }
  // Requires has_ready().
  Start TakeReady();
  bool has_response() const { return !responses_.empty(); }
  // The outputs carry the ensemble's names and the shapes of their models. Requires has_response().
  InferResponse TakeResponse();

  // The model's outputs that `step` is asked for.
  std::vector<std::string> WantedOutputs(std::size_t step) const;
  // Steps that wait in has_ready().
  std::size_t ready_count(std::size_t step) const { return ready_counts_[step]; }
  // Once nothing runs or is ready any more: whether the request has its answer. False when a step
  // gave no value to a tensor that another needed.
  bool complete() const;
  // Tensors that are held now.
  std::size_t held_count() const;

 private:
  struct Slot {
    Tensor tensor;
    std::size_t uses_left = 0;
    bool set = false;
    bool absent = false;  // the request left it out
  };
  using Level = std::map<std::size_t, Slot>;  // by tensor

  void Set(std::size_t tensor, std::uint64_t iteration, Tensor value, bool absent);
  void TryStart(std::size_t step, std::uint64_t iteration);
  void TryAnswer(std::uint64_t iteration);
  // Null if it is not set.
  const Slot* Find(std::size_t tensor, std::uint64_t iteration) const;
  // One reader is done with it. Values that every iteration sees stay.
  void Use(std::size_t tensor, std::uint64_t iteration, bool reader_iterated);

  const EnsemblePlan& plan_;
  std::vector<bool> needed_;       // steps
  std::vector<bool> wanted_;       // tensors that responses carry
  bool answers_iterate_ = false;   // one response for each iteration
  std::vector<std::size_t> uses_;  // of each tensor
  Level root_;
  std::map<std::uint64_t, Level> iterations_;
  std::vector<std::uint64_t> response_counts_;  // of each step
  std::vector<std::size_t> ready_counts_;
  std::deque<Start> ready_;
  std::deque<InferResponse> responses_;
  std::uint64_t answered_ = 0;
  std::size_t steps_left_ = 0;  // needed ones that are not iterated and have not been started
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_ENSEMBLE_STATE_H_
