// What a model does to its requests before they queue and to its answers before they leave: for
// models whose clients send something else than the tensors that the backend takes.
#ifndef HEADRACE_ENGINE_REQUEST_STAGES_H_
#define HEADRACE_ENGINE_REQUEST_STAGES_H_

#include <memory>

#include "engine/request.h"
#include "engine/signature.h"

namespace headrace::engine {

// The way of a request from its preparation into its model's queue. Move-only. It keeps the model
// open, whatever becomes of it meanwhile: a drain waits. Used once, or destroyed unused by whoever
// ended the request in another way.
class QueuePassage {
 public:
  // Requires a pin of the model (Model::Pin or alike), which is taken over.
  explicit QueuePassage(ModelHandle pinned) : model_(std::move(pinned)) {}
  QueuePassage(QueuePassage&&) noexcept = default;
  QueuePassage& operator=(QueuePassage&&) = delete;
  ~QueuePassage();

  // Checks the request against the model's execution_signature and queues it; a refusal goes to its
  // sink. Any thread; does not block.
  void Queue(std::unique_ptr<InferRequest> request) &&;

 private:
  ModelHandle model_;
};

// Thread-safe; of one model, which owns it.
class RequestStages {
 public:
  virtual ~RequestStages() = default;
  // Of requests as they are queued and executed: what the backend takes and gives.
  virtual const ModelSignature& execution_signature() const = 0;
  // Takes a request that fits the model's own signature. Later, from any thread, it goes through
  // `passage` with inputs of the execution signature, and wanted outputs that are named (a sink put
  // around its own turns them into what clients get); or it is ended. Does not block.
  virtual void Prepare(std::unique_ptr<InferRequest> request, QueuePassage passage) = 0;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_REQUEST_STAGES_H_
