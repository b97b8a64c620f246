#include "tracing/tracer.h"

#include <chrono>
#include <condition_variable>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/thread.h"
#include "tracing/otlp_exporter.h"
#include "tracing/trace_file.h"
#include "tracing/trace_record.h"

namespace headrace::tracing {
namespace {

constexpr std::size_t kWaitingMax = 100'000;

Nanos WallMinusMonotonic() {
  const auto wall = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::nanoseconds>(wall).count() - Clock::Real().Now();
}

template <typename T>
void Change(std::optional<T>& setting, const std::optional<T>& change, bool cleared) {
  if (cleared) {
    setting.reset();
  } else if (change) {
    setting = change;
  }
}

}  // namespace

// The thread that takes finished traces to the sink. Shared with the records, so that one that ends
// after the tracer has somewhere to go.
class Tracer::Writer final : public TraceCollector {
 public:
  explicit Writer(std::unique_ptr<TraceSink> sink)
      : sink_(std::move(sink)), thread_([this] { Run(); }) {}

  // Writes everything and ends the thread.
  void Stop() {
    {
      std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    news_.notify_all();
    if (thread_.joinable()) {
      thread_.join();
    }
  }

  void Collect(TraceData trace) override {
    {
      std::lock_guard lock(mutex_);
      if (stopping_ || waiting_.size() >= kWaitingMax) {
        dropped_.fetch_add(1, std::memory_order_relaxed);
        return;
      }
      waiting_.push_back(std::move(trace));
    }
    news_.notify_one();
  }

  std::uint64_t NextId() override { return next_id_.fetch_add(1, std::memory_order_relaxed); }

  std::uint64_t NextSpanId() override {
    std::lock_guard lock(random_mutex_);
    std::uint64_t id = 0;
    while (id < 4) {  // ids near 0 would collide with "none" as the trace's other spans take theirs
      id = random_();
    }
    return id;
  }

  std::uint64_t written() const { return written_.load(std::memory_order_relaxed); }
  std::uint64_t dropped() const { return dropped_.load(std::memory_order_relaxed); }

 private:
  void Run() {
    SetThreadName("trace");
    Nanos wake = kNever;
    std::unique_lock lock(mutex_);
    while (true) {
      const auto has_news = [this] { return !waiting_.empty() || stopping_; };
      if (wake == kNever) {
        news_.wait(lock, has_news);
      } else {
        news_.wait_for(lock, std::chrono::nanoseconds(wake - Clock::Real().Now()), has_news);
      }
      std::vector<TraceData> traces;
      traces.swap(waiting_);
      const bool last = stopping_;
      lock.unlock();
      written_.fetch_add(traces.size(), std::memory_order_relaxed);
      for (TraceData& trace : traces) {
        sink_->Take(std::move(trace));
      }
      wake = sink_->Flush(Clock::Real().Now(), last);
      if (last) {
        return;
      }
      lock.lock();
    }
  }

  const std::unique_ptr<TraceSink> sink_;
  std::atomic<std::uint64_t> next_id_{1};
  std::atomic<std::uint64_t> written_{0};
  std::atomic<std::uint64_t> dropped_{0};
  std::mutex random_mutex_;  // guards random_
  std::mt19937_64 random_{std::random_device()()};
  std::mutex mutex_;  // guards waiting_ and stopping_
  std::condition_variable news_;
  std::vector<TraceData> waiting_;
  bool stopping_ = false;
  std::thread thread_;  // last: it uses the rest
};

Result<std::unique_ptr<Tracer>> Tracer::Create(TraceSettings settings, TraceTarget target) {
  std::unique_ptr<TraceSink> sink;
  if (target.mode == TraceMode::kOpenTelemetry) {
    sink = std::make_unique<OtlpExporter>(target, HttpPost(), WallMinusMonotonic());
  } else if (!target.file.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(sink, TraceFile::Create(target.file));
  }
  std::shared_ptr<Writer> writer;
  if (sink != nullptr) {
    writer = std::make_shared<Writer>(std::move(sink));
  }
  return std::unique_ptr<Tracer>(
      new Tracer(std::move(settings), std::move(target), std::move(writer)));
}

Tracer::Tracer(TraceSettings settings, TraceTarget target, std::shared_ptr<Writer> writer)
    : startup_(settings),
      target_(std::move(target)),
      writer_(std::move(writer)),
      server_(settings) {
  std::lock_guard lock(mutex_);
  UpdateActiveLocked();
}

Tracer::~Tracer() {
  if (writer_ != nullptr) {
    writer_->Stop();
  }
}

bool Tracer::MayTrace(const TraceSettings& settings) {
  return settings.levels.any() && settings.rate > 0 && settings.count != 0;
}

void Tracer::UpdateActiveLocked() {
  // What comes with a trace context is traced at a rate of 0, too.
  const auto may = [this](const TraceSettings& settings) {
    return MayTrace(settings) ||
           (target_.mode == TraceMode::kOpenTelemetry && settings.levels.any());
  };
  bool active = may(server_);
  for (const auto& [name, model] : models_) {
    active = active || may(model.overrides.Over(server_));
  }
  active_.store(active && writer_ != nullptr, std::memory_order_relaxed);
}

std::shared_ptr<engine::RequestTrace> Tracer::Choose(std::string_view model,
                                                     std::string_view traceparent) {
  std::optional<SpanContext> caller;
  if (target_.mode == TraceMode::kOpenTelemetry) {
    caller = SpanContext::Parse(traceparent);
  }
  TraceSettings settings;
  {
    std::lock_guard lock(mutex_);
    const auto found = models_.find(model);
    const bool own = found != models_.end();
    settings = own ? found->second.overrides.Over(server_) : server_;
    if (!settings.levels.any()) {
      return nullptr;
    }
    if (!caller) {
      if (!MayTrace(settings) || ++(own ? found->second.seen : server_seen_) % settings.rate != 0) {
        return nullptr;
      }
      const bool own_count = own && found->second.overrides.count;
      std::int64_t& count = own_count ? *found->second.overrides.count : server_.count;
      if (count > 0) {
        --count;
      }
    }
  }
  TraceData data;
  data.id = writer_->NextId();
  data.log_frequency = settings.log_frequency;
  if (target_.mode == TraceMode::kOpenTelemetry) {
    data.span.span_id = writer_->NextSpanId();
    if (caller) {
      data.span.trace_id = caller->trace_id;
      data.parent_span_id = caller->span_id;
    } else {
      for (std::size_t i = 0; i < data.span.trace_id.size(); i += 8) {
        const std::uint64_t random = writer_->NextSpanId();
        for (std::size_t byte = 0; byte < 8; ++byte) {
          data.span.trace_id[i + byte] = static_cast<std::uint8_t>(random >> (8 * byte));
        }
      }
    }
  }
  return std::make_shared<TraceRecord>(writer_, settings.levels, std::move(data));
}

TraceSettings Tracer::Get(std::string_view model) const {
  std::lock_guard lock(mutex_);
  const auto found = models_.find(model);
  return found == models_.end() ? server_ : found->second.overrides.Over(server_);
}

void Tracer::Update(std::string_view model, const TraceOverrides& changes, const Cleared& cleared) {
  std::lock_guard lock(mutex_);
  if (model.empty()) {
    server_ = changes.Over(
        {.levels = cleared.levels ? startup_.levels : server_.levels,
         .rate = cleared.rate ? startup_.rate : server_.rate,
         .count = cleared.count ? startup_.count : server_.count,
         .log_frequency = cleared.log_frequency ? startup_.log_frequency : server_.log_frequency});
  } else {
    TraceOverrides& own = models_[std::string(model)].overrides;
    Change(own.levels, changes.levels, cleared.levels);
    Change(own.rate, changes.rate, cleared.rate);
    Change(own.count, changes.count, cleared.count);
    Change(own.log_frequency, changes.log_frequency, cleared.log_frequency);
    if (!own.levels && !own.rate && !own.count && !own.log_frequency) {
      models_.erase(models_.find(model));
    }
  }
  UpdateActiveLocked();
}

void Tracer::Collect(telemetry::PrometheusWriter& writer) const {
  writer.Family("headrace_traces_total", telemetry::MetricKind::kCounter,
                "Traces of requests, by what became of them");
  writer.Sample({{"outcome", "written"}}, writer_ == nullptr ? 0 : writer_->written());
  writer.Sample({{"outcome", "dropped"}}, writer_ == nullptr ? 0 : writer_->dropped());
}

}  // namespace headrace::tracing
