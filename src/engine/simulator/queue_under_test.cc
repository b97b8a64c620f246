#include "engine/simulator/queue_under_test.h"

namespace headrace::engine::simulator {
namespace {

class RealQueueUnderTest final : public QueueUnderTest {
 public:
  RealQueueUnderTest(const Scenario& scenario, QueueCore::DecideFunction decide)
      : core_(scenario.policy, scenario.limits, scenario.policies, decide) {}

  QueueCore::PushResult Push(std::unique_ptr<InferRequest>& request, Nanos now) override {
    return core_.Push(request, now);
  }
  void TryPop(Nanos now, QueueCore::Popped& popped) override { core_.TryPop(now, popped); }
  void Expire(Nanos now, QueueCore::Popped& popped) override { core_.Expire(now, popped); }
  void TakeAll(QueueCore::RequestList& out) override { core_.TakeAll(out); }
  void Close() override { core_.Close(); }
  void SetQueueDelay(Nanos delay) override { core_.SetQueueDelay(delay); }
  bool Due(Nanos now) const override { return core_.Due(now); }
  bool HasWorkBeyond(std::size_t waking) const override { return core_.HasWorkBeyond(waking); }
  bool closed() const override { return core_.closed(); }
  std::size_t depth() const override { return core_.depth(); }
  std::size_t byte_size() const override { return core_.byte_size(); }
  std::vector<const InferRequest*> Contents() const override {
    std::vector<const InferRequest*> contents;
    core_.ForEach([&contents](const InferRequest& request) { contents.push_back(&request); });
    return contents;
  }

 private:
  QueueCore core_;
};

}  // namespace

QueueFactory RealQueue(QueueCore::DecideFunction decide) {
  return [decide](const Scenario& scenario) {
    return std::make_unique<RealQueueUnderTest>(scenario, decide);
  };
}

}  // namespace headrace::engine::simulator
