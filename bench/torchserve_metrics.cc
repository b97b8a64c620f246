// What TorchServe's metrics cost a request: the counting alone, and with the lines of the log.
// Time of the processor, not of the clock, so that a busy machine changes little.
#include <fmt/core.h>

#include <ctime>
#include <memory>
#include <string_view>
#include <utility>

#include "base/clock.h"
#include "engine/registry.h"
#include "torchserve/metrics.h"

namespace headrace {
namespace {

class NoLines final : public torchserve::LogLines {
 public:
  void Write(torchserve::LogName, LogLevel, std::string_view, std::string_view) override {}
};

class NoSink final : public engine::ResponseSink {
 public:
  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t) override {
    return Internal("none");
  }
  void Send(engine::InferResponse) override {}
  void Finish(Status) override {}
  bool Cancelled() const override { return false; }
};

double ProcessorNanos() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e9 + static_cast<double>(now.tv_nsec);
}

void Measure(std::string_view what, torchserve::LogLines* lines) {
  constexpr int kCount = 200'000;
  const engine::Registry registry;
  torchserve::Metrics metrics({.hostname = "host"}, registry, lines, Clock::Real());
  const double begin = ProcessorNanos();
  for (int i = 0; i < kCount; ++i) {
    frontend::InferSubmission submission;
    submission.received = 1;
    std::unique_ptr<engine::ResponseSink> sink = std::make_unique<NoSink>();
    metrics.WatchPrediction("squeezenet", "", submission, sink);
    submission.observer->OnExecution(
        {.exec_start = 2, .compute_start = 3, .compute_end = 4, .exec_end = 5});
    sink->Finish(OkStatus());
    sink.reset();
    submission.observer.reset();
    metrics.CountAnswer(200);
  }
  fmt::print("{:<12} {:6.0f} ns a request\n", what, (ProcessorNanos() - begin) / kCount);
}

}  // namespace
}  // namespace headrace

int main() {
  headrace::NoLines lines;
  headrace::Measure("counting", nullptr);
  headrace::Measure("with lines", &lines);
  return 0;
}
