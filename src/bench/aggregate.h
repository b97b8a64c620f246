// Turns the records of a level into its figures.
#ifndef HEADRACE_BENCH_AGGREGATE_H_
#define HEADRACE_BENCH_AGGREGATE_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.h"
#include "bench/coarse_histogram.h"
#include "bench/level.h"
#include "load/arrivals.h"
#include "load/record.h"
#include "load/workload.h"

namespace headrace::bench {

struct AggregateOptions {
  bool keep_records = false;
  std::size_t keep_records_max = 2'000'000;
};

// Pure over records and times; one thread. A request belongs to the measured phase when its
// intended time lies in it; rates are of what ended in it.
//
//   Aggregate aggregate(spec, workload, start, options);
//   aggregate.Take(records);            // warm-up
//   aggregate.Begin(from);
//   ... aggregate.Take(records); if (auto reason = aggregate.Decide(now)) ...
//   aggregate.End(to);
//   aggregate.Take(records);            // drained
//   LevelResult result = aggregate.Finish();
class Aggregate {
 public:
  // `start`: the zero of the schedule. The workload is borrowed.
  Aggregate(const LevelSpec& spec, const load::Workload& workload, Nanos start,
            AggregateOptions options = {});

  void Take(std::span<const load::RequestRecord> records);
  // The measured phase begins; ends at `spec.stop.duration` unless End says earlier.
  void Begin(Nanos from);
  void End(Nanos to);
  // Whether the level is measured enough at `now`, and why. Between Begin and End.
  std::optional<StopReason> Decide(Nanos now);

  // For the repainted line: of the measured phase so far.
  struct Glance {
    std::uint64_t ended = 0, failed = 0;
    Nanos p99 = 0;
  };
  Glance glance() const;
  // Whether for the last two seconds every request that ended had found no connection.
  bool ServerGone(Nanos now) const;

  // Everything that comes from records: all but client, machine, server, gauges and verdict. Once.
  LevelResult Finish();

 private:
  static constexpr Nanos kTenth = 100 * kMillisecond;

  struct Bin {  // of one second
    std::uint64_t arrived = 0, done = 0, failed = 0, infinite = 0;
    double inferences = 0;
    CoarseHistogram response_times;
  };
  struct Tenth {                  // of 100 ms
    std::uint64_t scheduled = 0;  // intended in it, as the schedule has it (open loops)
    std::uint64_t ended = 0;      // of these: have ended
    std::uint64_t in_sla = 0;     // of these: well, and within the SLA
    double inferences = 0;        // done in it
  };

  void TakeMeasured(const load::RequestRecord& record);
  void CountDone(const load::RequestRecord& record);
  void CountIntended(const load::RequestRecord& record);
  // Keeps the first request_count of held_ by their intended time; counts all records.
  void CountHeld();
  Bin& BinAt(Nanos time);
  Tenth& TenthAt(Nanos time);
  // Goes through the schedule that the senders share, so that what is still out is known without
  // asking them.
  void WalkSchedule(Nanos until);
  std::optional<StopReason> DecideSla(Nanos now);
  bool FallsBehind(Nanos now);
  bool IsGood(const load::RequestRecord& record) const;
  double Inferences(const load::RequestRecord& record) const;
  void FillRates(LevelResult& result) const;
  void FillSeconds(LevelResult& result) const;

  const LevelSpec spec_;
  const load::Workload& workload_;
  const AggregateOptions options_;
  const bool holds_;  // an exact request count: records are counted at the end
  const Nanos start_;
  std::optional<load::ArrivalSchedule> schedule_;  // open loops
  Nanos next_arrival_ = kNever;                    // not walked over yet

  Nanos from_ = kNever;
  Nanos to_ = kNever;
  std::vector<load::RequestRecord> held_;
  std::uint64_t ended_count_ = 0;
  std::uint64_t failed_count_ = 0;
  std::uint64_t failed_connects_in_row_ = 0;
  Nanos connected_at_;  // the end of the last request that had a connection
  CoarseHistogram glance_;
  std::optional<load::RequestRecord> first_;
  std::uint64_t next_look_ = 1;         // DecideSla and the interval look at so many at least
  std::uint64_t scheduled_count_ = 0;   // in the measured phase, walked over
  std::vector<std::uint64_t> backlog_;  // at each half second, while an SLA is decided

  LevelResult result_;
  std::vector<Bin> bins_;
  std::vector<Tenth> tenths_;
  std::uint64_t done_count_ = 0, good_count_ = 0, response_count_ = 0;
  double inference_count_ = 0;
  std::vector<double> item_good_;
};

// Fills mean and deviation from the histogram.
void Complete(LatencyFigures& figures);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_AGGREGATE_H_
