#include "bench/suite_progress.h"

#include <fmt/format.h>

#include "bench/svg_axis.h"
#include "bench/verdict.h"

namespace headrace::bench {

std::string TimeText(Nanos nanos) {
  const std::int64_t seconds = (nanos + kSecond / 2) / kSecond;
  if (seconds < 60) {
    return fmt::format("{} s", seconds);
  }
  return seconds < 3600 ? fmt::format("{}m {:02}s", seconds / 60, seconds % 60)
                        : fmt::format("{}h {:02}m", seconds / 3600, seconds / 60 % 60);
}

std::string SuiteProgressText(const SuiteProgress& progress) {
  return fmt::format("[{}/{}] {}, {} left{}", progress.number, progress.count, progress.point->name,
                     TimeText(progress.left), progress.level == nullptr ? ", loading" : "");
}

std::string PointText(std::size_t number, std::size_t count, const SuitePoint& point,
                      const PointResult& result) {
  const std::string head = fmt::format("[{}/{}] {}: ", number, count, point.name);
  if (!result.failure.ok()) {
    return head + "failed: " + result.failure.message();
  }
  const LevelResult& level = result.level;
  std::string text =
      fmt::format("{}{} /s, p50 {}, p{} {}", head, FigureText(level.throughput),
                  DurationText(level.response_time.Percentile(50).value), level.spec.percentile,
                  DurationText(level.response_time.Percentile(level.spec.percentile).value));
  if (level.failure_count() > 0) {
    text += fmt::format(", {} failed", level.failure_count());
  }
  return text + (level.verdict.stable ? "" : ", not stable");
}

std::string PlanText(const std::vector<SuitePoint>& plan) {
  std::string text;
  for (const SuitePoint& point : plan) {
    text += point.name + '\n';
  }
  return text + fmt::format("{} points of {} configurations, about {}\n", plan.size(),
                            ConfigurationCount(plan), TimeText(EstimatedTime(plan, 0, 0, kSecond)));
}

}  // namespace headrace::bench
