#include "engine/simulator/sequence_simulation.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

#include "engine/simulator/agenda.h"
#include "engine/simulator/random.h"

namespace headrace::engine::simulator {
namespace {

constexpr std::uint32_t kStart = 1, kEnd = 2;

struct Run;

struct Record {
  std::uint64_t number = 0;
  Run* run = nullptr;
  std::size_t index = 0;  // in the run
  std::uint32_t flags = 0;
  std::uint64_t shape = 0;
  Nanos queued = 0;
  Nanos expiry = kNever;  // while in the backlog
  bool cancelled = false;
  bool waiting = false;
  int ends = 0;
};

// One life of a sequence, as the rules want it.
struct Run {
  std::uint64_t id = 0;
  std::vector<Record*> requests;
  std::size_t next = 0;                          // of `requests`, to be executed
  std::int64_t state = 0;                        // steps since START
  std::size_t seat = SIZE_MAX, slot = SIZE_MAX;  // once it has executed
  Nanos idle_since = 0;
  bool in_flight = false;
  bool over = false;
  bool waits() const { return !in_flight && !over && next < requests.size(); }
  bool idle() const { return !in_flight && !over && next == requests.size() && next > 0; }
};

class Sink final : public ResponseSink {
 public:
  explicit Sink(Record& record) : record_(record) {}
  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t) override {
    return Unimplemented("no outputs here");
  }
  void Send(InferResponse) override {}
  void Finish(Status) override { ++record_.ends; }
  bool Cancelled() const override { return record_.cancelled; }

 private:
  Record& record_;
};

Buffer Number(std::int64_t value) {
  return Buffer::CopyOf(std::string_view(reinterpret_cast<const char*>(&value), sizeof(value)));
}

SequenceOptions DrawOptions(Random& random) {
  SequenceOptions options;
  options.direct = random.Chance(50);
  options.batch_size_max = random.Between(0, 4);
  const auto slots = std::max<std::int64_t>(1, options.batch_size_max);
  options.slot_count = static_cast<std::size_t>(options.direct ? slots : random.Between(slots, 8));
  options.idle_max = random.Between(1, 20) * kMillisecond;
  if (random.Chance(40)) {
    options.queue_delay_max = random.Between(1, 20) * 100 * kMicrosecond;
    options.slot_utilization_min = static_cast<double>(random.Between(0, 4)) / 4;
  }
  options.iterative = random.Chance(20);
  options.states.push_back({.input = "in",
                            .output = "out",
                            .dtype = DataType::kInt64,
                            .dims = Shape{1},
                            .initial_dims = Shape{1},
                            .initial_data = Number(0)});
  return options;
}

class SequenceSimulation {
 public:
  explicit SequenceSimulation(const SequenceSimulationOptions& options)
      : options_(options),
        random_(options.seed),
        sequence_options_(DrawOptions(random_)),
        limits_(DrawLimits()),
        sequences_(options.sequences(sequence_options_, limits_)) {
    seats_.resize(static_cast<std::size_t>(random_.Between(1, 3)));
    for (std::size_t seat = 0; seat < seats_.size(); ++seat) {
      sequences_->core().AddSeat();
      agenda_.At(now_, [this, seat] { AtSeat(seat); });
    }
    requests_left_ = static_cast<int>(random_.Between(10, 120));
    ids_ = random_.Between(1, 12);
    cancel_percent_ = random_.Chance(50) ? 0 : 10;
    execution_max_ = random_.Chance(50) ? 0 : 2 * kMillisecond;
    gap_max_ = random_.Chance(50) ? 300 * kMicrosecond : 5 * kMillisecond;
    agenda_.At(now_, [this] { Arrive(); });
  }

  SimulationResult Simulate() {
    std::uint64_t events = 0;
    while (!agenda_.empty() && violation_.empty() && events < 100'000) {
      if (agenda_.next_time() > now_) {
        CheckBeforeTimeMoves();
        now_ = agenda_.next_time();
      }
      Settle();
      agenda_.RunNext();
      ++events;
      ScheduleExpiry();
    }
    if (violation_.empty()) {
      CheckEnd();
    }
    if (!violation_.empty()) {
      Trace("VIOLATION: {}", violation_);
    }
    return {.violation = violation_,
            .event_count = events,
            .request_count = records_.size(),
            .batch_count = batches_};
  }

 private:
  struct Seat {
    bool parked = false, waking = false, left = false;
    std::uint64_t sleep = 0;
  };

  QueueLimits DrawLimits() {
    QueueLimits limits;
    if (random_.Chance(20)) {
      limits.request_count_max = static_cast<std::size_t>(random_.Between(1, 15));
    }
    return limits;
  }

  template <typename... Args>
  void Trace(fmt::format_string<Args...> format, Args&&... args) {
    if (options_.trace) {
      fmt::print("{:>10.1f}us  {}\n", static_cast<double>(now_) / kMicrosecond,
                 fmt::format(format, std::forward<Args>(args)...));
    }
  }
  void Fail(std::string what) {
    if (violation_.empty()) {
      violation_ = std::move(what);
    }
  }
  Nanos Up(Nanos last) { return random_.Between(0, last); }

  // Clients.
  void Arrive() {
    for (std::int64_t burst = random_.Between(1, 4); burst > 0 && requests_left_ > 0; --burst) {
      Submit();
    }
    if (requests_left_ > 0) {
      agenda_.At(now_ + Up(gap_max_), [this] { Arrive(); });
    } else {
      agenda_.At(now_ + Up(2 * sequence_options_.idle_max), [this] { Close(); });
    }
  }

  void Submit() {
    --requests_left_;
    Record& record = records_.emplace_back();
    record.number = records_.size();
    record.shape = static_cast<std::uint64_t>(random_.Between(1, random_.Chance(20) ? 2 : 1));
    const auto id = static_cast<std::uint64_t>(random_.Between(1, ids_));
    Run* live = Find(id);
    record.flags = (live == nullptr ? random_.Chance(90) : random_.Chance(5)) ? kStart : 0;
    record.flags |= random_.Chance(25) ? kEnd : 0;
    auto request = std::make_unique<InferRequest>(nullptr, std::make_unique<Sink>(record));
    request->id = std::to_string(record.number);
    request->correlation_id = id;
    request->shape_key = record.shape;
    request->byte_size = 10;
    if (random_.Chance(10)) {
      request->timeout_us = static_cast<std::uint64_t>(random_.Between(1, 3000));
      record.expiry = now_ + static_cast<Nanos>(request->timeout_us) * kMicrosecond;
    }
    if (random_.Chance(cancel_percent_)) {
      agenda_.At(now_ + Up(3 * kMillisecond), [&record] { record.cancelled = true; });
    }
    if (sequence_options_.iterative && live == nullptr && record.flags == 0) {
      record.flags = kStart | kEnd;  // a sequence by itself
      request->sequence_flags = 0;
    } else {
      request->sequence_flags = record.flags;
    }
    Trace("request {} of sequence {} comes, flags {}", record.number, id, record.flags);
    const SequenceCore::PushResult pushed = sequences_->Push(request, now_);
    CheckPush(record, id, live, pushed.status);
    if (request != nullptr) {
      request->Finish(pushed.status, pushed.reason);
    }
    if (pushed.status.ok() && pushed.seat != SequenceCore::kNoSeat) {
      Wake(pushed.seat);
    }
  }

  void CheckPush(Record& record, std::uint64_t id, Run* live, const Status& status) {
    const bool needs_start = live == nullptr && (record.flags & kStart) == 0;
    if (!status.ok()) {
      const bool limit =
          sequences_->core().closed() || sequences_->core().depth() >= limits_.request_count_max;
      if (status.code() == StatusCode::kInvalidArgument ? !needs_start : !limit) {
        Fail(fmt::format("request {} was refused: {}", record.number, status.message()));
      }
      return;
    }
    if (needs_start) {
      Fail(fmt::format("request {} was taken without START", record.number));
      return;
    }
    if (live == nullptr) {
      live = &runs_.emplace_back();
      live->id = id;
    }
    record.run = live;
    record.index = live->requests.size();
    record.queued = now_;
    record.waiting = true;
    live->requests.push_back(&record);
    live_[id] = live;
    if ((record.flags & kEnd) != 0) {
      live_.erase(id);
    }
  }

  Run* Find(std::uint64_t id) {
    const auto found = live_.find(id);
    return found == live_.end() ? nullptr : found->second;
  }
  void Over(Run& run) {
    run.over = true;
    if (Find(run.id) == &run) {
      live_.erase(run.id);
    }
  }
  // What has been idle for too long by now.
  void Settle() {
    for (Run& run : runs_) {
      if (run.idle() && now_ - run.idle_since >= sequence_options_.idle_max &&
          !sequences_->core().closed()) {
        Over(run);
        ++idled_;
      }
    }
  }

  // Instances.
  void AtSeat(std::size_t number) {
    Seat& seat = seats_[number];
    seat.parked = seat.waking = false;
    SequenceCore::Popped popped;
    sequences_->TryPop(number, now_, popped);
    Drop(popped.dropped);
    if (!popped.batch.empty()) {
      Execute(number, popped);
      return;
    }
    SequenceCore& core = sequences_->core();
    if (core.closed() && core.SeatIsFree(number)) {
      seat.left = true;
      return;
    }
    seat.parked = true;
    if (popped.wait_until != kNever) {
      const std::uint64_t sleep = ++seat.sleep;
      agenda_.At(std::max(now_, popped.wait_until), [this, number, sleep] {
        if (seats_[number].parked && seats_[number].sleep == sleep) {
          AtSeat(number);
        }
      });
    }
  }

  void Wake(std::size_t number) {
    Seat& seat = seats_[number];
    if (!seat.parked || seat.waking || random_.Chance(options_.lost_wakeup_percent)) {
      return;
    }
    seat.waking = true;
    ++seat.sleep;
    agenda_.At(now_ + Up(20 * kMicrosecond), [this, number] { AtSeat(number); });
  }

  void Execute(std::size_t number, SequenceCore::Popped& popped) {
    ++batches_;
    CheckBatch(number, popped);
    const Nanos end = now_ + Up(execution_max_);
    for (std::size_t i = 0; i < popped.batch.size(); ++i) {
      if (popped.batch[i] == nullptr) {
        continue;
      }
      auto request = std::make_shared<std::unique_ptr<InferRequest>>(std::move(popped.batch[i]));
      SequenceCore::Sequence* sequence = popped.sequences[i];
      // Some backends answer after the instance is free.
      const Nanos late = random_.Chance(10) ? Up(kMillisecond) : 0;
      agenda_.At(end + late,
                 [this, request, sequence] { Release(std::move(*request), *sequence); });
    }
    agenda_.At(end, [this, number] { AtSeat(number); });
  }

  void CheckBatch(std::size_t number, const SequenceCore::Popped& popped) {
    const std::size_t size_max =
        sequence_options_.direct
            ? sequence_options_.slot_count
            : static_cast<std::size_t>(std::max<std::int64_t>(1, sequence_options_.batch_size_max));
    if (popped.batch.size() > size_max) {
      Fail(fmt::format("a batch of {} exceeds the limit", popped.batch.size()));
      return;
    }
    std::uint64_t shape = 0;
    for (std::size_t i = 0; i < popped.batch.size() && violation_.empty(); ++i) {
      if (popped.batch[i] == nullptr) {
        continue;
      }
      Record& record = RecordOf(*popped.batch[i]);
      Trace("seat {} takes request {} in place {}", number, record.number, i);
      if (shape != 0 && record.shape != shape) {
        Fail(fmt::format("request {} shares a batch with another shape", record.number));
      }
      shape = record.shape;
      CheckStep(record, *popped.sequences[i], number, i);
    }
  }

  void CheckStep(Record& record, SequenceCore::Sequence& sequence, std::size_t seat,
                 std::size_t slot) {
    Run& run = *record.run;
    if (run.over || run.in_flight || run.requests[run.next] != &record) {
      Fail(fmt::format("request {} executes out of turn", record.number));
      return;
    }
    if (record.cancelled) {
      Fail(fmt::format("request {} executes though it was cancelled", record.number));
    }
    if (run.seat != SIZE_MAX &&
        (run.seat != seat || (sequence_options_.direct && run.slot != slot))) {
      Fail(fmt::format("sequence {} has moved to another slot", run.id));
    }
    run.seat = seat;
    run.slot = slot;
    run.in_flight = true;
    record.waiting = false;
    ++run.next;
    if ((record.flags & kStart) != 0) {
      sequence.state.Reset();
      run.state = 0;
    }
    std::vector<NamedTensor> inputs;
    sequence.state.AppendInputs(inputs);
    std::int64_t seen = 0;
    std::memcpy(&seen, inputs[0].tensor.data.data(), sizeof(seen));
    if (seen != run.state) {
      Fail(fmt::format("request {} sees state {} and not {}", record.number, seen, run.state));
    }
    inputs[0].tensor.data = Number(++run.state);
    if (!sequence.state.Update("out", inputs[0].tensor).ok()) {
      Fail("the state was not taken");
    }
  }

  void Release(std::unique_ptr<InferRequest> request, SequenceCore::Sequence& sequence) {
    Record& record = RecordOf(*request);
    Run& run = *record.run;
    run.in_flight = false;
    if (sequence_options_.iterative && random_.Chance(30)) {
      Trace("request {} goes on", record.number);
      --run.next;
      record.flags &= ~kStart;
      record.waiting = true;
      record.queued = now_;
      Wake(sequences_->Released(sequence, now_, std::move(request)));
      return;
    }
    Trace("request {} is released", record.number);
    request->Finish(OkStatus());
    run.idle_since = now_;
    if (run.next == run.requests.size() &&
        ((record.flags & kEnd) != 0 || sequences_->core().closed())) {
      Over(run);
    }
    Wake(sequences_->Released(sequence, now_, nullptr));
  }

  void Drop(std::vector<SequenceCore::Dropped>& dropped) {
    for (SequenceCore::Dropped& one : dropped) {
      Record& record = RecordOf(*one.request);
      Run& run = *record.run;
      Trace("request {} is dropped: {}", record.number, one.status.message());
      const auto of_run = [&](auto predicate) {
        return std::any_of(run.requests.begin(), run.requests.end(), predicate);
      };
      const bool justified = one.status.code() == StatusCode::kCancelled
                                 ? of_run([](const Record* r) { return r->cancelled; })
                                 : run.seat == SIZE_MAX && of_run([this](const Record* r) {
                                     return r->expiry <= now_;
                                   });
      if (!justified) {
        Fail(fmt::format("request {} was dropped without a reason", record.number));
      }
      record.waiting = false;
      Over(run);
      one.request->Finish(one.status, one.reason);
    }
  }

  void ScheduleExpiry() {
    const Nanos next = sequences_->core().next_expiry();
    if (next == kNever || !scheduled_.insert(next).second) {
      return;
    }
    agenda_.At(std::max(now_, next), [this] {
      std::vector<SequenceCore::Dropped> dropped;
      std::vector<std::size_t> seats;
      sequences_->Expire(now_, dropped, seats);
      Drop(dropped);
      for (const std::size_t seat : seats) {
        Wake(seat);
      }
    });
  }

  void Close() {
    Trace("closed");
    sequences_->core().Close();
    for (Run& run : runs_) {
      if (run.idle()) {
        Over(run);
      }
    }
    for (std::size_t seat = 0; seat < seats_.size(); ++seat) {
      Wake(seat);
    }
  }

  Record& RecordOf(const InferRequest& request) {
    return records_[static_cast<std::size_t>(std::stoul(request.id)) - 1];
  }

  void CheckBeforeTimeMoves() {
    SequenceCore& core = sequences_->core();
    if (core.next_expiry() <= now_) {
      Fail("a sequence has not ended though its time is over");
    }
    if (core.figures().idled != idled_) {
      Fail(
          fmt::format("{} sequences were ended as idle, and not {}", core.figures().idled, idled_));
    }
    const std::size_t slots = seats_.size() * sequence_options_.slot_count;
    if (core.figures().live > slots ||
        (core.figures().backlog > 0 && core.figures().live < slots)) {
      Fail(fmt::format("{} sequences have slots and {} wait for one", core.figures().live,
                       core.figures().backlog));
    }
    const bool all_idle = std::all_of(seats_.begin(), seats_.end(),
                                      [](const Seat& seat) { return seat.parked && !seat.waking; });
    for (const Run& run : runs_) {
      if (!run.waits()) {
        continue;
      }
      const Record& head = *run.requests[run.next];
      const bool nobody = run.seat != SIZE_MAX ? seats_[run.seat].parked && !seats_[run.seat].waking
                                               : all_idle && core.figures().backlog == 0;
      if (nobody && now_ - head.queued >= sequence_options_.queue_delay_max) {
        Fail(fmt::format("request {} waits while its instance is idle", head.number));
      }
    }
  }

  void CheckEnd() {
    for (const Record& record : records_) {
      if (record.ends != 1) {
        Fail(fmt::format("request {} ended {} times", record.number, record.ends));
      }
    }
    const SequenceCore& core = sequences_->core();
    if (core.depth() != 0 || core.byte_size() != 0 || core.figures().live != 0 ||
        core.figures().backlog != 0) {
      Fail("something is left in the end");
    }
    if (!std::all_of(seats_.begin(), seats_.end(), [](const Seat& seat) { return seat.left; })) {
      Fail("an instance waits after the end");
    }
  }

  const SequenceSimulationOptions& options_;
  Random random_;
  const SequenceOptions sequence_options_;
  const QueueLimits limits_;
  std::deque<Record> records_;  // before everything that holds requests, whose sinks borrow them
  std::deque<Run> runs_;
  std::unique_ptr<SequencesUnderTest> sequences_;
  std::map<std::uint64_t, Run*> live_;  // runs that requests may still join
  std::vector<Seat> seats_;
  std::set<Nanos> scheduled_;
  Agenda agenda_;
  Nanos now_ = kSecond;
  int requests_left_ = 0;
  std::int64_t ids_ = 1;
  int cancel_percent_ = 0;
  Nanos execution_max_ = 0, gap_max_ = 0;
  std::uint64_t idled_ = 0, batches_ = 0;
  std::string violation_;
};

}  // namespace

SimulationResult SimulateSequences(const SequenceSimulationOptions& options) {
  return SequenceSimulation(options).Simulate();
}

}  // namespace headrace::engine::simulator
