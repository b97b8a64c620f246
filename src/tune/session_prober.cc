#include "tune/session_prober.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "bench/capacity.h"
#include "tune/model_config.h"
#include "tune/warm_up.h"

namespace headrace::tune {
namespace {

constexpr int kQuantiles = 33;
constexpr std::uint64_t kRequestsMin = 3;
constexpr Nanos kServiceMax = 10 * kSecond;
constexpr std::size_t kLevelsMax = 1000;  // that are kept for the result file
constexpr int kCapacityProbesMin = 3, kCapacityProbesMax = 9;

bool Has(const bench::LevelResult& level, bench::Remark remark) {
  return std::any_of(level.verdict.lines.begin(), level.verdict.lines.end(),
                     [remark](const auto& line) { return line.remark == remark; });
}

Nanos ToNanos(double value) {
  return std::isfinite(value) && value < 9e18 ? static_cast<Nanos>(value) : kNever;
}

double MeanOf(const std::vector<Nanos>& gaps) {
  return std::accumulate(gaps.begin(), gaps.end(), 0.0) / static_cast<double>(gaps.size());
}

// What the server computed for a request, of the one model that was asked; nothing where it does
// not say.
std::optional<double> ComputeMean(const bench::LevelResult& level, const std::string& model) {
  const auto figures = level.server.find(model);
  if (figures == level.server.end() || figures->second.success_count == 0) {
    return std::nullopt;
  }
  const bench::ServerFigures& server = figures->second;
  return server.compute_input_mean + server.compute_infer_mean + server.compute_output_mean;
}

// So many requests at a time fill every instance's batch.
int ConcurrencyOf(const Configuration& configuration) {
  return configuration.shape.instances * static_cast<int>(configuration.batch_max);
}

std::uint64_t MemoryOf(const bench::LevelResult& level) {
  const auto gauge = level.gauges.find("process_resident_memory_bytes");
  return gauge == level.gauges.end() ? 0 : static_cast<std::uint64_t>(gauge->second.max);
}

}  // namespace

Result<std::unique_ptr<SessionProber>> SessionProber::Make(load::ServerControl& control,
                                                           const SearchSpace& space,
                                                           SessionProberOptions options) {
  std::unique_ptr<SessionProber> prober(new SessionProber(control, space, std::move(options)));
  const std::string& model = prober->options_.workload.item.model;
  HEADRACE_ASSIGN_OR_RETURN(const load::ModelFacts facts, control.Model(model, ""));
  if (facts.config_json.empty()) {
    return FailedPrecondition(
        "model '{}': the server does not show its configuration, so it cannot "
        "be changed",
        model);
  }
  prober->found_config_ = facts.config_json;
  // What cannot be sent is said now, and not once for each configuration.
  HEADRACE_RETURN_IF_ERROR(prober->SessionFor(1).status());
  return prober;
}

SessionProber::~SessionProber() {
  if (const Status status = PutBack(); !status.ok()) {
    HEADRACE_LOG_ERROR("the model's configuration could not be put back: {}", status.message());
  }
}

Nanos SessionProber::Now() { return Clock::Real().Now(); }

bool SessionProber::Stopped() {
  return options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed);
}

Result<std::string> SessionProber::ConfigJson(const Configuration& configuration) const {
  if (configuration.as_found) {
    return found_config_;
  }
  const Variant* variant = space_.Find(configuration.variant);
  if (variant == nullptr) {
    return Internal("no variant '{}'", configuration.variant);
  }
  return ConfigJsonFor(found_config_, configuration, *variant, options_.model_batches);
}

Status SessionProber::Change(const Configuration& configuration) {
  if (current_ == configuration || (configuration.as_found && !changed_)) {
    return OkStatus();
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::string json, ConfigJson(configuration));
  current_.reset();
  warm_.clear();
  changed_ = true;
  const std::string& model = options_.workload.item.model;
  if (Status status = control_.Load(model, json); !status.ok()) {
    return Status(status.code(),
                  fmt::format("model '{}' does not load so: {}", model, status.message()));
  }
  current_ = configuration;
  if (options_.log) {
    options_.log(Describe(configuration));
  }
  return OkStatus();
}

Result<bench::Session*> SessionProber::SessionFor(std::int64_t batch) {
  std::unique_ptr<Opened>& opened = sessions_[batch];
  if (opened == nullptr) {
    load::WorkloadSpec spec = options_.workload;
    spec.item.batch_size = batch;
    auto made = std::make_unique<Opened>();
    HEADRACE_ASSIGN_OR_RETURN(made->workload, load::BuildWorkload(spec, &control_));
    bench::SessionOptions session;
    session.sender_count = options_.sender_count;
    session.request_timeout = options_.target.request_timeout;
    session.stop = options_.stop;
    session.progress = options_.progress;
    HEADRACE_ASSIGN_OR_RETURN(made->session, bench::Session::Open(options_.target, made->workload,
                                                                  &control_, std::move(session)));
    opened = std::move(made);
  }
  return opened->session.get();
}

Status SessionProber::WarmUpOnce(bench::Session& session, std::int64_t batch, int concurrency,
                                 Nanos probe_duration) {
  return warm_.insert(batch).second
             ? WarmUp(session, LevelFor(probe_duration), concurrency, probe_duration)
             : OkStatus();
}

bench::LevelSpec SessionProber::LevelFor(Nanos duration) {
  bench::LevelSpec level;
  level.stop.duration = duration;
  level.warmup_max = std::min<Nanos>(duration / 3, 2 * kSecond);
  level.drain_max = std::max<Nanos>(kSecond, 2 * options_.sla.sla);
  level.percentile = options_.sla.percentile;
  level.sla = options_.sla.sla;
  level.arrivals.seed = options_.seed + ++level_count_;
  return level;
}

Result<ServiceSample> SessionProber::Service(const Configuration& asked, std::int64_t batch,
                                             int concurrent, Nanos duration) {
  Configuration configuration = asked;
  if (!options_.rows_in_one_request) {
    // The batcher is to form them: it waits for the whole row, which comes together.
    configuration.batch_max = batch;
    configuration.delay = batch > 1 ? options_.sla.sla / 2 : 0;
  }
  HEADRACE_RETURN_IF_ERROR(Change(configuration));
  HEADRACE_ASSIGN_OR_RETURN(bench::Session * session,
                            SessionFor(options_.rows_in_one_request ? batch : 1));
  bench::LevelSpec level = LevelFor(duration);
  level.arrivals.kind = load::ArrivalSpec::Kind::kClosed;
  level.arrivals.concurrency =
      options_.rows_in_one_request ? concurrent : concurrent * static_cast<int>(batch);
  HEADRACE_RETURN_IF_ERROR(WarmUpOnce(*session, options_.rows_in_one_request ? batch : 1,
                                      static_cast<int>(level.arrivals.concurrency), duration));
  HEADRACE_ASSIGN_OR_RETURN(bench::LevelResult result, session->Run(level));
  // A slow model gets what it needs: two rounds of all instances, or the luckiest is all that is
  // seen.
  const std::uint64_t wanted = std::max<std::uint64_t>(
      kRequestsMin, 2 * static_cast<std::uint64_t>(level.arrivals.concurrency));
  while (result.service_time.histogram.count() < wanted && result.failure_count() == 0 &&
         level.stop.duration < kServiceMax && !Stopped()) {
    level.stop.duration *= 3;
    HEADRACE_ASSIGN_OR_RETURN(result, session->Run(level));
  }
  const bench::LatencyFigures& times = result.service_time;
  if (times.histogram.count() == 0) {
    return Stopped() ? Cancelled("stopped")
                     : Internal("no request of {} ended well ({} failed)", result.intended_count,
                                result.failure_count());
  }
  ServiceSample sample;
  sample.count = times.histogram.count();
  const double client_mean = times.histogram.Mean();
  const double compute = ComputeMean(result, options_.workload.item.model).value_or(client_mean);
  const double shift = std::clamp(client_mean - compute, 0.0, client_mean);
  for (int i = 0; i < kQuantiles; ++i) {
    const double at = 100.0 * i / (kQuantiles - 1);
    const auto time = static_cast<double>(times.histogram.ValueAtPercentile(at));
    sample.quantiles.push_back(std::max<Nanos>(1, static_cast<Nanos>(time - shift)));
  }
  sample.mean = std::max(1.0, client_mean - shift);
  sample.overhead = static_cast<Nanos>(shift);
  sample.rate = result.throughput;
  sample.memory_bytes = MemoryOf(result);
  if (levels_.size() < kLevelsMax) {
    levels_.push_back(std::move(result));
  }
  return sample;
}

LoadSample SessionProber::Read(const bench::LevelResult& level, double rate) const {
  LoadSample sample;
  sample.rate = rate;
  sample.achieved = level.request_rate;
  sample.goodput = level.goodput;
  sample.duration = level.measured_to - level.measured_from;
  sample.requests = level.intended_count;
  sample.failures = level.failure_count();
  const bench::Estimate latency = level.response_time.Percentile(options_.sla.percentile);
  sample.latency = ToNanos(latency.value);
  sample.latency_low = std::min(sample.latency, ToNanos(latency.low));
  sample.latency_high = std::max(sample.latency, ToNanos(latency.high));
  if (level.response_time.histogram.count() == 0) {
    sample.latency = sample.latency_low = sample.latency_high = kNever;
  }
  sample.backlog =
      Has(level, bench::Remark::kBacklog) || level.stop_reason == bench::StopReason::kBacklog;
  // In a short level the remark may be missing: what came in time to be answered was not.
  const double seconds = static_cast<double>(sample.duration) / static_cast<double>(kSecond);
  const double median = static_cast<double>(level.response_time.histogram.ValueAtPercentile(50)) /
                        static_cast<double>(kSecond);
  const double could = rate * std::max(0.0, seconds - median);
  sample.backlog = sample.backlog || (could > 50 && sample.achieved * seconds < 0.8 * could);
  sample.client_bound = Has(level, bench::Remark::kClientBound);
  sample.send_lag = level.send_lag.histogram.ValueAtPercentile(99);
  const auto figures = level.server.find(options_.workload.item.model);
  if (figures != level.server.end()) {
    sample.batch_mean = figures->second.batch_mean();
    sample.queue_share = figures->second.request_mean > 0
                             ? figures->second.queue_mean / figures->second.request_mean
                             : 0;
  }
  return sample;
}

Result<LoadSample> SessionProber::Load(const Configuration& configuration, double rate,
                                       Nanos duration) {
  HEADRACE_RETURN_IF_ERROR(Change(configuration));
  HEADRACE_ASSIGN_OR_RETURN(bench::Session * session, SessionFor(1));
  HEADRACE_RETURN_IF_ERROR(WarmUpOnce(*session, 1, ConcurrencyOf(configuration), duration));
  bench::LevelSpec level = LevelFor(duration);
  level.arrivals.rate = rate;
  if (!options_.intervals.empty()) {
    level.arrivals.kind = load::ArrivalSpec::Kind::kReplay;
    level.arrivals.intervals = options_.intervals;
    level.arrivals.time_scale =
        static_cast<double>(kSecond) / rate / std::max(1.0, MeanOf(options_.intervals));
  }
  HEADRACE_ASSIGN_OR_RETURN(bench::LevelResult result, session->Run(level));
  LoadSample sample = Read(result, rate);
  if (levels_.size() < kLevelsMax) {
    levels_.push_back(std::move(result));
  }
  return sample;
}

Result<CapacitySample> SessionProber::Capacity(const Configuration& configuration,
                                               double rate_start, double precision, Nanos time) {
  HEADRACE_RETURN_IF_ERROR(Change(configuration));
  HEADRACE_ASSIGN_OR_RETURN(bench::Session * session, SessionFor(1));
  HEADRACE_RETURN_IF_ERROR(WarmUpOnce(*session, 1, ConcurrencyOf(configuration), time));
  bench::CapacitySpec spec;
  spec.sla = options_.sla.sla;
  spec.percentile = options_.sla.percentile;
  spec.failure_share_max = options_.sla.failure_share_max;
  spec.rate_start = rate_start;
  spec.precision = precision;
  // A probe is followed by what is still out, and preceded by a warm-up: half of it again. In less
  // than two SLAs a queue hides that it only grows.
  const Nanos shortest = std::max<Nanos>(300 * kMillisecond, 2 * options_.sla.sla);
  const Nanos each = std::max(shortest, time / (kCapacityProbesMax + kCapacityProbesMax / 2));
  spec.probe_count_max = static_cast<int>(
      std::clamp<Nanos>(time / (each + each / 2), kCapacityProbesMin, kCapacityProbesMax));
  spec.level = LevelFor(each);
  level_count_ += kCapacityProbesMax;
  spec.confirm_duration = 0;  // step 7 does
  CapacitySample sample;
  HEADRACE_ASSIGN_OR_RETURN(
      bench::CapacityResult result,
      bench::FindCapacity(*session, spec, [&](const bench::CapacityProbe& probe) {
        ++sample.probes;
        if (probe.verdict == bench::ProbeVerdict::kMet && probe.rate >= sample.at_rate.rate) {
          sample.at_rate = Read(probe.level, probe.rate);
        }
        sample.client_bound = sample.client_bound || Has(probe.level, bench::Remark::kClientBound);
        if (levels_.size() < kLevelsMax) {
          levels_.push_back(probe.level);
        }
      }));
  sample.rate = result.rate;
  sample.rate_missed = result.rate_missed.value_or(0);
  sample.reason = result.reason;
  return sample;
}

Status SessionProber::Restart() {
  if (!options_.fresh_loads) {
    return OkStatus();
  }
  // New instances and worker processes; what is asked for next loads it again.
  current_.reset();
  changed_ = true;
  return control_.Unload(options_.workload.item.model);
}

Status SessionProber::PutBack() {
  if (!changed_) {
    return OkStatus();
  }
  const std::string& model = options_.workload.item.model;
  // What the repository has, if that is what was found: then later loads mean the files again.
  Status status = control_.Load(model, "");
  if (status.ok()) {
    const auto facts = control_.Model(model, "");
    if (facts.ok() && facts->config_json != found_config_) {
      status = control_.Load(model, found_config_);
    }
  } else {
    status = control_.Load(model, found_config_);
  }
  if (status.ok()) {
    changed_ = false;
    current_.reset();
  }
  return status;
}

}  // namespace headrace::tune
