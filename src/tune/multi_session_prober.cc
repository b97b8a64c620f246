#include "tune/multi_session_prober.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "load/workload_spec.h"
#include "tune/warm_up.h"

namespace headrace::tune {
namespace {

constexpr std::size_t kLevelsMax = 1000;  // that are kept for the result file

Nanos ToNanos(double value) {
  return std::isfinite(value) && value < 9e18 ? static_cast<Nanos>(value) : kNever;
}

LoadSample Read(const bench::LevelResult& level, const bench::ItemFigures& item,
                const Target& target, double rate) {
  LoadSample sample;
  sample.rate = rate;
  sample.duration = level.measured_to - level.measured_from;
  sample.requests = item.count;
  const auto ok = item.outcomes[static_cast<std::size_t>(load::Outcome::kOk)];
  sample.failures = item.count - std::min(item.count, ok);
  const double seconds = std::max(1e-9, level.duration_s());
  sample.achieved = static_cast<double>(ok) / seconds;
  sample.goodput = item.goodput;
  const bench::Estimate latency = item.response_time.Percentile(target.percentile);
  sample.latency = item.response_time.histogram.count() == 0 ? kNever : ToNanos(latency.value);
  sample.latency_low = std::min(sample.latency, ToNanos(latency.low));
  sample.latency_high = std::max(sample.latency, ToNanos(latency.high));
  return sample;
}

}  // namespace

Status MultiSessionProber::OpenSession() {
  for (std::size_t i = 0; i < models_.size(); ++i) {
    const SessionProberOptions& options = models_[i]->options();
    load::WorkloadSpec spec = options.workload;
    spec.item.batch_size = 1;
    spec.item.weight = shares_[i];
    spec.item.sla = options.sla.sla;
    HEADRACE_ASSIGN_OR_RETURN(load::Workload one, load::BuildWorkload(spec, &control_));
    workload_.seed = one.seed;
    std::move(one.items.begin(), one.items.end(), std::back_inserter(workload_.items));
  }
  const SessionProberOptions& options = models_.front()->options();
  bench::SessionOptions session;
  session.sender_count = options.sender_count;
  session.request_timeout = options.target.request_timeout;
  session.stop = options.stop;
  session.progress = options.progress;
  HEADRACE_ASSIGN_OR_RETURN(
      session_, bench::Session::Open(options.target, workload_, &control_, std::move(session)));
  return OkStatus();
}

Result<MixSample> MultiSessionProber::Mix(const std::vector<Configuration>& configurations,
                                          double rate, Nanos duration) {
  int concurrency = 0;
  for (std::size_t i = 0; i < models_.size(); ++i) {
    if (Status status = models_[i]->Change(configurations[i]); !status.ok()) {
      return status;
    }
    concurrency += configurations[i].shape.instances;
  }
  if (session_ == nullptr) {
    HEADRACE_RETURN_IF_ERROR(OpenSession());
  }
  const SessionProberOptions& options = models_.front()->options();
  bench::LevelSpec level;
  Nanos sla = 0;
  for (const auto& model : models_) {
    sla = std::max(sla, model->options().sla.sla);
  }
  level.stop.duration = duration;
  level.warmup_max = std::min<Nanos>(duration / 3, 2 * kSecond);
  level.drain_max = std::max<Nanos>(kSecond, 2 * sla);
  level.percentile = options.sla.percentile;
  level.arrivals.seed = options.seed + levels_.size() + 1;
  if (current_ != configurations) {
    HEADRACE_RETURN_IF_ERROR(WarmUp(*session_, level, concurrency, duration));
    current_ = configurations;
  }
  level.arrivals.rate = rate;
  HEADRACE_ASSIGN_OR_RETURN(bench::LevelResult result, session_->Run(level));
  double sum = 0;
  for (const double share : shares_) {
    sum += share;
  }
  // One item for each model: a kind of request with several contents is one.
  MixSample sample;
  const bool backlog =
      result.stop_reason == bench::StopReason::kBacklog ||
      std::any_of(result.verdict.lines.begin(), result.verdict.lines.end(),
                  [](const auto& line) { return line.remark == bench::Remark::kBacklog; });
  for (std::size_t i = 0; i < models_.size() && i < result.items.size(); ++i) {
    sample.push_back(
        Read(result, result.items[i], models_[i]->options().sla, rate * shares_[i] / sum));
    sample.back().backlog = backlog;
  }
  if (sample.size() != models_.size()) {
    return Internal("the load has {} kinds of requests, and there are {} models", sample.size(),
                    models_.size());
  }
  if (levels_.size() < kLevelsMax) {
    levels_.push_back(std::move(result));
  }
  return sample;
}

}  // namespace headrace::tune
