// A native handler around its model: requests are read on the cpu pool, queued as tensors, and
// answered with what the handler makes of the model's outputs.
#ifndef HEADRACE_HANDLER_NATIVE_STAGES_H_
#define HEADRACE_HANDLER_NATIVE_STAGES_H_

#include <memory>

#include "engine/request_stages.h"
#include "handler/cpu_pool.h"
#include "handler/native_handler.h"
#include "tensor/block_pool.h"

namespace headrace::handler {

// Thread-safe. Cost of a request beside the handler's own: one hop to the pool, and none back where
// answers are small: those are written by the instance's thread.
class NativeStages final : public engine::RequestStages {
 public:
  struct Options {
    bool decode_parts = true;  // see ContentOf
    bool limit_pixels = true;
  };
  // `pool` is borrowed; a model's requests end before the pool does.
  NativeStages(std::unique_ptr<const NativeHandler> handler, Options options,
               std::shared_ptr<CpuPool> cpu, BlockPool& pool)
      : handler_(std::move(handler)), options_(options), cpu_(std::move(cpu)), pool_(pool) {}

  const engine::ModelSignature& execution_signature() const override {
    return handler_->signature();
  }
  void Prepare(std::unique_ptr<engine::InferRequest> request,
               engine::QueuePassage passage) override;

 private:
  class Preparation;
  class AnswerSink;
  class Answering;
  // Turns the request's bytes into the handler's tensor, and its sink into one that answers.
  Status Read(engine::InferRequest& request) const;
  void Answer(engine::ResponseSink& sink, std::span<const NamedTensor> outputs) const;

  const std::unique_ptr<const NativeHandler> handler_;
  const Options options_;
  const std::shared_ptr<CpuPool> cpu_;
  BlockPool& pool_;
};

}  // namespace headrace::handler

#endif  // HEADRACE_HANDLER_NATIVE_STAGES_H_
