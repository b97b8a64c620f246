// Writes Prometheus' text exposition format (version 0.0.4).
#ifndef HEADRACE_TELEMETRY_PROMETHEUS_H_
#define HEADRACE_TELEMETRY_PROMETHEUS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "telemetry/histogram.h"

namespace headrace::telemetry {

enum class MetricKind : std::uint8_t { kCounter, kGauge, kHistogram, kSummary };

using Labels = std::vector<std::pair<std::string, std::string>>;

// One scrape's page. Families in the order of first use; all samples of a family must be written
// together, after its `Family` call. Label values are escaped. Not thread-safe.
class PrometheusWriter {
 public:
  // Starts a family: HELP and TYPE lines.
  void Family(std::string_view name, MetricKind kind, std::string_view help);
  // One sample of the current family.
  void Sample(const Labels& labels, double value);
  void Sample(const Labels& labels, std::uint64_t value);
  // A histogram of the current family: cumulative buckets at `bounds` (in the histogram's unit),
  // +Inf, sum and count; bounds and sum are multiplied by `scale` for printing (1e-9 turns
  // nanoseconds into seconds).
  void HistogramSample(const Labels& labels, const Histogram& histogram,
                       std::span<const std::uint64_t> bounds, double scale);
  // The same from plain numbers: `counts` has one entry per bound and one for what lies above, not
  // cumulative. Bounds are in the printed unit.
  void HistogramSample(const Labels& labels, std::span<const double> bounds,
                       std::span<const std::uint64_t> counts, double sum);
  // The page so far; leaves the writer empty.
  std::string Take();

 private:
  void Line(std::string_view suffix, const Labels& labels, std::string_view extra_label,
            std::string_view value);
  std::string family_;
  std::string page_;
};

// Whoever has metrics implements this; the composition root collects them for the metrics listener.
class MetricSource {
 public:
  virtual ~MetricSource() = default;
  // Called on a scrape, from any thread.
  virtual void Collect(PrometheusWriter& writer) const = 0;
};

}  // namespace headrace::telemetry

#endif  // HEADRACE_TELEMETRY_PROMETHEUS_H_
