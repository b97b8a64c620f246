#include "scaling/load_window.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <utility>

#include "telemetry/histogram.h"

namespace headrace::scaling {
namespace {

using telemetry::Histogram;

constexpr double kNanosPerSecond = 1e9;
// Of the histogram's buckets, 16 to each power of two: from a 64th of the SLA to 16 times of it.
constexpr int kBucketsBelow = 6 << Histogram::kSubBucketBits;
constexpr int kBucketsAbove = 4 << Histogram::kSubBucketBits;

std::uint64_t Rejected(const engine::StatisticsSnapshot& statistics) {
  return statistics.failures_by_reason[static_cast<std::size_t>(engine::FailureReason::kRejected)];
}

Nanos Total(const engine::BatchStatistics& batch) {
  return static_cast<Nanos>(batch.compute_input.ns + batch.compute_infer.ns +
                            batch.compute_output.ns);
}

}  // namespace

double LoadWindow::arrival_rate() const {
  return duration > 0
             ? static_cast<double>(received) * kNanosPerSecond / static_cast<double>(duration)
             : 0;
}

LoadWindowReader::LoadWindowReader(Nanos sla, double percentile) : share_(percentile / 100) {
  const auto limit = static_cast<std::uint64_t>(sla);
  const int of_sla = Histogram::BucketOf(limit);
  const int last = std::min(of_sla + kBucketsAbove, Histogram::kBucketCount - 1);
  for (int bucket = std::max(0, of_sla - kBucketsBelow); bucket <= last; ++bucket) {
    bounds_.push_back(Histogram::BucketBound(bucket));
    if (bounds_.back() <= limit) {
      sla_bound_ = bounds_.size() - 1;
    }
  }
}

LoadWindowReader::Reading LoadWindowReader::Take(Nanos now,
                                                 const engine::ModelStatistics& statistics) const {
  Reading reading;
  reading.time = now;
  reading.statistics = statistics.Read();
  reading.executed_ns = statistics.execute_histogram().sum();
  reading.at_most.resize(bounds_.size());
  reading.completed = statistics.duration_histogram().CumulativeCounts(bounds_, reading.at_most);
  return reading;
}

void LoadWindowReader::Begin(Nanos now, const engine::ModelStatistics& statistics) {
  begin_ = Take(now, statistics);
}

LoadWindow LoadWindowReader::Read(Nanos now, const engine::ModelStatistics& statistics) const {
  const Reading end = Take(now, statistics);
  const engine::StatisticsSnapshot &to = end.statistics, &from = begin_.statistics;
  LoadWindow window;
  window.duration = end.time - begin_.time;
  window.received = to.received - from.received;
  const std::uint64_t completed = end.completed - begin_.completed;
  const std::uint64_t refused = Rejected(to) - Rejected(from);
  window.requests = completed + refused;
  window.late = window.requests - (end.at_most[sla_bound_] - begin_.at_most[sla_bound_]);
  if (window.requests > 0) {
    const auto rank = static_cast<std::uint64_t>(
        std::max(1.0, std::ceil(share_ * static_cast<double>(window.requests))));
    window.latency = rank > completed ? kNever : static_cast<Nanos>(bounds_.back());
    for (std::size_t i = 0; i < bounds_.size(); ++i) {
      if (end.at_most[i] - begin_.at_most[i] >= rank) {
        window.latency = static_cast<Nanos>(bounds_[i]);
        break;
      }
    }
  }
  if (const std::uint64_t count = to.queue.count - from.queue.count; count > 0) {
    window.queue_mean = static_cast<Nanos>((to.queue.ns - from.queue.ns) / count);
  }
  if (window.duration > 0) {
    window.busy = static_cast<double>(end.executed_ns - begin_.executed_ns) /
                  static_cast<double>(window.duration);
  }
  std::uint64_t inferences = 0, executions = 0;
  for (const auto& [size, batch] : to.batches) {
    const auto before = from.batches.find(size);
    BatchTime time{.count = batch.compute_infer.count, .total = Total(batch)};
    if (before != from.batches.end()) {
      time.count -= before->second.compute_infer.count;
      time.total -= Total(before->second);
    }
    if (time.count > 0) {
      inferences += size * time.count;
      executions += time.count;
      window.batches.emplace(size, time);
    }
  }
  window.batch_mean =
      executions > 0 ? static_cast<double>(inferences) / static_cast<double>(executions) : 0;
  return window;
}

}  // namespace headrace::scaling
