#include <algorithm>
#include <utility>

#include "bench/aggregate.h"
#include "bench/statistics.h"

namespace headrace::bench {

void Complete(LatencyFigures& figures) {
  figures.mean = figures.histogram.Mean();
  figures.deviation = figures.histogram.Deviation();
}

void Aggregate::FillRates(LevelResult& result) const {
  const double seconds = result.duration_s();
  if (seconds <= 0) {
    return;
  }
  result.throughput = inference_count_ / seconds;
  result.request_rate = static_cast<double>(done_count_) / seconds;
  result.goodput = static_cast<double>(good_count_) / seconds;
  result.response_rate =
      response_count_ > 0 ? static_cast<double>(response_count_) / seconds : result.request_rate;
  for (std::size_t i = 0; i < result.items.size(); ++i) {
    result.items[i].goodput = item_good_[i] / seconds;
  }
  // Seconds, or tenths of them where there are too few.
  constexpr double kSecondsMin = 5;
  std::vector<double> rates;
  if (seconds >= kSecondsMin) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(seconds); ++i) {
      rates.push_back(i < bins_.size() ? bins_[i].inferences : 0);
    }
  } else {
    for (std::size_t i = 0; i < static_cast<std::size_t>(seconds * 10); ++i) {
      rates.push_back(i < tenths_.size() ? tenths_[i].inferences * 10 : 0);
    }
  }
  const Estimate mean = MeanInterval(rates);
  const double reach = mean.high - mean.value;
  result.throughput_interval = {result.throughput, std::max(0.0, result.throughput - reach),
                                result.throughput + reach};
}

void Aggregate::FillSeconds(LevelResult& result) const {
  const auto at = [](const Bin& bin, double percentile) {
    const std::uint64_t rank =
        PercentileRank(bin.response_times.count() + bin.infinite, percentile);
    return rank > bin.response_times.count() && bin.infinite > 0
               ? kNever
               : bin.response_times.ValueAtRank(rank);
  };
  const Nanos duration = result.measured_to - result.measured_from;
  const auto count = static_cast<std::size_t>((duration + kSecond - 1) / kSecond);
  const Bin empty;
  for (std::size_t i = 0; i < count; ++i) {
    const Bin& bin = i < bins_.size() ? bins_[i] : empty;
    const Nanos left = duration - static_cast<Nanos>(i) * kSecond;
    const double length_s = static_cast<double>(std::min(left, kSecond)) * 1e-9;
    Second& second = result.seconds.emplace_back();
    second.arrived = bin.arrived;
    second.done = bin.done;
    second.failed = bin.failed;
    second.throughput = bin.inferences / length_s;
    second.p50 = at(bin, 50);
    second.p99 = at(bin, 99);
  }
}

LevelResult Aggregate::Finish() {
  if (holds_) {
    CountHeld();
  }
  LevelResult result = std::move(result_);
  result.measured_from = from_;
  result.measured_to = to_;
  for (LatencyFigures* figures :
       {&result.response_time, &result.service_time, &result.first_response_time,
        &result.failure_time, &result.send_lag}) {
    Complete(*figures);
  }
  for (ItemFigures& item : result.items) {
    Complete(item.response_time);
  }
  FillRates(result);
  FillSeconds(result);
  if (first_ && first_->outcome == load::Outcome::kOk) {
    result.cold_first_request = first_->response_time();
  }
  return result;
}

}  // namespace headrace::bench
