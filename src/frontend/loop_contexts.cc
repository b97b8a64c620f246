#include "frontend/loop_contexts.h"

#include "base/check.h"

namespace headrace::frontend {

LoopContext& LoopContexts::Of(net::EventLoop& loop) {
  for (const std::atomic<LoopContext*>& slot : published_) {
    LoopContext* context = slot.load(std::memory_order_acquire);
    if (context == nullptr) {
      break;
    }
    if (&context->loop == &loop) {
      return *context;
    }
  }
  // Only this loop's thread adds this loop, so it cannot have appeared since the search.
  std::lock_guard lock(mutex_);
  HEADRACE_CHECK(owned_.size() < kLoopCountMax);
  owned_.push_back(std::make_unique<LoopContext>(loop, registry_));
  published_[owned_.size() - 1].store(owned_.back().get(), std::memory_order_release);
  return *owned_.back();
}

void LoopContexts::RefreshAll() {
  for (const std::atomic<LoopContext*>& slot : published_) {
    LoopContext* context = slot.load(std::memory_order_acquire);
    if (context == nullptr) {
      break;
    }
    context->loop.PostFunction([context] { context->models.Get(); });
  }
}

}  // namespace headrace::frontend
