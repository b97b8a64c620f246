// TorchServe's metrics: what is counted, the page that shows it, the lines of its logs (contracts,
// TorchServe 3).
#ifndef HEADRACE_TORCHSERVE_METRICS_H_
#define HEADRACE_TORCHSERVE_METRICS_H_

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "engine/registry.h"
#include "engine/response_sink.h"
#include "frontend/infer_submit.h"
#include "frontend/prediction_watcher.h"
#include "net/http.h"
#include "telemetry/histogram.h"
#include "torchserve/log_lines.h"
#include "torchserve/metric_table.h"
#include "torchserve/metrics_catalog.h"
#include "torchserve/metrics_page.h"
#include "worker/host_services.h"

namespace headrace::torchserve {

// What the page holds beside Headrace's own families: nothing, everything, or the three ts_*
// counters alone. TorchServe's default is kLog; ours is kPrometheus, and the lines are written in
// every mode (contracts, TorchServe appendix A).
enum class MetricsMode : std::uint8_t { kLog, kPrometheus, kLegacy };

struct MetricsOptions {
  MetricsMode mode = MetricsMode::kPrometheus;         // metrics_mode
  bool model_metrics_auto_detect = false;              // model_metrics_auto_detect
  MetricsCatalog catalog = MetricsCatalog::Default();  // metrics_config
  std::string hostname = {};                           // empty: the machine's
  std::size_t series_count_max = 10'000;               // of handlers' metrics
  std::size_t model_count_max = 1'000;  // model and version pairs that are counted apart
};

// A worker that has loaded its model.
struct LoadedWorker {
  std::string name;  // "W-9000-squeezenet_1.0"
  double load_time_ms = 0;
};

// Thread-safe. On a request's path it costs one relaxed addition for the answer, and for a
// prediction about ten, a look-up under a shared lock and two small objects; with lines, the
// formatting of six (bench/torchserve_metrics.cc measures both).
class Metrics final : public net::HttpAnswerObserver,
                      public frontend::PredictionWatcher,
                      public worker::MetricLineSink {
 public:
  // All borrowed; `lines` null: nothing is logged.
  Metrics(MetricsOptions options, const engine::Registry& registry, LogLines* lines,
          const Clock& clock);
  ~Metrics() override;

  // Requests2XX, Requests4XX, Requests5XX (which counts all others, too).
  void CountAnswer(int status);
  void OnAnswer(const net::HttpExchange&, int status) override { CountAnswer(status); }

  // Counts a request for `model` that is about to be submitted (ts_inference_requests_total), and
  // its times when it has ended well: puts an observer into `submission`, and itself around `sink`.
  // `version`: as the client gave it; empty: "default". For models that exist only: their names
  // become labels. `submission.received` is when it began.
  void WatchPrediction(std::string_view model, std::string_view version,
                       frontend::InferSubmission& submission,
                       std::unique_ptr<engine::ResponseSink>& sink) override;

  // A line of a handler (metric_line.h): its metric is kept if the catalogue has it, or all are
  // wanted. What is no such line is said once a worker's line, at verbose level.
  void OnMetricLine(std::string_view line) override;
  // The catalogue's.
  std::string DeclaredMetrics() const override { return options_.catalog.ModelMetricsJson(); }

  // A metric of the server: the values of its labels without the host's name, which comes last.
  // Dropped if the catalogue does not have it with as many labels.
  void Update(std::string_view name, std::vector<std::string> values, double value);

  // Who has loaded its model at the moment: WorkerLoadTime. Set before requests come.
  void SetWorkers(std::function<std::vector<LoadedWorker>()> workers);
  // Looks for new workers and logs their times; the page does so, too.
  void LookAtWorkers();

  // The front end's page, which follows ours. Set before requests come.
  void SetOwnPage(std::function<std::string()> own_page);
  std::string Page(const MetricNames& names);

  const std::string& hostname() const { return hostname_; }

 private:
  friend class PredictionWatch;

  // Of one model and one version, as requests name them.
  struct ModelCells {
    std::string model, version;
    std::atomic<std::uint64_t> requests{0}, answered{0}, latency_ns{0}, queue_ns{0};
    telemetry::Histogram latency, queue;
  };
  struct alignas(64) AnswerCell {
    std::atomic<std::uint64_t> count{0};
  };

  ModelCells& CellsOf(std::string_view model, std::string_view version);
  void PredictionEnded(ModelCells& cells, Nanos latency, Nanos queue, Nanos overhead);
  const MetricSpec* SpecOf(const struct MetricLine& line);
  void LogServer(const MetricSpec* spec, std::initializer_list<std::string_view> values,
                 double value);
  void WriteServer(MetricsPage& page) const;
  bool WriteCounted(const MetricSpec& spec, MetricsPage& page) const;
  void WriteModels(MetricsPage& page) const;
  void WriteAdditional(MetricsPage& page) const;

  const MetricsOptions options_;
  const engine::Registry& registry_;
  LogLines* const lines_;
  const Clock& clock_;
  const std::string hostname_;
  std::function<std::vector<LoadedWorker>()> workers_;
  std::function<std::string()> own_page_;

  // Those that are counted while requests run; null: the catalogue does not have them.
  const std::array<const MetricSpec*, 3> answer_specs_;
  const MetricSpec *const requests_spec_, *const latency_spec_, *const queue_spec_;
  const MetricSpec *const queue_time_spec_, *const thread_time_spec_;

  std::array<AnswerCell, 3> answers_;
  mutable std::shared_mutex cells_mutex_;  // guards the two below
  std::unordered_map<std::string, ModelCells*, engine::NameHash, std::equal_to<>> cells_by_key_;
  std::list<ModelCells> cells_;
  std::atomic<double> queue_time_ms_{-1}, thread_time_ms_{-1};  // the last; -1: none yet
  MetricTable server_table_, model_table_;
  mutable std::mutex detected_mutex_;  // guards detected_
  std::list<MetricSpec> detected_;
  std::mutex workers_mutex_;  // guards seen_workers_
  std::vector<std::string> seen_workers_;
};

// The machine's name, as labels have it.
std::string HostName();

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_METRICS_H_
