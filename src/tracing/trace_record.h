// The trace of one request while it is under way.
#ifndef HEADRACE_TRACING_TRACE_RECORD_H_
#define HEADRACE_TRACING_TRACE_RECORD_H_

#include <memory>
#include <mutex>

#include "engine/request_trace.h"
#include "tracing/trace_data.h"
#include "tracing/trace_settings.h"

namespace headrace::tracing {

// Takes finished traces, and gives out numbers. Thread-safe; outlives the records.
class TraceCollector {
 public:
  virtual ~TraceCollector() = default;
  virtual void Collect(TraceData trace) = 0;
  virtual std::uint64_t NextId() = 0;
  virtual std::uint64_t NextSpanId() = 0;  // random, not 0
};

// Handed to the collector when the last holder lets go of it.
class TraceRecord final : public engine::RequestTrace {
 public:
  // `data` has the ids already.
  TraceRecord(std::shared_ptr<TraceCollector> collector, TraceLevels levels, TraceData data);
  ~TraceRecord() override;

  void SetModel(std::string_view name, std::int64_t version, std::string_view request_id) override;
  void Report(engine::TraceActivity activity, Nanos time) override;
  void ReportCustom(std::string_view name, Nanos time) override;
  bool WantsTensors() const override { return levels_.tensors; }
  void ReportTensor(engine::TraceActivity activity, std::string_view name,
                    const Tensor& tensor) override;
  std::shared_ptr<engine::RequestTrace> SpawnChild() override;
  std::uint64_t id() const override { return id_; }
  std::string Context() const override { return context_; }

 private:
  // What no backend needs more of; beyond it activities are left out.
  static constexpr std::size_t kEventCountMax = 10'000;

  const std::shared_ptr<TraceCollector> collector_;
  const TraceLevels levels_;
  const std::uint64_t id_;
  const std::string context_;
  std::mutex mutex_;  // guards data_
  TraceData data_;
};

}  // namespace headrace::tracing

#endif  // HEADRACE_TRACING_TRACE_RECORD_H_
