// How long one prediction took, from whoever ends it to the metrics.
#ifndef HEADRACE_TORCHSERVE_PREDICTION_WATCH_H_
#define HEADRACE_TORCHSERVE_PREDICTION_WATCH_H_

#include <memory>
#include <utility>

#include "base/clock.h"
#include "engine/execution_observer.h"
#include "engine/response_sink.h"
#include "torchserve/metrics.h"

namespace headrace::torchserve {

// Held by the request, which reports its execution here, and by the sink, which sees its end. Tells
// the metrics when both have let go of it: they may do so in any order, on different threads.
class PredictionWatch final : public engine::ExecutionObserver {
 public:
  // Borrowed; both outlive the request.
  PredictionWatch(Metrics& metrics, Metrics::ModelCells& cells, Nanos received)
      : metrics_(metrics), cells_(cells), received_(received) {}
  ~PredictionWatch() override;

  void OnExecution(const engine::ExecutionTimes& times) override;
  void OnAnswered(Nanos now) { answered_ = now; }

 private:
  Metrics& metrics_;
  Metrics::ModelCells& cells_;
  const Nanos received_;
  Nanos answered_ = 0;              // the sink's thread; 0: not, or not well
  Nanos queue_ = 0, overhead_ = 0;  // the executing thread
};

// Passes everything on, and tells the watch of an end that is well.
class WatchedSink final : public engine::ResponseSink {
 public:
  WatchedSink(std::unique_ptr<engine::ResponseSink> sink, std::shared_ptr<PredictionWatch> watch,
              const Clock& clock)
      : sink_(std::move(sink)), watch_(std::move(watch)), clock_(clock) {}

  Result<MutableBuffer> AllocateOutput(std::string_view name, std::size_t byte_size) override {
    return sink_->AllocateOutput(name, byte_size);
  }
  void Send(engine::InferResponse response) override;
  void Finish(Status status) override;
  bool Cancelled() const override { return sink_->Cancelled(); }

 private:
  const std::unique_ptr<engine::ResponseSink> sink_;
  const std::shared_ptr<PredictionWatch> watch_;
  const Clock& clock_;
  bool failed_ = false;
};

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_PREDICTION_WATCH_H_
