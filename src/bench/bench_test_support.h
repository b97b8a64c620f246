// Records and levels for the tests of this folder: a server whose delays are a script.
#ifndef HEADRACE_BENCH_BENCH_TEST_SUPPORT_H_
#define HEADRACE_BENCH_BENCH_TEST_SUPPORT_H_

#include <algorithm>
#include <functional>
#include <vector>

#include "bench/aggregate.h"
#include "bench/level.h"
#include "load/arrivals.h"
#include "load/record.h"
#include "load/workload.h"

namespace headrace::bench::testing {

inline load::Workload OneItem(std::int64_t batch_size = 1) {
  load::Workload workload;
  load::Item& item = workload.items.emplace_back();
  item.name = item.model = "m";
  item.batch_size = batch_size;
  item.contents.emplace_back();
  return workload;
}

inline LevelSpec ConstantRate(double rate, Nanos duration = 10 * kSecond) {
  LevelSpec spec;
  spec.arrivals.kind = load::ArrivalSpec::Kind::kConstant;
  spec.arrivals.rate = rate;
  spec.stop.duration = duration;
  return spec;
}

// What a server that is asked at `intended` answers, and when.
struct Answer {
  Nanos done = 0;
  load::Outcome outcome = load::Outcome::kOk;
};

// The records of all arrivals before `until`, in the order of their ends.
inline std::vector<load::RequestRecord> Play(const LevelSpec& spec, Nanos start, Nanos until,
                                             const std::function<Answer(Nanos)>& server) {
  std::vector<load::RequestRecord> records;
  load::ArrivalSchedule schedule(spec.arrivals, 0, 1);
  for (Nanos at = schedule.Next(); at != kNever && start + at < until; at = schedule.Next()) {
    load::RequestRecord record;
    record.intended = record.sent = start + at;
    const Answer answer = server(record.intended);
    record.done = record.first_response = answer.done;
    record.outcome = answer.outcome;
    records.push_back(record);
  }
  std::stable_sort(records.begin(), records.end(),
                   [](const auto& a, const auto& b) { return a.done < b.done; });
  return records;
}

}  // namespace headrace::bench::testing

#endif  // HEADRACE_BENCH_BENCH_TEST_SUPPORT_H_
