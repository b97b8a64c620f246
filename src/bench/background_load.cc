#include "bench/background_load.h"

#include <fmt/format.h>

#include <utility>

#include "bench/svg_axis.h"
#include "load/arrivals.h"

namespace headrace::bench {

Result<std::unique_ptr<BackgroundLoad>> BackgroundLoad::Start(BenchOptions options) {
  std::unique_ptr<BackgroundLoad> load(new BackgroundLoad(std::move(options)));
  load->thread_ = std::thread([&load = *load] { load.Run(); });
  {
    std::unique_lock lock(load->mutex_);
    load->changed_.wait(lock, [&load] { return load->begun_; });
  }
  if (load->ended_) {  // it could not begin
    HEADRACE_ASSIGN_OR_RETURN(const LevelResult level, load->Stop());
    return Unavailable("the load ended in its warm-up: {}", LoadLine(level));
  }
  return load;
}

BackgroundLoad::BackgroundLoad(BenchOptions options) : options_(std::move(options)) {}

BackgroundLoad::~BackgroundLoad() {
  if (thread_.joinable()) {
    stop_ = true;
    thread_.join();
  }
}

void BackgroundLoad::Run() {
  BenchListener listener;
  listener.progress = [this](std::string_view, const Progress& progress) {
    if (progress.phase == Progress::Phase::kMeasure) {
      Begun();
    }
  };
  outcome_ = RunBench(options_, &stop_, listener);
  ended_ = true;
  Begun();
}

void BackgroundLoad::Begun() {
  {
    const std::lock_guard lock(mutex_);
    begun_ = true;
  }
  changed_.notify_one();
}

Result<LevelResult> BackgroundLoad::Stop() {
  stop_ = true;
  thread_.join();
  HEADRACE_RETURN_IF_ERROR(outcome_->status());
  return std::move((*outcome_)->document.levels.back());  // RunBench fails without one
}

std::string LoadLine(const LevelResult& level) {
  const auto milliseconds = [&level](double percentile) {
    const double value = level.response_time.Percentile(percentile).value;
    return FigureText(value / static_cast<double>(kMillisecond)) + " ms";
  };
  std::string text = load::Describe(level.spec.arrivals);
  if (level.response_time.histogram.count() > 0) {
    text += fmt::format(": {} requests/s, p50 {}, p99 {}", FigureText(level.request_rate),
                        milliseconds(50), milliseconds(99));
  }
  // What Stop gave up is no failure of the server's.
  const std::uint64_t given_up = level.outcomes[static_cast<std::size_t>(load::Outcome::kTimeout)];
  if (level.failure_count() > given_up) {
    for (const Verdict::Line& line : level.verdict.lines) {
      text += line.remark == Remark::kFailures ? "; " + line.text : "";
    }
  }
  return text;
}

}  // namespace headrace::bench
