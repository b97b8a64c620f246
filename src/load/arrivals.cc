#include "load/arrivals.h"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>

#include "base/checked_math.h"
#include "load/random.h"

namespace headrace::load {
namespace {

// Later than this (292 years would not fit) is never.
constexpr double kLatest = 9e18;
constexpr std::size_t kIntervalCountMax = 50'000'000;

Nanos ToNanos(double nanoseconds) {
  return nanoseconds >= kLatest ? kNever : static_cast<Nanos>(std::llround(nanoseconds));
}

// Turns counts of arrivals into times: the inverse of the integral of the rate.
class RateIntegral {
 public:
  // `points` are sorted here.
  RateIntegral(double rate, std::vector<ArrivalSpec::RatePoint> points)
      : points_(std::move(points)) {
    per_nanosecond_ = rate / static_cast<double>(kSecond);
    std::stable_sort(points_.begin(), points_.end(),
                     [](const auto& a, const auto& b) { return a.at < b.at; });
    if (points_.empty()) {
      points_.push_back({0, 1});
    }
    if (points_.front().at > 0) {
      points_.insert(points_.begin(), {0, points_.front().factor});
    }
    reached_.push_back(0);
    for (std::size_t i = 0; i + 1 < points_.size(); ++i) {
      const auto duration = static_cast<double>(points_[i + 1].at - points_[i].at);
      reached_.push_back(reached_.back() + (Rate(i) + Rate(i + 1)) / 2 * duration);
    }
  }

  // The time in nanoseconds at which `arrivals` have come. Calls come in ascending order.
  double TimeOf(double arrivals) {
    while (segment_ + 1 < points_.size() && reached_[segment_ + 1] <= arrivals) {
      ++segment_;
    }
    const double rest = arrivals - reached_[segment_];
    const auto begin = static_cast<double>(points_[segment_].at);
    const double rate = Rate(segment_);
    if (segment_ + 1 == points_.size()) {
      return rate <= 0 ? kLatest : begin + rest / rate;
    }
    // rest = rate * t + slope / 2 * t^2, solved without cancellation.
    const auto duration = static_cast<double>(points_[segment_ + 1].at - points_[segment_].at);
    const double slope = (Rate(segment_ + 1) - rate) / duration;
    const double root = std::sqrt(std::max(rate * rate + 2 * slope * rest, 0.0));
    return begin + (rate + root <= 0 ? 0 : 2 * rest / (rate + root));
  }

 private:
  double Rate(std::size_t point) const { return per_nanosecond_ * points_[point].factor; }

  double per_nanosecond_;
  std::vector<ArrivalSpec::RatePoint> points_;
  std::vector<double> reached_;  // arrivals until each point
  std::size_t segment_ = 0;
};

}  // namespace

class ArrivalSchedule::Impl {
 public:
  Impl(const ArrivalSpec& spec, std::uint32_t first, std::uint32_t stride)
      : spec_(spec),
        random_(spec.seed),
        integral_(spec.rate, spec.profile),
        skip_(first),
        stride_(std::max<std::uint32_t>(stride, 1)) {}

  Nanos Next() {
    Nanos at = 0;
    for (; skip_ > 0 && at != kNever; --skip_) {
      at = One();
    }
    skip_ = stride_ - 1;
    return at == kNever ? kNever : One();
  }

 private:
  Nanos One() {
    const std::uint64_t number = number_++;
    switch (spec_.kind) {
      case ArrivalSpec::Kind::kClosed:
        return kNever;
      case ArrivalSpec::Kind::kPoisson:
        unit_time_ += random_.Exponential();
        break;
      case ArrivalSpec::Kind::kConstant:
        unit_time_ = static_cast<double>(number);
        break;
      case ArrivalSpec::Kind::kGamma:
        unit_time_ += random_.Gamma(spec_.burstiness) / spec_.burstiness;
        break;
      case ArrivalSpec::Kind::kReplay:
        return Replay(number);
      case ArrivalSpec::Kind::kSchedule:
        return number >= spec_.intervals.size()
                   ? kNever
                   : ToNanos(static_cast<double>(spec_.intervals[number]) * spec_.time_scale);
    }
    return ToNanos(integral_.TimeOf(unit_time_));
  }

  Nanos Replay(std::uint64_t number) {
    if (spec_.intervals.empty()) {
      return kNever;
    }
    const auto next =
        CheckedAdd<Nanos>(replayed_, spec_.intervals[number % spec_.intervals.size()]);
    if (!next) {
      return kNever;
    }
    replayed_ = *next;
    return ToNanos(static_cast<double>(replayed_) * spec_.time_scale);
  }

  const ArrivalSpec spec_;
  Random random_;
  RateIntegral integral_;
  std::uint32_t skip_;
  const std::uint32_t stride_;
  std::uint64_t number_ = 0;
  double unit_time_ = 0;  // of the process of rate 1
  Nanos replayed_ = 0;
};

ArrivalSchedule::ArrivalSchedule(const ArrivalSpec& spec, std::uint32_t first, std::uint32_t stride)
    : impl_(std::make_unique<Impl>(spec, first, stride)) {}
ArrivalSchedule::~ArrivalSchedule() = default;

Nanos ArrivalSchedule::Next() { return impl_->Next(); }

std::string Describe(const ArrivalSpec& spec) {
  std::string text;
  switch (spec.kind) {
    case ArrivalSpec::Kind::kClosed:
      return fmt::format("closed, {} at a time", spec.concurrency);
    case ArrivalSpec::Kind::kPoisson:
      text = fmt::format("poisson {:g}/s", spec.rate);
      break;
    case ArrivalSpec::Kind::kConstant:
      text = fmt::format("constant {:g}/s", spec.rate);
      break;
    case ArrivalSpec::Kind::kGamma:
      text = fmt::format("gamma {:g}/s, shape {:g}", spec.rate, spec.burstiness);
      break;
    case ArrivalSpec::Kind::kReplay:
      return fmt::format("replay of {} gaps x {:.1f}", spec.intervals.size(), spec.time_scale);
    case ArrivalSpec::Kind::kSchedule:
      return fmt::format("schedule of {} requests x {:.1f}", spec.intervals.size(),
                         spec.time_scale);
  }
  if (!spec.profile.empty()) {
    const auto [least, most] =
        std::minmax_element(spec.profile.begin(), spec.profile.end(),
                            [](const auto& a, const auto& b) { return a.factor < b.factor; });
    text += fmt::format(", times {:g} to {:g} over {:g} s", least->factor, most->factor,
                        static_cast<double>(spec.profile.back().at) / kSecond);
  }
  return text;
}

Result<std::vector<Nanos>> ReadIntervals(const std::string& path) {
  std::ifstream file(path);
  if (!file) {
    return InvalidArgument("the intervals' file '{}' cannot be read: {}", path,
                           std::strerror(errno));
  }
  std::vector<Nanos> intervals;
  std::string line;
  for (std::size_t number = 1; std::getline(file, line); ++number) {
    while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) {
      line.pop_back();
    }
    if (line.empty()) {
      continue;
    }
    const auto microseconds = ParseDecimal<Nanos>(line);
    const auto gap =
        microseconds ? CheckedMultiply<Nanos>(*microseconds, kMicrosecond) : std::nullopt;
    if (!gap || *gap < 0) {
      return InvalidArgument("{}:{}: '{}' is no whole number of microseconds", path, number,
                             line.substr(0, 40));
    }
    if (intervals.size() == kIntervalCountMax) {
      return InvalidArgument("{}: more than {} intervals", path, kIntervalCountMax);
    }
    intervals.push_back(*gap);
  }
  if (intervals.empty()) {
    return InvalidArgument("{}: no intervals in it", path);
  }
  if (std::all_of(intervals.begin(), intervals.end(), [](Nanos gap) { return gap == 0; })) {
    return InvalidArgument("{}: every interval is 0, which is no rate", path);
  }
  return intervals;
}

}  // namespace headrace::load
