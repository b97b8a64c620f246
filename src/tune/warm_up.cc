#include "tune/warm_up.h"

#include <algorithm>
#include <cstdint>

namespace headrace::tune {
namespace {

constexpr int kRuns = 4;
constexpr int kConcurrencyMax = 64;
constexpr Nanos kRoundMax = 10 * kSecond;
// A round whose median is not below this part of the one before: it has stopped getting faster.
constexpr double kFlat = 0.95;

}  // namespace

Status WarmUp(bench::Session& session, const bench::LevelSpec& like, int concurrency, Nanos time) {
  bench::LevelSpec level = like;
  level.warmup_max = 0;
  level.warmup_request_count = 0;
  level.arrivals.kind = load::ArrivalSpec::Kind::kClosed;
  level.arrivals.concurrency = std::clamp(concurrency, 1, kConcurrencyMax);
  level.stop = {.duration = kRoundMax,
                .request_count = static_cast<std::uint64_t>(kRuns * level.arrivals.concurrency)};
  const Nanos begin = Clock::Real().Now();
  auto before = static_cast<double>(kNever);
  do {
    HEADRACE_ASSIGN_OR_RETURN(const bench::LevelResult round, session.Run(level));
    const auto median = static_cast<double>(round.service_time.histogram.ValueAtPercentile(50));
    if (median <= 0 || median > kFlat * before ||
        round.stop_reason == bench::StopReason::kInterrupted) {
      break;
    }
    before = median;
  } while (Clock::Real().Now() - begin < std::min(time, kRoundMax));
  return OkStatus();
}

}  // namespace headrace::tune
