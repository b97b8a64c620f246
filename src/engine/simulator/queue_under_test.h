// The seam at which the simulator puts the real queue, or one with a planted bug.
#ifndef HEADRACE_ENGINE_SIMULATOR_QUEUE_UNDER_TEST_H_
#define HEADRACE_ENGINE_SIMULATOR_QUEUE_UNDER_TEST_H_

#include <functional>
#include <memory>
#include <vector>

#include "engine/queue_core.h"
#include "engine/simulator/scenario.h"

namespace headrace::engine::simulator {

// The part of QueueCore's interface that runners and clients meet, to be overridden.
class QueueUnderTest {
 public:
  virtual ~QueueUnderTest() = default;
  virtual QueueCore::PushResult Push(std::unique_ptr<InferRequest>& request, Nanos now) = 0;
  virtual void TryPop(Nanos now, QueueCore::Popped& popped) = 0;
  virtual void Expire(Nanos now, QueueCore::Popped& popped) = 0;
  virtual void TakeAll(QueueCore::RequestList& out) = 0;
  virtual void Close() = 0;
  virtual void SetQueueDelay(Nanos /*delay*/) {}
  virtual bool Due(Nanos now) const = 0;
  virtual bool HasWorkBeyond(std::size_t waking) const = 0;
  virtual bool closed() const = 0;
  virtual std::size_t depth() const = 0;
  virtual std::size_t byte_size() const = 0;
  virtual std::vector<const InferRequest*> Contents() const = 0;
  bool empty() const { return depth() == 0; }
};

using QueueFactory = std::function<std::unique_ptr<QueueUnderTest>(const Scenario&)>;

// The product's queue, with the product's policy unless `decide` says otherwise.
QueueFactory RealQueue(QueueCore::DecideFunction decide = &DecideBatch);

}  // namespace headrace::engine::simulator

#endif  // HEADRACE_ENGINE_SIMULATOR_QUEUE_UNDER_TEST_H_
