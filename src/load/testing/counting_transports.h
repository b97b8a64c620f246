// Counts what goes through another factory's transports, for a test to wait for.
#ifndef HEADRACE_LOAD_TESTING_COUNTING_TRANSPORTS_H_
#define HEADRACE_LOAD_TESTING_COUNTING_TRANSPORTS_H_

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <utility>

#include "load/transport.h"

namespace headrace::load {

// Thread-safe.
class CountingTransports final : public TransportFactory {
 public:
  explicit CountingTransports(std::unique_ptr<TransportFactory> inner) : inner_(std::move(inner)) {}

  std::unique_ptr<Transport> Make() override {
    return std::make_unique<Counting>(*this, inner_->Make());
  }
  std::size_t sent_count() {
    const std::lock_guard lock(mutex_);
    return sent_count_;
  }
  void WaitForSent(std::size_t count) {
    std::unique_lock lock(mutex_);
    more_.wait(lock, [&] { return sent_count_ >= count; });
  }

 private:
  class Counting final : public Transport {
   public:
    Counting(CountingTransports& owner, std::unique_ptr<Transport> inner)
        : owner_(owner), inner_(std::move(inner)) {}
    Status Connect(Poller& poller, CompletionSink& sink, int connections) override {
      return inner_->Connect(poller, sink, connections);
    }
    void Send(const Outgoing& request) override {
      inner_->Send(request);
      const std::lock_guard lock(owner_.mutex_);
      ++owner_.sent_count_;
      owner_.more_.notify_all();
    }
    void Flush() override { inner_->Flush(); }
    void Expire(Nanos now) override { inner_->Expire(now); }
    void Abandon() override { inner_->Abandon(); }
    std::uint64_t waited_count() const override { return inner_->waited_count(); }

   private:
    CountingTransports& owner_;
    const std::unique_ptr<Transport> inner_;
  };

  const std::unique_ptr<TransportFactory> inner_;
  std::mutex mutex_;
  std::condition_variable more_;
  std::size_t sent_count_ = 0;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_TESTING_COUNTING_TRANSPORTS_H_
