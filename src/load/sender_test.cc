#include "load/sender.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <set>

#include "load/testing/record_list.h"
#include "load/testing/stub_server.h"

namespace headrace::load {
namespace {

using Kind = ArrivalSpec::Kind;

// A transport that keeps what it was sent until the test answers, on the sender's thread.
class FakeTransports final : public TransportFactory {
 public:
  // What the transport does with the requests of a turn: called from Flush, on its thread.
  using Turn = std::function<void(std::vector<Outgoing>&, CompletionSink&)>;
  explicit FakeTransports(Turn turn) : turn_(std::move(turn)) {}

  std::unique_ptr<Transport> Make() override { return std::make_unique<Fake>(*this); }

  // Ends a request at once.
  static void Answer(const Outgoing& request, CompletionSink& sink,
                     Outcome outcome = Outcome::kOk) {
    const Nanos now = Clock::Real().Now();
    sink.OnSent(request.slot, now, false);
    sink.OnDone(request.slot, now, outcome, 200);
  }

 private:
  class Fake final : public Transport {
   public:
    explicit Fake(FakeTransports& owner) : owner_(owner) {}
    Status Connect(Poller&, CompletionSink& sink, int connections) override {
      sink_ = &sink;
      return OkStatus();
    }
    void Send(const Outgoing& request) override { out_.push_back(request); }
    void Flush() override { owner_.turn_(out_, *sink_); }
    void Abandon() override {
      for (const Outgoing& request : std::exchange(out_, {})) {
        sink_->OnDone(request.slot, Clock::Real().Now(), Outcome::kTimeout, 0);
      }
    }
    std::uint64_t waited_count() const override { return 0; }

   private:
    FakeTransports& owner_;
    CompletionSink* sink_ = nullptr;
    std::vector<Outgoing> out_;
  };

  Turn turn_;
};

void AnswerAll(std::vector<Outgoing>& out, CompletionSink& sink) {
  for (const Outgoing& request : std::exchange(out, {})) {
    FakeTransports::Answer(request, sink);
  }
}

Workload WorkloadOf(int item_count = 1) {
  Workload workload;
  for (int i = 0; i < item_count; ++i) {
    Item& item = workload.items.emplace_back();
    item.name = item.model = "m" + std::to_string(i);
    item.contents.resize(1);
  }
  return workload;
}

SenderOptions Options(Kind kind, double rate = 2000) {
  SenderOptions options;
  options.arrivals.kind = kind;
  options.arrivals.rate = rate;
  return options;
}

// Runs until the records are so many, then stops.
SenderFigures RunUntil(Sender& sender, RecordList& records, std::size_t count,
                       Nanos deadline = kNever) {
  EXPECT_TRUE(sender.Connect().ok());
  sender.Start(Clock::Real().Now());
  records.WaitFor(count);
  sender.StopAt(deadline);
  sender.Join();
  return sender.figures();
}

TEST(SenderTest, OpenLoop_KeepsToTheSchedule_WhateverTheAnswers) {
  // Nothing is answered until a hundred are out.
  FakeTransports transports([](std::vector<Outgoing>& out, CompletionSink& sink) {
    if (out.size() >= 100) {
      AnswerAll(out, sink);
    }
  });
  const Workload workload = WorkloadOf();
  RecordList records;
  SenderOptions options = Options(Kind::kPoisson);
  Sender sender(options, workload, transports, records);
  ASSERT_TRUE(sender.Connect().ok());
  const Nanos start = Clock::Real().Now();
  sender.Start(start);
  records.WaitFor(100);
  sender.StopAt(0);
  sender.Join();
  ArrivalSchedule schedule(options.arrivals, 0, 1);
  auto all = records.Take();
  std::sort(all.begin(), all.end(),
            [](const auto& a, const auto& b) { return a.intended < b.intended; });
  for (const RequestRecord& record : all) {
    EXPECT_EQ(record.intended, start + schedule.Next());
    EXPECT_GE(record.sent, record.intended);
    EXPECT_GE(record.done, record.sent);
  }
}

TEST(SenderTest, Spin_KeepsTheThreadAwakeBeforeAnIntendedTime) {
  // A thread that sleeps turns once in a tick of 20 ms.
  constexpr int kTurnCount = 1000;
  constexpr Nanos kAsleep = kTurnCount * 20 * kMillisecond;
  std::mutex mutex;
  std::condition_variable turned;
  int turns = 0;
  FakeTransports transports([&](std::vector<Outgoing>& out, CompletionSink& sink) {
    AnswerAll(out, sink);
    const std::lock_guard lock(mutex);
    if (++turns == kTurnCount) {
      turned.notify_all();
    }
  });
  const Workload workload = WorkloadOf();
  RecordList records;
  SenderOptions options = Options(Kind::kSchedule);
  options.arrivals.intervals = {3600 * kSecond};
  options.spin = 2 * 3600 * kSecond;
  Sender sender(options, workload, transports, records);
  ASSERT_TRUE(sender.Connect().ok());
  const Nanos start = Clock::Real().Now();
  sender.Start(start);
  {
    std::unique_lock lock(mutex);
    turned.wait(lock, [&] { return turns >= kTurnCount; });
  }
  EXPECT_LT(Clock::Real().Now() - start, kAsleep);
  sender.StopAt(0);
  sender.Join();
  EXPECT_EQ(sender.figures().sent_count, 0U);  // awake, and not early
}

TEST(SenderTest, ClosedLoop_HasSoManyOut_AndIsIntendedWhenSent) {
  std::size_t most = 0;
  FakeTransports transports([&](std::vector<Outgoing>& out, CompletionSink& sink) {
    most = std::max(most, out.size());
    AnswerAll(out, sink);
  });
  const Workload workload = WorkloadOf();
  RecordList records;
  SenderOptions options = Options(Kind::kClosed);
  options.arrivals.concurrency = 7;
  Sender sender(options, workload, transports, records);
  const SenderFigures figures = RunUntil(sender, records, 500);
  EXPECT_EQ(most, 7U);
  const auto all = records.Take();
  EXPECT_EQ(figures.sent_count, all.size());
  for (const RequestRecord& record : all) {
    EXPECT_EQ(record.intended, record.sent);
  }
}

TEST(SenderTest, Shares_AddUp) {
  const Workload workload = WorkloadOf();
  std::size_t sum = 0;
  for (int index = 0; index < 3; ++index) {
    std::size_t most = 0;
    FakeTransports transports([&](std::vector<Outgoing>& out, CompletionSink& sink) {
      most = std::max(most, out.size());
      AnswerAll(out, sink);
    });
    RecordList records;
    SenderOptions options = Options(Kind::kClosed);
    options.arrivals.concurrency = 8;
    options.sender_index = index;
    options.sender_count = 3;
    Sender sender(options, workload, transports, records);
    RunUntil(sender, records, 20);
    sum += most;
  }
  EXPECT_EQ(sum, 8U);
}

TEST(SenderTest, Guard_MakesRequestsWait_AndCountsThem_AndLosesNone) {
  FakeTransports transports([](std::vector<Outgoing>&, CompletionSink&) {});  // no answer, ever
  const Workload workload = WorkloadOf();
  RecordList records;
  SenderOptions options = Options(Kind::kConstant, 100'000);
  options.outstanding_max = 5;
  Sender sender(options, workload, transports, records);
  ASSERT_TRUE(sender.Connect().ok());
  const Nanos start = Clock::Real().Now();
  sender.Start(start - kSecond);  // a second's worth is due at once
  sender.StopAt(0);
  sender.Join();
  const auto all = records.Take();
  // Those that were due are all there, the five that were out and those that waited.
  EXPECT_GE(all.size(), 100'000U);
  for (const RequestRecord& record : all) {
    ASSERT_EQ(record.outcome, Outcome::kTimeout);
  }
}

TEST(SenderTest, Guard_StillSendsAfterTheStop_WhatWasDueBefore) {
  // The fifth turn and those after it answer.
  int turns = 0;
  FakeTransports transports([&](std::vector<Outgoing>& out, CompletionSink& sink) {
    if (++turns >= 5) {
      AnswerAll(out, sink);
    }
  });
  const Workload workload = WorkloadOf();
  RecordList records;
  SenderOptions options = Options(Kind::kSchedule);
  options.arrivals.intervals.assign(20, 0);
  options.outstanding_max = 1;
  Sender sender(options, workload, transports, records);
  ASSERT_TRUE(sender.Connect().ok());
  sender.Start(Clock::Real().Now());
  sender.StopAt(kNever);
  sender.Join();
  const auto all = records.Take();
  EXPECT_EQ(all.size(), 20U);
  for (const RequestRecord& record : all) {
    EXPECT_EQ(record.outcome, Outcome::kOk);
  }
}

TEST(SenderTest, Guard_Counts_EachArrivalOnce) {
  int turns = 0;
  FakeTransports transports([&](std::vector<Outgoing>& out, CompletionSink& sink) {
    if (++turns % 3 == 0) {
      AnswerAll(out, sink);
    }
  });
  const Workload workload = WorkloadOf();
  RecordList records;
  SenderOptions options = Options(Kind::kConstant, 1'000'000);
  options.outstanding_max = 2;
  Sender sender(options, workload, transports, records);
  const SenderFigures figures = RunUntil(sender, records, 50, 0);
  EXPECT_GT(figures.outstanding_max_hit_count, 0U);
  EXPECT_LE(figures.outstanding_max_hit_count, figures.sent_count + 1);
}

TEST(SenderTest, Items_AreDrawnByWeight_TheSameForAnyNumberOfSenders) {
  Workload workload = WorkloadOf(3);
  workload.items[0].weight = 6;
  workload.items[1].weight = 3;
  workload.items[2].weight = 1;
  FakeTransports transports(AnswerAll);
  std::vector<int> counts[2];
  for (int run = 0; run < 2; ++run) {
    // The first 3000 arrivals of the schedule.
    const int sender_count = run == 0 ? 1 : 3;
    counts[run].resize(3);
    for (int index = 0; index < sender_count; ++index) {
      RecordList records;
      SenderOptions options = Options(Kind::kSchedule);
      options.arrivals.intervals.assign(3000, 0);
      options.sender_index = index;
      options.sender_count = sender_count;
      Sender sender(options, workload, transports, records);
      RunUntil(sender, records, static_cast<std::size_t>(3000 / sender_count));
      for (const RequestRecord& record : records.Take()) {
        ++counts[run][record.item];
      }
    }
  }
  EXPECT_EQ(counts[0], counts[1]);
  EXPECT_NEAR(counts[0][0], 1800, 150);
  EXPECT_NEAR(counts[0][1], 900, 120);
}

TEST(SenderTest, Contents_AreTakenInTurn) {
  Workload workload = WorkloadOf();
  workload.items[0].contents.resize(3);
  std::vector<std::uint32_t> contents;
  FakeTransports transports([&](std::vector<Outgoing>& out, CompletionSink& sink) {
    for (const Outgoing& request : out) {
      contents.push_back(request.content);
    }
    AnswerAll(out, sink);
  });
  RecordList records;
  Sender sender(Options(Kind::kConstant), workload, transports, records);
  RunUntil(sender, records, 7);
  for (std::size_t i = 0; i < contents.size(); ++i) {
    EXPECT_EQ(contents[i], i % 3);
  }
}

TEST(SenderTest, Streams_KeepTheFirstResponse_AndTheirCount) {
  FakeTransports transports([](std::vector<Outgoing>& out, CompletionSink& sink) {
    for (const Outgoing& request : std::exchange(out, {})) {
      const Nanos now = Clock::Real().Now();
      sink.OnSent(request.slot, now, true);
      sink.OnResponse(request.slot, now + 5);
      sink.OnResponse(request.slot, now + 7);
      sink.OnDone(request.slot, now + 9, Outcome::kOk, 200);
    }
  });
  const Workload workload = WorkloadOf();
  RecordList records;
  Sender sender(Options(Kind::kConstant), workload, transports, records);
  RunUntil(sender, records, 1);
  const RequestRecord record = records.Take().front();
  EXPECT_EQ(record.first_response, record.sent + 5);
  EXPECT_EQ(record.done, record.sent + 9);
  EXPECT_EQ(record.response_count, 2U);
  EXPECT_TRUE(record.cold);
}

TEST(SenderTest, Stop_GivesUpAtTheDeadline_AndEveryRequestHasItsRecord) {
  FakeTransports transports([](std::vector<Outgoing>&, CompletionSink&) {});
  const Workload workload = WorkloadOf();
  RecordList records;
  SenderOptions options = Options(Kind::kClosed);
  options.arrivals.concurrency = 4;
  Sender sender(options, workload, transports, records);
  ASSERT_TRUE(sender.Connect().ok());
  sender.Start(Clock::Real().Now() - kSecond);
  sender.StopAt(Clock::Real().Now() + kMillisecond);
  sender.Join();
  for (const RequestRecord& record : records.Take()) {
    EXPECT_EQ(record.outcome, Outcome::kTimeout);
  }
}

TEST(SenderTest, Sequences_HaveOneRequestOut_InOrder_AndAreEndedAtTheStop) {
  Workload workload = WorkloadOf();
  workload.items[0].sequences.concurrent = 3;
  workload.items[0].sequences.length = 5;
  workload.items[0].sequences.length_variation = 0;
  struct Seen {
    int count = 0;
    bool started = false, ended = false, out = false;
  };
  std::map<std::uint64_t, Seen> sequences;
  FakeTransports transports([&](std::vector<Outgoing>& out, CompletionSink& sink) {
    std::set<std::uint64_t> turn;
    for (const Outgoing& request : out) {
      EXPECT_TRUE(turn.insert(request.sequence_id).second) << "two out at a time";
      Seen& seen = sequences[request.sequence_id];
      EXPECT_EQ(request.sequence_start, seen.count == 0);
      EXPECT_FALSE(seen.ended);
      seen.ended = request.sequence_end;
      ++seen.count;
    }
    EXPECT_LE(out.size(), 3U);
    AnswerAll(out, sink);
  });
  RecordList records;
  Sender sender(Options(Kind::kPoisson, 5000), workload, transports, records);
  RunUntil(sender, records, 200);
  EXPECT_GE(sequences.size(), 40U);
  for (const auto& [id, seen] : sequences) {
    EXPECT_TRUE(seen.ended) << id;
    EXPECT_LE(seen.count, 5) << id;
  }
  for (const RequestRecord& record : records.Take()) {
    EXPECT_EQ(record.outcome, Outcome::kOk);
    EXPECT_NE(record.sequence_id, 0U);
  }
}

TEST(SenderTest, ClosedLoop_PausesBeforeItConnectsAgain) {
  int attempts = 0;
  FakeTransports transports([&](std::vector<Outgoing>& out, CompletionSink& sink) {
    for (const Outgoing& request : std::exchange(out, {})) {
      ++attempts;
      sink.OnDone(request.slot, Clock::Real().Now(), Outcome::kConnect, 0);
    }
  });
  const Workload workload = WorkloadOf();
  RecordList records;
  Sender sender(Options(Kind::kClosed), workload, transports, records);
  RunUntil(sender, records, 3);
  const auto all = records.Take();
  for (std::size_t i = 1; i < all.size(); ++i) {
    EXPECT_GE(all[i].sent - all[i - 1].done, 10 * kMillisecond);
  }
}

}  // namespace
}  // namespace headrace::load
