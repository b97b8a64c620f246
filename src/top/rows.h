// One line for each model, from two readings. Pure.
#ifndef HEADRACE_TOP_ROWS_H_
#define HEADRACE_TOP_ROWS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "top/reading.h"

namespace headrace::top {

// Of the time between the readings. Times in nanoseconds; nothing = not known.
struct ModelRow {
  std::string model;
  std::string state;  // "" = ready
  double rate = 0;    // requests that ended well, per second
  double inference_rate = 0;
  double failure_rate = 0;
  std::optional<double> latency_mean;  // of a request in the server
  // Where there is a histogram of it; of a server with summaries (a stock Triton's
  // summary_latencies) those of its own window of time, and of its slowest version.
  std::optional<double> latency_p50, latency_p99;
  std::optional<double> queue_mean;
  std::optional<double> queue_p99, execute_p50, execute_p99;  // where there are histograms
  std::optional<double> execute_mean;  // where there are none: the mean of the backend's time
  std::optional<double> batch_mean;
  std::optional<double> pending;
  std::optional<double> instances;  // that can execute
  std::optional<double> busy;       // of them, on average
  bool busy_estimated = false;      // from means of requests
};

// All versions of a model together, by name. A counter that fell (the server was started anew)
// counts from zero. With `before` null: since the server's start, where the rates are unknown (0).
std::vector<ModelRow> RowsBetween(const Reading* before, const Reading& after);

enum class SortKey : std::uint8_t {
  kName,
  kRate,
  kLatency,
  kQueue,
  kPending,
  kBatch,
  kBusy,
  kFailures
};
inline constexpr int kSortKeyCount = 8;
std::string_view SortKeyName(SortKey key);  // "name", "rate", ...
// INVALID_ARGUMENT lists the names.
Result<SortKey> ParseSortKey(std::string_view name);
// Names upwards, figures downwards; what is not known last. Latency: p99 where it is known, else
// the mean.
void SortRows(std::vector<ModelRow>& rows, SortKey key);

}  // namespace headrace::top

#endif  // HEADRACE_TOP_ROWS_H_
