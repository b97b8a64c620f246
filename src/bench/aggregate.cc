#include "bench/aggregate.h"

#include <algorithm>
#include <utility>

#include "bench/statistics.h"

namespace headrace::bench {
namespace {

constexpr std::uint64_t kHeldMax = 1'000'000;

bool IsInfinite(const load::RequestRecord& record) {
  return record.outcome == load::Outcome::kTimeout;
}

}  // namespace

Aggregate::Aggregate(const LevelSpec& spec, const load::Workload& workload, Nanos start,
                     AggregateOptions options)
    : spec_(spec),
      workload_(workload),
      options_(options),
      holds_(spec.stop.request_count > 0 && spec.stop.request_count <= kHeldMax),
      start_(start),
      connected_at_(start) {
  if (spec_.arrivals.open()) {
    schedule_.emplace(spec_.arrivals, 0, 1);
    next_arrival_ = schedule_->Next();
  }
  result_.spec = spec_;
  if (workload_.items.size() > 1) {
    result_.items.resize(workload_.items.size());
    for (std::size_t i = 0; i < workload_.items.size(); ++i) {
      result_.items[i].name = workload_.items[i].name;
    }
    item_good_.resize(workload_.items.size());
  }
}

void Aggregate::Begin(Nanos from) {
  from_ = from;
  to_ = spec_.stop.duration >= kNever - from ? kNever : from + spec_.stop.duration;
  WalkSchedule(from);
}

void Aggregate::WalkSchedule(Nanos until) {
  while (next_arrival_ != kNever && start_ + next_arrival_ < until) {
    if (start_ + next_arrival_ >= from_) {
      ++TenthAt(start_ + next_arrival_).scheduled;
      ++scheduled_count_;
    }
    next_arrival_ = schedule_->Next();
  }
}

void Aggregate::End(Nanos to) { to_ = std::min(to_, to); }

void Aggregate::Take(std::span<const load::RequestRecord> records) {
  for (const load::RequestRecord& record : records) {
    if (!first_ || record.intended < first_->intended) {
      first_ = record;
    }
    const bool no_connection = record.outcome == load::Outcome::kConnect;
    failed_connects_in_row_ = no_connection ? failed_connects_in_row_ + 1 : 0;
    connected_at_ = no_connection ? connected_at_ : std::max(connected_at_, record.done);
    if (from_ == kNever) {
      continue;
    }
    if (record.intended >= from_ && record.intended < to_) {
      ++ended_count_;
      failed_count_ += record.outcome != load::Outcome::kOk;
      glance_.Record(record.response_time());
    }
    if (holds_) {
      held_.push_back(record);
    } else {
      TakeMeasured(record);
    }
  }
}

void Aggregate::TakeMeasured(const load::RequestRecord& record) {
  if (record.done >= from_ && record.done < to_) {
    CountDone(record);
  }
  if (record.intended >= from_ && record.intended < to_) {
    CountIntended(record);
  }
}

bool Aggregate::ServerGone(Nanos now) const {
  constexpr std::uint64_t kCountMin = 5;
  constexpr Nanos kAfter = 2 * kSecond;
  return failed_connects_in_row_ >= kCountMin && now - connected_at_ >= kAfter;
}

bool Aggregate::IsGood(const load::RequestRecord& record) const {
  if (record.outcome != load::Outcome::kOk) {
    return false;
  }
  const std::optional<Nanos>& own = workload_.items[record.item].sla;
  const std::optional<Nanos>& sla = own ? own : spec_.sla;
  return !sla || record.response_time() <= *sla;
}

double Aggregate::Inferences(const load::RequestRecord& record) const {
  return static_cast<double>(std::max<std::int64_t>(workload_.items[record.item].batch_size, 1));
}

Aggregate::Bin& Aggregate::BinAt(Nanos time) {
  const auto index = static_cast<std::size_t>((time - from_) / kSecond);
  if (index >= bins_.size()) {
    bins_.resize(index + 1);
  }
  return bins_[index];
}

Aggregate::Tenth& Aggregate::TenthAt(Nanos time) {
  const auto index = static_cast<std::size_t>((time - from_) / kTenth);
  if (index >= tenths_.size()) {
    tenths_.resize(index + 1);
  }
  return tenths_[index];
}

void Aggregate::CountDone(const load::RequestRecord& record) {
  if (record.outcome != load::Outcome::kOk) {
    return;
  }
  const double inferences = Inferences(record);
  ++done_count_;
  inference_count_ += inferences;
  response_count_ += record.response_count;
  Bin& bin = BinAt(record.done);
  ++bin.done;
  bin.inferences += inferences;
  TenthAt(record.done).inferences += inferences;
  if (IsGood(record)) {
    ++good_count_;
    if (!item_good_.empty()) {
      ++item_good_[record.item];
    }
  }
}

void Aggregate::CountIntended(const load::RequestRecord& record) {
  const auto outcome = static_cast<std::size_t>(record.outcome);
  ++result_.intended_count;
  result_.sent_count += record.outcome != load::Outcome::kConnect;
  ++result_.outcomes[outcome];
  result_.send_lag.histogram.Record(std::max<Nanos>(record.send_lag(), 0));
  Bin& bin = BinAt(record.intended);
  ++bin.arrived;
  Tenth& tenth = TenthAt(record.intended);
  ++tenth.ended;
  tenth.in_sla += IsGood(record);
  ItemFigures* const item = result_.items.empty() ? nullptr : &result_.items[record.item];
  if (item != nullptr) {
    ++item->count;
    ++item->outcomes[outcome];
  }
  if (options_.keep_records && result_.records.size() < options_.keep_records_max) {
    result_.records.push_back(record);
  }
  if (record.outcome != load::Outcome::kOk) {
    ++bin.failed;
    ++result_.wire_statuses[record.wire_status];
  }
  if (IsInfinite(record)) {
    ++bin.infinite;
    ++result_.response_time.infinite_count;
    ++result_.service_time.infinite_count;
    if (item != nullptr) {
      ++item->response_time.infinite_count;
    }
    return;
  }
  if (record.outcome != load::Outcome::kOk) {
    result_.failure_time.histogram.Record(std::max<Nanos>(record.response_time(), 0));
    return;
  }
  bin.response_times.Record(record.response_time());
  result_.response_time.histogram.Record(std::max<Nanos>(record.response_time(), 0));
  result_.service_time.histogram.Record(std::max<Nanos>(record.service_time(), 0));
  if (record.response_count > 1 ||
      (record.response_count > 0 && record.first_response < record.done)) {
    result_.first_response_time.histogram.Record(
        std::max<Nanos>(record.first_response - record.intended, 0));
  }
  if (item != nullptr) {
    item->response_time.histogram.Record(std::max<Nanos>(record.response_time(), 0));
  }
}

void Aggregate::CountHeld() {
  const auto measured = [&](const load::RequestRecord& record) {
    return record.intended >= from_ && record.intended < to_;
  };
  const auto in_phase = std::stable_partition(held_.begin(), held_.end(), measured);
  const auto count = static_cast<std::uint64_t>(in_phase - held_.begin());
  const std::uint64_t wanted = spec_.stop.request_count;
  if (count > wanted) {
    // The first so many. Several may leave in one write, at one time: those beyond are dropped by
    // rank.
    std::stable_sort(held_.begin(), in_phase,
                     [](const auto& a, const auto& b) { return a.intended < b.intended; });
    const auto end = held_.begin() + static_cast<std::ptrdiff_t>(wanted);
    to_ = end->intended;
    if ((end - 1)->intended == to_) {
      ++to_;
    }
    held_.erase(end, in_phase);
  } else if (count == wanted) {
    // Nobody was to come: the phase ends with the last of them.
    Nanos last = from_;
    for (const load::RequestRecord& record : held_) {
      if (record.intended >= from_ && record.intended < to_ && !IsInfinite(record)) {
        last = std::max(last, record.done);
      }
    }
    to_ = std::min(to_, last + 1);
  }
  for (const load::RequestRecord& record : std::exchange(held_, {})) {
    TakeMeasured(record);
  }
}

Aggregate::Glance Aggregate::glance() const {
  constexpr double kPercentile = 99;
  return {ended_count_, failed_count_,
          glance_.ValueAtRank(PercentileRank(glance_.count(), kPercentile))};
}

}  // namespace headrace::bench
