#include "bench/bench_run.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "bench/describe.h"
#include "bench/golden_recording.h"
#include "bench/trace_setting.h"
#include "load/golden_record.h"
#include "load/in_process_server.h"
#include "load/input_signature.h"
#include "load/server_control.h"
#include "protocol/json_writer.h"

namespace headrace::bench {
namespace {

bool EndedEarly(const LevelResult& level) {
  return level.stop_reason == StopReason::kInterrupted ||
         level.stop_reason == StopReason::kServerGone;
}

std::string CapacityJson(const CapacityResult& capacity, const CapacitySpec& spec) {
  std::string text;
  protocol::JsonWriter json(text);
  json.BeginObject();
  json.Key("sla_ns").Int(spec.sla).Key("percentile").Double(spec.percentile);
  json.Key("rate").Double(capacity.rate);
  if (capacity.rate_missed) {
    json.Key("rate_missed").Double(*capacity.rate_missed);
  }
  json.Key("throughput").Double(capacity.throughput);
  json.Key("confirmed_met").Bool(capacity.confirmed_met);
  json.Key("reason").String(capacity.reason);
  json.Key("probes").BeginArray();
  for (const CapacityProbe& probe : capacity.probes) {
    json.BeginObject().Key("rate").Double(probe.rate);
    json.Key("met").Bool(probe.verdict == ProbeVerdict::kMet);
    json.Key("certain").Bool(probe.certain).Key("reason").String(probe.reason).EndObject();
  }
  json.EndArray().EndObject();
  return text;
}

class Run {
 public:
  Run(const BenchOptions& options, const std::atomic<bool>* stop, const BenchListener& listener)
      : options_(options), target_(options.target), stop_(stop), listener_(listener) {}

  Result<BenchOutcome> Take() {
    HEADRACE_RETURN_IF_ERROR(Open());
    if (!options_.golden_record.empty()) {
      HEADRACE_RETURN_IF_ERROR(
          RecordGolden(*session_, workload_, has_tensors(), batched_, options_.golden_record));
      outcome_.recorded_count = workload_.items.front().contents.size();
      return std::move(outcome_);
    }
    Status status;
    switch (options_.plan.kind) {
      case LevelPlan::Kind::kProbe:
        status = Probe();
        break;
      case LevelPlan::Kind::kLevels:
        status = Levels();
        break;
      case LevelPlan::Kind::kBisect:
        status = Bisect();
        break;
      case LevelPlan::Kind::kCapacity:
        status = Capacity();
        break;
    }
    // What has been measured is kept when a later level could not begin.
    if (!status.ok() && levels().empty()) {
      return status;
    }
    outcome_.server_gone = outcome_.server_gone || !status.ok();
    Sum();
    return std::move(outcome_);
  }

 private:
  std::vector<LevelResult>& levels() { return outcome_.document.levels; }

  Status Open() {
    if (target_.protocol == load::Protocol::kInProcess) {
      HEADRACE_ASSIGN_OR_RETURN(target_.in_process_server, load::InProcessServer::Start(target_));
    }
    if (target_.protocol != load::Protocol::kRawHttp) {
      load::ControlSpec spec = options_.control;
      spec.target = target_;
      Result<std::unique_ptr<load::ServerControl>> control = load::MakeServerControl(spec);
      HEADRACE_RETURN_IF_ERROR(control.status());
      control_ = std::move(control).value();
    }
    HEADRACE_RETURN_IF_ERROR(Ask());
    HEADRACE_RETURN_IF_ERROR(ApplyTraceSettings(options_));
    HEADRACE_ASSIGN_OR_RETURN(workload_, load::BuildWorkload(options_.workload, control_.get()));
    HEADRACE_RETURN_IF_ERROR(BeginRecording());
    HEADRACE_RETURN_IF_ERROR(NameOutputs());
    HEADRACE_RETURN_IF_ERROR(load::ApplyNames(options_.recording, workload_));
    SessionOptions session;
    session.sender_count = options_.sender_count;
    session.keep_records = options_.output.needs_records();
    session.outstanding_max = options_.outstanding_max;
    session.metrics_interval = options_.metrics_interval;
    session.further_models = options_.composing_models;
    session.stop = stop_;
    session.progress = [this](const Progress& progress) {
      if (listener_.progress) {
        listener_.progress(what_, progress);
      }
    };
    HEADRACE_ASSIGN_OR_RETURN(
        session_, Session::Open(target_, workload_, control_.get(), std::move(session)));
    Describe();
    return OkStatus();
  }

  bool has_tensors() const {
    return target_.protocol == load::Protocol::kV2Http ||
           target_.protocol == load::Protocol::kV2Grpc ||
           target_.protocol == load::Protocol::kInProcess;
  }

  Status BeginRecording() {
    if (options_.golden_record.empty()) {
      return OkStatus();
    }
    HEADRACE_RETURN_IF_ERROR(load::RecordAnswers(workload_, has_tensors()));
    if (has_tensors()) {
      const load::ItemSpec& item = options_.workload.item;
      HEADRACE_ASSIGN_OR_RETURN(const load::ModelFacts facts,
                                control_->Model(item.model, item.version));
      HEADRACE_ASSIGN_OR_RETURN(const load::Signature signature, load::MakeSignature(facts, item));
      batched_ = signature.batched;
    }
    return OkStatus();
  }

  // Outputs go to shared memory by name: where an item asks for all, they are named. Those that are
  // compared stay in the answers.
  Status NameOutputs() {
    if (target_.shared_memory == load::TargetSpec::SharedMemory::kNone) {
      return OkStatus();
    }
    for (load::Item& item : workload_.items) {
      const bool compared =
          std::any_of(item.contents.begin(), item.contents.end(),
                      [](const load::Content& content) { return content.golden.has_value(); });
      if (!item.outputs.empty() || compared) {
        continue;
      }
      HEADRACE_ASSIGN_OR_RETURN(const load::ModelFacts facts,
                                control_->Model(item.model, item.version));
      for (const load::TensorFacts& output : facts.outputs) {
        item.outputs.push_back(output.name);
      }
    }
    return OkStatus();
  }

  // That the server is there, and ready for the models: the clearest message about what is wrong.
  Status Ask() {
    if (control_ == nullptr) {
      return OkStatus();
    }
    // Another protocol's side channel may be closed although inference is open.
    const bool is_v2 = has_tensors();
    Result<load::ServerFacts> server = control_->Server();
    if (server.ok()) {
      server_ = std::move(server).value();
    } else if (is_v2) {
      return server.status();
    }
    const load::ItemSpec& item = options_.workload.item;
    if (item.model.empty()) {
      return OkStatus();
    }
    const Result<bool> ready = control_->ModelReady(item.model, item.version);
    if (ready.ok() && !*ready) {
      return NotFound("the server at {} has no model '{}'{} that is ready{}",
                      DescribeTarget(options_.target).address, item.model,
                      item.version.empty() ? "" : " of version " + item.version, Known());
    }
    return ready.ok() || !is_v2 ? OkStatus() : ready.status();
  }

  // "; it has: a, b": what the index lists.
  std::string Known() {
    const auto index = control_->Index();
    if (!index.ok() || index->empty()) {
      return "";
    }
    constexpr std::size_t kNameMax = 12;
    std::vector<std::string> names;
    for (const load::ModelState& state : *index) {
      if (std::find(names.begin(), names.end(), state.name) == names.end()) {
        names.push_back(state.name);
      }
    }
    std::string text;
    for (std::size_t i = 0; i < std::min(names.size(), kNameMax); ++i) {
      text += (i == 0 ? "; it has: " : ", ") + names[i];
    }
    return text + (names.size() > kNameMax ? ", ..." : "");
  }

  void Describe() {
    ResultDocument& document = outcome_.document;
    document.kind = options_.plan.kind == LevelPlan::Kind::kCapacity ? "capacity" : "run";
    document.name = options_.name;
    document.started_at = TimeText();
    document.command_line = options_.command_line;
    document.seed = options_.level.arrivals.seed;
    document.environment = ReadEnvironment(true);
    document.environment.server_name = server_.name;
    document.environment.server_version = server_.version;
    document.target = DescribeTarget(options_.target);
    document.workload = DescribeWorkload(workload_, control_.get());
    if (listener_.begins) {
      listener_.begins(document);
    }
  }

  // Measures one level; false when the run is to end.
  Result<bool> Measure(const LevelSpec& spec) {
    what_ = load::Describe(spec.arrivals);
    HEADRACE_ASSIGN_OR_RETURN(LevelResult level, session_->Run(spec));
    levels().push_back(std::move(level));
    if (listener_.level_ended) {
      listener_.level_ended(levels().back());
    }
    return !EndedEarly(levels().back());
  }

  LevelSpec At(double value) const {
    LevelSpec spec = options_.level;
    if (options_.plan.closed) {
      spec.arrivals.concurrency = static_cast<int>(std::lround(value));
    } else {
      spec.arrivals.rate = value;
    }
    return spec;
  }

  Status Probe() {
    constexpr int kConcurrencyMin = 8;
    constexpr int kConcurrencyMax = 64;
    int concurrency = kConcurrencyMin;
    if (control_ != nullptr && !workload_.items.front().model.empty()) {
      const load::Item& item = workload_.items.front();
      const auto facts = control_->Model(item.model, item.version);
      if (facts.ok() && item.batch_size > 0) {  // two full batches
        concurrency = static_cast<int>(std::clamp<std::int64_t>(
            2 * facts->batch_size_max / item.batch_size, kConcurrencyMin, kConcurrencyMax));
      }
    }
    what_ = fmt::format("probe, closed, {} at a time", concurrency);
    HEADRACE_ASSIGN_OR_RETURN(LevelResult probe,
                              ClosedProbe(*session_, concurrency, options_.level));
    const double capacity = probe.request_rate;
    const bool ended = EndedEarly(probe);
    levels().push_back(std::move(probe));
    if (listener_.level_ended) {
      listener_.level_ended(levels().back());
    }
    if (ended || capacity <= 0) {
      return OkStatus();
    }
    for (const double share : {0.5, 0.7, 0.9}) {
      HEADRACE_ASSIGN_OR_RETURN(const bool goes_on, Measure(At(share * capacity)));
      if (!goes_on) {
        break;
      }
    }
    return OkStatus();
  }

  Status Levels() {
    const Range& range = options_.plan.range;
    const load::ArrivalSpec::Kind kind = options_.level.arrivals.kind;
    if (kind == load::ArrivalSpec::Kind::kReplay || kind == load::ArrivalSpec::Kind::kSchedule) {
      return Measure(options_.level).status();
    }
    // Counted, so that steps of 0.1 do not add up to something else.
    constexpr int kLevelMax = 10'000;
    for (int i = 0; i < kLevelMax; ++i) {
      const double value = range.start + i * range.step;
      if (!range.unbounded() && value > range.end * (1 + 1e-9)) {
        break;
      }
      HEADRACE_ASSIGN_OR_RETURN(const bool goes_on, Measure(At(value)));
      if (!goes_on || (options_.level.sla && !MeetsSla(levels().back()))) {
        break;
      }
    }
    return OkStatus();
  }

  // As perf_analyzer: both ends, then between what meets the limit and what does not.
  Status Bisect() {
    const Range& range = options_.plan.range;
    double met = range.start;
    double missed = range.end;
    HEADRACE_ASSIGN_OR_RETURN(bool goes_on, Measure(At(met)));
    if (!goes_on || !MeetsSla(levels().back())) {
      return OkStatus();
    }
    HEADRACE_ASSIGN_OR_RETURN(goes_on, Measure(At(missed)));
    if (!goes_on || MeetsSla(levels().back())) {
      return OkStatus();
    }
    while (goes_on && missed - met > range.step) {
      const double middle =
          options_.plan.closed ? std::floor((met + missed) / 2) : (met + missed) / 2;
      if (middle <= met || middle >= missed) {
        break;
      }
      HEADRACE_ASSIGN_OR_RETURN(goes_on, Measure(At(middle)));
      (MeetsSla(levels().back()) ? met : missed) = middle;
    }
    return OkStatus();
  }

  Status Capacity() {
    CapacitySpec& spec = outcome_.capacity_spec.emplace();
    spec.level = options_.level;
    spec.sla = *options_.level.sla;
    spec.percentile = options_.level.percentile;
    spec.failure_share_max = options_.level.failure_share_max;
    spec.precision = options_.plan.precision;
    spec.confirm_duration = options_.level.stop.duration;
    if (options_.plan.range.has_end) {
      spec.rate_start = spec.rate_min = options_.plan.range.start;
      spec.rate_max = options_.plan.range.unbounded() ? spec.rate_max : options_.plan.range.end;
    }
    what_ = "capacity";
    HEADRACE_ASSIGN_OR_RETURN(CapacityResult capacity,
                              FindCapacity(*session_, spec, listener_.probe_ended));
    outcome_.document.extension = CapacityJson(capacity, spec);
    for (CapacityProbe& probe : capacity.probes) {
      levels().push_back(std::move(probe.level));
    }
    if (capacity.confirmed) {
      levels().push_back(*std::move(capacity.confirmed));
      if (listener_.level_ended) {
        listener_.level_ended(levels().back());
      }
    }
    outcome_.document.interrupted = capacity.interrupted;
    outcome_.capacity = std::move(capacity);
    return OkStatus();
  }

  void Sum() {
    bool any_ok = false;
    bool any_met = false;
    for (const LevelResult& level : levels()) {
      any_ok = any_ok || level.outcomes[0] > 0;
      any_met = any_met || MeetsSla(level);
      outcome_.unclean = outcome_.unclean || !level.verdict.stable;
      outcome_.server_gone = outcome_.server_gone || level.stop_reason == StopReason::kServerGone;
      outcome_.document.interrupted = outcome_.document.interrupted || EndedEarly(level);
    }
    outcome_.nothing_answered = !any_ok;
    if (outcome_.capacity) {
      outcome_.sla_missed = outcome_.capacity->rate <= 0;
    } else {
      outcome_.sla_missed = options_.level.sla.has_value() && !any_met;
    }
    if (!options_.gate.conditions.empty()) {
      outcome_.gate = CheckGate(options_.gate, outcome_.document);
    }
  }

  const BenchOptions& options_;
  load::TargetSpec target_;  // with the server in this process, if it is one
  const std::atomic<bool>* const stop_;
  const BenchListener& listener_;
  std::unique_ptr<load::ServerControl> control_;
  load::ServerFacts server_;
  load::Workload workload_;
  bool batched_ = false;  // --golden-record: answers have a batch dimension
  std::unique_ptr<Session> session_;
  std::string what_;
  BenchOutcome outcome_;
};

}  // namespace

bool MeetsSla(const LevelResult& level) {
  if (!level.spec.sla) {
    return true;
  }
  if (level.response_time.count() == 0 || level.intended_count == 0) {
    return false;
  }
  const double failures =
      static_cast<double>(level.failure_count()) / static_cast<double>(level.intended_count);
  return failures <= level.spec.failure_share_max &&
         level.response_time.Percentile(level.spec.percentile).value <=
             static_cast<double>(*level.spec.sla);
}

Result<BenchOutcome> RunBench(const BenchOptions& options, const std::atomic<bool>* stop,
                              const BenchListener& listener) {
  return Run(options, stop, listener).Take();
}

int ExitCode(const BenchOutcome& outcome, const BenchOptions& options) {
  constexpr int kFailed = 2;
  constexpr int kMissed = 3;
  constexpr int kInterrupted = 130;
  if (outcome.server_gone) {
    return kFailed;
  }
  if (outcome.document.interrupted) {
    return kInterrupted;
  }
  if (outcome.nothing_answered || (options.strict && outcome.unclean)) {
    return kFailed;
  }
  const bool gate_missed = std::any_of(outcome.gate.begin(), outcome.gate.end(),
                                       [](const GateFinding& finding) { return !finding.met; });
  return outcome.sla_missed || gate_missed ? kMissed : 0;
}

}  // namespace headrace::bench
