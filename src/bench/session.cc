#include "bench/session.h"

#include <algorithm>
#include <chrono>
#include <ctime>
#include <thread>
#include <utility>
#include <vector>

#include "bench/aggregate.h"
#include "bench/environment.h"
#include "bench/gauge_sampler.h"
#include "bench/record_queue.h"
#include "bench/server_figures.h"
#include "bench/verdict.h"
#include "bench/warmup.h"
#include "load/sender.h"

namespace headrace::bench {
namespace {

// How often the records are counted and the rules looked at.
constexpr Nanos kTurn = 20 * kMillisecond;
constexpr Nanos kProgressInterval = 100 * kMillisecond;
// So that all senders are up before the first arrival.
constexpr Nanos kStartDelay = 5 * kMillisecond;
// What is out after Ctrl-C, or when the server has gone, is given up so soon.
constexpr Nanos kHurriedDrain = 500 * kMillisecond;

Nanos Now() { return Clock::Real().Now(); }

std::int64_t WallClockOffset() {
  timespec wall{};
  ::clock_gettime(CLOCK_REALTIME, &wall);
  return static_cast<std::int64_t>(wall.tv_sec) * kSecond + wall.tv_nsec - Now();
}

// One level: its senders, and what is counted of them.
class LevelRun {
 public:
  LevelRun(const LevelSpec& spec, load::TransportFactory& transports,
           const load::Workload& workload, load::ServerControl* control,
           StatisticsReader& statistics, const SessionOptions& options)
      : spec_(spec),
        transports_(transports),
        workload_(workload),
        control_(control),
        statistics_(statistics),
        options_(options) {
    int count = std::max(options.sender_count, 1);
    if (!spec.arrivals.open()) {
      count = std::clamp(spec.arrivals.concurrency, 1, count);
    }
    for (int i = 0; i < count; ++i) {
      load::SenderOptions sender;
      sender.arrivals = spec.arrivals;
      sender.sender_index = i;
      sender.sender_count = count;
      sender.outstanding_max = std::max(options.outstanding_max / count, 1);
      sender.request_timeout = options.request_timeout;
      senders_.push_back(
          std::make_unique<load::Sender>(std::move(sender), workload, transports, records_));
    }
  }

  Result<LevelResult> Take() {
    Tell(Progress::Phase::kConnect, 0, 0);
    for (const auto& sender : senders_) {
      HEADRACE_RETURN_IF_ERROR(sender->Connect());
    }
    const bool warms_up = spec_.warmup_max > 0 || spec_.warmup_request_count > 0;
    if (!warms_up) {
      OpenMeasuring();
    }
    start_ = Now() + kStartDelay;
    aggregate_.emplace(spec_, workload_, start_,
                       AggregateOptions{options_.keep_records,
                                        static_cast<std::size_t>(options_.keep_records_max)});
    for (const auto& sender : senders_) {
      sender->Start(start_);
    }
    std::optional<StopReason> reason;
    if (warms_up) {
      reason = WarmUp();
      if (!reason) {
        OpenMeasuring();
      }
    }
    from_ = warms_up ? Now() : start_;
    aggregate_->Begin(from_);
    if (!reason) {
      reason = Measure();
    }
    const bool hurried = *reason == StopReason::kInterrupted || *reason == StopReason::kServerGone;
    Drain(hurried ? std::min(kHurriedDrain, spec_.drain_max) : spec_.drain_max);
    return Finish(*reason);
  }

 private:
  bool interrupted() const {
    return options_.stop != nullptr && options_.stop->load(std::memory_order_relaxed);
  }

  // Waits a turn and takes what has come; the records of this turn.
  std::span<const load::RequestRecord> Turn(Nanos until) {
    const Nanos wait = std::clamp<Nanos>(until - Now(), 0, kTurn);
    std::this_thread::sleep_for(std::chrono::nanoseconds(wait));
    chunk_ = records_.Swap(std::move(chunk_));
    aggregate_->Take(chunk_);
    return chunk_;
  }

  void Tell(Progress::Phase phase, Nanos since, Nanos expected) {
    const Nanos now = Now();
    if (!options_.progress || (phase == told_phase_ && now - told_at_ < kProgressInterval)) {
      return;
    }
    Progress progress;
    progress.phase = phase;
    progress.elapsed = since == 0 ? 0 : now - since;
    progress.expected = expected;
    if (aggregate_) {
      const Aggregate::Glance glance = aggregate_->glance();
      progress.p99 = glance.p99;
      progress.failures = glance.failed;
      const double since_told = static_cast<double>(std::max<Nanos>(now - told_at_, 1)) * 1e-9;
      const std::uint64_t more = glance.ended - std::min(glance.ended, told_ended_);
      // A mean over some tellings, so that the figure can be read.
      constexpr double kNew = 0.3;
      const double rate = static_cast<double>(more) / since_told;
      told_rate_ = told_ended_ == 0 ? rate : (1 - kNew) * told_rate_ + kNew * rate;
      told_ended_ = glance.ended;
      progress.rate = told_rate_;
    }
    told_at_ = now;
    told_phase_ = phase;
    options_.progress(progress);
  }

  // Nothing, unless the level is to end.
  std::optional<StopReason> WarmUp() {
    WarmupRule rule(spec_, start_);
    while (!rule.IsOver(Now())) {
      rule.Take(Turn(kNever));
      Tell(Progress::Phase::kWarmup, start_, spec_.warmup_max);
      if (interrupted()) {
        return StopReason::kInterrupted;
      }
      if (aggregate_->ServerGone(Now())) {
        return StopReason::kServerGone;
      }
    }
    warmup_took_ = Now() - start_;
    return std::nullopt;
  }

  void OpenMeasuring() {
    statistics_before_ = statistics_.Read();
    machine_before_ = ReadMachine();
    if (control_ != nullptr && options_.metrics_interval > 0) {
      gauges_.emplace(*control_, options_.metrics_interval);
    }
  }

  StopReason Measure() {
    const Nanos end = spec_.stop.duration >= kNever - from_ ? kNever : from_ + spec_.stop.duration;
    while (true) {
      Turn(end);
      Tell(Progress::Phase::kMeasure, from_, spec_.stop.duration);
      if (interrupted()) {
        return StopReason::kInterrupted;
      }
      const Nanos now = Now();
      if (const auto reason = aggregate_->Decide(now)) {
        return *reason;
      }
      if (aggregate_->ServerGone(now)) {
        return StopReason::kServerGone;
      }
    }
  }

  // No more is sent; what is out may end. The figures of the server are read meanwhile.
  void Drain(Nanos drain_max) {
    const Nanos now = Now();
    aggregate_->End(now);
    for (const auto& sender : senders_) {
      sender->StopAt(now + drain_max);
    }
    machine_ = Between(machine_before_, ReadMachine());
    std::atomic<bool> joined = false;
    std::thread joiner([this, &joined] {
      for (const auto& sender : senders_) {
        sender->Join();
      }
      joined.store(true, std::memory_order_release);
    });
    server_ = Difference(statistics_before_, statistics_.Read());
    bool hurried = false;
    while (!joined.load(std::memory_order_acquire)) {
      Turn(kNever);
      Tell(Progress::Phase::kDrain, now, drain_max);
      if (interrupted() && !hurried) {
        hurried = true;
        for (const auto& sender : senders_) {
          sender->StopAt(std::min(now + drain_max, Now() + kHurriedDrain));
        }
      }
    }
    joiner.join();
    Turn(0);
    ended_ = Now();
  }

  LevelResult Finish(StopReason reason) {
    LevelResult result = aggregate_->Finish();
    result.stop_reason = reason;
    result.warmup_took = warmup_took_;
    result.wall_clock_offset = WallClockOffset();
    result.machine = machine_;
    result.server = std::move(server_);
    if (gauges_) {
      result.gauges = gauges_->Stop();
    }
    FillClient(result.client);
    result.verdict = Judge(result);
    // What the counts cannot say: the words of one failure.
    if (const std::string words = transports_.FirstFailureText(); !words.empty()) {
      for (auto& line : result.verdict.lines) {
        line.text += line.remark == Remark::kFailures ? "; the first of the run: " + words : "";
      }
    }
    return result;
  }

  void FillClient(ClientFigures& client) const {
    client.sender_count = static_cast<int>(senders_.size());
    std::uint64_t sent = 0;
    Nanos cpu = 0;
    for (const auto& sender : senders_) {
      const load::SenderFigures figures = sender->figures();
      sent += figures.sent_count;
      cpu += figures.cpu_time;
      client.waited_for_connection_count += figures.waited_for_connection_count;
      client.outstanding_max_hit_count += figures.outstanding_max_hit_count;
      client.cpu_share =
          std::max(client.cpu_share, static_cast<double>(figures.cpu_time) /
                                         static_cast<double>(std::max<Nanos>(ended_ - start_, 1)));
    }
    if (sent > 0) {
      client.cpu_per_request_us = static_cast<double>(cpu) * 1e-3 / static_cast<double>(sent);
    }
  }

  const LevelSpec& spec_;
  const load::TransportFactory& transports_;
  const load::Workload& workload_;
  load::ServerControl* const control_;
  StatisticsReader& statistics_;
  const SessionOptions& options_;
  RecordQueue records_;  // outlives the senders
  std::vector<std::unique_ptr<load::Sender>> senders_;
  std::vector<load::RequestRecord> chunk_;
  std::optional<Aggregate> aggregate_;
  std::optional<GaugeSampler> gauges_;
  StatisticsByModel statistics_before_;
  MachineReading machine_before_;
  MachineFigures machine_;
  std::map<std::string, ServerFigures> server_;
  Nanos start_ = 0, from_ = 0, ended_ = 0, warmup_took_ = 0;
  std::optional<Progress::Phase> told_phase_;
  Nanos told_at_ = 0;
  std::uint64_t told_ended_ = 0;
  double told_rate_ = 0;
};

class LoadSession final : public Session {
 public:
  LoadSession(std::unique_ptr<load::TransportFactory> owned, load::TransportFactory& transports,
              const load::Workload& workload, load::ServerControl* control, SessionOptions options)
      : owned_(std::move(owned)),
        transports_(transports),
        workload_(workload),
        control_(control),
        options_(std::move(options)),
        statistics_(control, workload, options_.further_models) {}

  Result<LevelResult> Run(const LevelSpec& spec) override {
    return LevelRun(spec, transports_, workload_, control_, statistics_, options_).Take();
  }

 private:
  std::unique_ptr<load::TransportFactory> owned_;
  load::TransportFactory& transports_;
  const load::Workload& workload_;
  load::ServerControl* const control_;
  const SessionOptions options_;
  StatisticsReader statistics_;
};

}  // namespace

Result<std::unique_ptr<Session>> Session::Open(const load::TargetSpec& target,
                                               const load::Workload& workload,
                                               load::ServerControl* control,
                                               SessionOptions options) {
  HEADRACE_ASSIGN_OR_RETURN(auto transports, load::MakeTransportFactory(target, workload));
  options.request_timeout = target.request_timeout;
  load::TransportFactory& borrowed = *transports;
  return std::unique_ptr<Session>(std::make_unique<LoadSession>(
      std::move(transports), borrowed, workload, control, std::move(options)));
}

std::unique_ptr<Session> Session::Over(load::TransportFactory& transports,
                                       const load::Workload& workload, load::ServerControl* control,
                                       SessionOptions options) {
  return std::make_unique<LoadSession>(nullptr, transports, workload, control, std::move(options));
}

}  // namespace headrace::bench
