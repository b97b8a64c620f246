#include "engine/placeholder_request.h"

#include <string>
#include <utility>

#include "engine/sequence_controls.h"
#include "engine/sequence_state.h"
#include "engine/sequence_step.h"
#include "tensor/heap_buffer.h"

namespace headrace::engine {
namespace {

class DeafSink final : public ResponseSink {
 public:
  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t byte_size) override {
    return NewHeapBuffer(byte_size);
  }
  void Send(InferResponse) override {}
  void Finish(Status) override {}
  bool Cancelled() const override { return false; }
};

// Checks what the backend does to its state, and forgets it.
class PlaceholderStep final : public SequenceStep {
 public:
  explicit PlaceholderStep(const SequenceOptions& options) : state_(options) {}
  bool HasState(std::string_view name) const override { return state_.Find(name) != nullptr; }
  Status UpdateState(std::string_view name, Tensor value) override {
    return state_.Update(name, std::move(value));
  }
  void EndSequence() override {}
  bool MayReschedule() const override { return false; }
  void Reschedule(std::unique_ptr<InferRequest>) override {}
  const SequenceState& state() const { return state_; }

 private:
  SequenceState state_;
};

}  // namespace

std::unique_ptr<InferRequest> MakePlaceholder(const InferRequest& like,
                                              std::size_t client_input_count,
                                              const SequenceOptions& options) {
  auto request = std::make_unique<InferRequest>(like.model(), std::make_unique<DeafSink>());
  request->placeholder = true;
  request->inputs.assign(like.inputs.begin(),
                         like.inputs.begin() + static_cast<std::ptrdiff_t>(client_input_count));
  request->wanted_outputs = like.wanted_outputs;
  request->batch_size = like.batch_size;
  request->shape_key = like.shape_key;
  request->times = like.times;
  auto step = std::make_unique<PlaceholderStep>(options);
  AppendControls(options, {}, {}, request->inputs);
  step->state().AppendInputs(request->inputs);
  request->step = std::move(step);
  return request;
}

}  // namespace headrace::engine
