// Reads the Prometheus text format, as far as figures go.
#ifndef HEADRACE_LOAD_METRICS_TEXT_H_
#define HEADRACE_LOAD_METRICS_TEXT_H_

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace headrace::load {

struct MetricSample {
  std::string name;                                         // with the suffix: "x_bucket", "x_sum"
  std::vector<std::pair<std::string, std::string>> labels;  // in their order, unescaped
  double value = 0;

  // nullptr where it has no such label.
  const std::string* Label(std::string_view label) const;
};

struct MetricFamily {
  std::string type;  // "counter", "gauge", ...; "" = not said
  std::vector<MetricSample> samples;
};

// By the family's name (that of # TYPE, which the names of its samples begin with).
using MetricFamilies = std::map<std::string, MetricFamily, std::less<>>;

// INVALID_ARGUMENT names the line. Text of OpenMetrics is read too; exemplars and time stamps are
// passed over. At most 1,000,000 samples.
Result<MetricFamilies> ReadMetrics(std::string_view text);

using MetricLabels = std::vector<std::pair<std::string_view, std::string_view>>;

// The sum of a family's samples that are named `name` and have all of `labels`; nothing where
// there is none.
std::optional<double> SumOf(const MetricFamilies& families, std::string_view name,
                            const MetricLabels& labels = {});

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_METRICS_TEXT_H_
