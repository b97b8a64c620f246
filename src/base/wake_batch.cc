#include "base/wake_batch.h"

#include <utility>

namespace headrace {
namespace {

// Not passed as an argument because the one who owes a wake-up is a queue or a sink deep below the
// thread's root, behind interfaces (and a foreign backend) that have nothing to do with waking.
thread_local WakeBatch* thread_batch = nullptr;

}  // namespace

WakeBatch::WakeBatch() : outer_(std::exchange(thread_batch, this)) {}

WakeBatch::~WakeBatch() {
  Flush();
  thread_batch = outer_;
}

void WakeBatch::SetGathering(bool gathering) {
  if (gathering_ != gathering) {
    Flush();
    gathering_ = gathering;
  }
}

void WakeBatch::Flush() {
  for (std::size_t i = 0; i < count_; ++i) {
    wakers_[i]->WakeNow();
    wakers_[i].reset();
  }
  count_ = 0;
}

bool WakeBatch::Gather(Waker& waker, const std::shared_ptr<Waker>* owner) {
  WakeBatch* batch = thread_batch;
  if (batch == nullptr || !batch->gathering_) {
    return false;
  }
  for (std::size_t i = 0; i < batch->count_; ++i) {
    if (batch->wakers_[i].get() == &waker) {
      return true;
    }
  }
  if (batch->count_ == kCapacity) {
    return false;
  }
  // Without an owner it is a pointer that owns nothing, and counts nothing.
  batch->wakers_[batch->count_++] =
      owner != nullptr ? *owner : std::shared_ptr<Waker>(std::shared_ptr<void>(), &waker);
  return true;
}

void WakeBatch::Wake(const std::shared_ptr<Waker>& waker) {
  if (!Gather(*waker, &waker)) {
    waker->WakeNow();
  }
}

void WakeBatch::WakeBorrowed(Waker& waker) {
  if (!Gather(waker, nullptr)) {
    waker.WakeNow();
  }
}

void WakeBatch::FlushCurrent() {
  if (thread_batch != nullptr) {
    thread_batch->Flush();
  }
}

}  // namespace headrace
