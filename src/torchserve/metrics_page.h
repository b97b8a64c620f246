// Writes the metrics page as TorchServe's Java client does (contracts, TorchServe 3.1): a comma
// behind the last label, and numbers that always have a fraction.
#ifndef HEADRACE_TORCHSERVE_METRICS_PAGE_H_
#define HEADRACE_TORCHSERVE_METRICS_PAGE_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "telemetry/histogram.h"
#include "telemetry/prometheus.h"
#include "torchserve/metrics_catalog.h"

namespace headrace::torchserve {

// The values of `name[]` in a query. Empty: everything.
using MetricNames = std::vector<std::string>;

// One page. Not thread-safe.
class MetricsPage {
 public:
  // Borrows `names`.
  explicit MetricsPage(const MetricNames& names) : names_(names) {}

  // "Torchserve prometheus <kind> metric with unit: <unit>". A family that was asked for by name
  // appears with its first sample only.
  void Family(const MetricSpec& spec);
  void Family(std::string_view name, telemetry::MetricKind kind, std::string_view help);
  // Of the family, whose labels are named by `dimensions`; there are as many values.
  void Sample(std::span<const std::string> dimensions, std::span<const std::string> values,
              double value);
  // `counts`: one for each bound and one for what lies above, not cumulative.
  void Histogram(std::span<const std::string> dimensions, std::span<const std::string> values,
                 std::span<const double> bounds, std::span<const std::uint64_t> counts, double sum);
  // Of nanoseconds, in seconds.
  void Histogram(std::span<const std::string> dimensions, std::span<const std::string> values,
                 const telemetry::Histogram& nanoseconds);
  // A page of telemetry::PrometheusWriter, or those families of it that were asked for.
  void Append(std::string_view page);

  std::string Take() { return std::exchange(page_, {}); }

 private:
  bool Wanted(std::string_view suffix) const;
  void Line(std::string_view suffix, std::span<const std::string> dimensions,
            std::span<const std::string> values, std::string_view bound, double value);

  const MetricNames& names_;
  std::string family_, heading_;  // the heading until it was written
  std::string page_;
};

}  // namespace headrace::torchserve

#endif  // HEADRACE_TORCHSERVE_METRICS_PAGE_H_
