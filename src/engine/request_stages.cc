#include "engine/request_stages.h"

#include <utility>

#include "engine/model.h"

namespace headrace::engine {

QueuePassage::~QueuePassage() {
  if (model_ != nullptr) {
    model_->Unpin();
  }
}

void QueuePassage::Queue(std::unique_ptr<InferRequest> request) && {
  const QueuePassage used(std::move(*this));
  used.model_->QueuePrepared(std::move(request));
}

}  // namespace headrace::engine
