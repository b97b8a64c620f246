#include "torchserve/prediction_watch.h"

#include <algorithm>

namespace headrace::torchserve {

PredictionWatch::~PredictionWatch() {
  if (answered_ != 0) {
    metrics_.PredictionEnded(cells_, answered_ - received_, queue_, overhead_);
  }
}

void PredictionWatch::OnExecution(const engine::ExecutionTimes& times) {
  queue_ = std::max<Nanos>(0, times.exec_start - received_);
  overhead_ = std::max<Nanos>(
      0, (times.exec_end - times.exec_start) - (times.compute_end - times.compute_start));
}

void WatchedSink::Send(engine::InferResponse response) {
  failed_ = failed_ || !response.error.ok();
  sink_->Send(std::move(response));
}

void WatchedSink::Finish(Status status) {
  if (status.ok() && !failed_) {
    watch_->OnAnswered(clock_.Now());
  }
  sink_->Finish(std::move(status));
}

}  // namespace headrace::torchserve
