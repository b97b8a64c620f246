// What the figures are worth: a sender against a server that keeps its own times and that stands
// still when it is told (tools contract 4.1, 4.2).
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "load/http_transport.h"
#include "load/sender.h"
#include "load/testing/counting_transports.h"
#include "load/testing/record_list.h"
#include "load/testing/stub_server.h"

namespace headrace::load {
namespace {

using Kind = ArrivalSpec::Kind;

StubReply Answer(const StubRequest&) { return {HttpAnswer(200, "{}")}; }

// One sender against a stub server.
class LoadRun {
 public:
  LoadRun(const StubServer& server, const ArrivalSpec& arrivals) : arrivals_(arrivals) {
    TargetSpec target;
    target.protocol = Protocol::kRawHttp;
    target.port = server.port();
    workload_.items.resize(1);
    workload_.items[0].contents.resize(1);
    transports_ = std::make_unique<CountingTransports>(
        std::move(MakeHttpTransportFactory(target, workload_)).value());
    SenderOptions options;
    options.arrivals = arrivals;
    sender_ = std::make_unique<Sender>(options, workload_, *transports_, records);
  }
  void Start() {
    ASSERT_TRUE(sender_->Connect().ok());
    start_ = Clock::Real().Now();
    sender_->Start(start_);
  }
  // Arrivals that the schedule has in [begin, end).
  std::size_t DueBetween(Nanos begin, Nanos end) const {
    ArrivalSchedule schedule(arrivals_, 0, 1);
    std::size_t count = 0;
    for (Nanos at = start_ + schedule.Next(); at < end; at = start_ + schedule.Next()) {
      count += at >= begin ? 1 : 0;
    }
    return count;
  }
  std::size_t sent_count() { return transports_->sent_count(); }
  void WaitForSent(std::size_t count) { transports_->WaitForSent(count); }
  // Every record, by intended time.
  std::vector<RequestRecord> Stop() {
    sender_->StopAt(kNever);
    sender_->Join();
    auto all = records.Take();
    std::sort(all.begin(), all.end(),
              [](const auto& a, const auto& b) { return a.intended < b.intended; });
    return all;
  }
  RecordList records;

 private:
  const ArrivalSpec arrivals_;
  Nanos start_ = 0;
  Workload workload_;
  std::unique_ptr<CountingTransports> transports_;
  std::unique_ptr<Sender> sender_;
};

ArrivalSpec Open(double rate) {
  ArrivalSpec arrivals;
  arrivals.kind = Kind::kPoisson;
  arrivals.rate = rate;
  return arrivals;
}

ArrivalSpec Closed(int concurrency) {
  ArrivalSpec arrivals;
  arrivals.kind = Kind::kClosed;
  arrivals.concurrency = concurrency;
  return arrivals;
}

TEST(LatencyTruthTest, StandstillShowsWholeInTheOpenLoop_AndOncePerConnectionInTheClosed) {
  StubServer server(Answer);
  server.KeepNoRequests();
  constexpr int kConnections = 3;
  constexpr std::size_t kDuring = 300;
  LoadRun open(server, Open(2000));
  LoadRun closed(server, Closed(kConnections));
  open.Start();
  closed.Start();
  open.records.WaitFor(100);
  closed.records.WaitFor(100);
  server.Stall();
  const Nanos stalled = Clock::Real().Now();
  // The schedule goes on without an answer.
  Nanos resumed = stalled;
  for (std::size_t due = 0; due < kDuring; due = open.DueBetween(stalled, resumed)) {
    open.WaitForSent(open.sent_count() + 1);
    resumed = Clock::Real().Now();
  }
  server.Resume();
  open.records.WaitFor(100 + kDuring);

  std::vector<RequestRecord> during;
  for (const RequestRecord& record : open.Stop()) {
    EXPECT_EQ(record.outcome, Outcome::kOk);
    if (record.intended >= stalled && record.intended < resumed) {
      during.push_back(record);
    }
  }
  // As many requests as the schedule had in the standstill, and each is charged with all of it that
  // was left: from the whole for the first down to nearly nothing for the last.
  EXPECT_EQ(during.size(), open.DueBetween(stalled, resumed));
  for (const RequestRecord& record : during) {
    EXPECT_GE(record.response_time(), resumed - record.intended);
  }
  const Nanos whole = resumed - stalled;
  const auto charged = [&](const RequestRecord& record) { return resumed - record.intended; };
  EXPECT_GT(charged(during.front()), whole * 9 / 10);
  EXPECT_LT(charged(during.back()), whole / 10);
  EXPECT_GT(charged(during[during.size() / 2]), whole / 4);
  EXPECT_LT(charged(during[during.size() / 2]), whole * 3 / 4);

  // A closed loop has one bad sample for each connection at most, and nothing else tells of it.
  const auto sampled = closed.Stop();
  EXPECT_LE(std::count_if(sampled.begin(), sampled.end(),
                          [&](const RequestRecord& record) {
                            return record.sent < resumed && record.done >= resumed;
                          }),
            kConnections);
}

TEST(LatencyTruthTest, ReportedTimes_EncloseTheServersOwn) {
  StubServer server([](const StubRequest& request) {
    return StubReply{.bytes = HttpAnswer(200, "{}"),
                     .delay = request.number % 4 * 200 * kMicrosecond};
  });
  LoadRun run(server, Closed(1));
  run.Start();
  run.records.WaitFor(200);
  const auto records = run.Stop();
  const auto times = server.times();
  ASSERT_EQ(records.size(), times.size());
  for (std::size_t i = 0; i < records.size(); ++i) {
    EXPECT_LE(records[i].sent, times[i].arrived);
    EXPECT_LE(times[i].answered, records[i].done);
    EXPECT_GE(records[i].service_time(), static_cast<Nanos>(i % 4) * 200 * kMicrosecond);
  }
}

TEST(LatencyTruthTest, EveryArrivalReachesTheServer_Once) {
  StubServer server(Answer);
  ArrivalSpec arrivals;
  arrivals.kind = Kind::kSchedule;
  for (int i = 0; i < 2000; ++i) {
    arrivals.intervals.push_back(i * 20 * kMicrosecond);
  }
  LoadRun run(server, arrivals);
  run.Start();
  run.records.WaitFor(2000);
  const auto records = run.Stop();
  EXPECT_EQ(records.size(), 2000U);
  EXPECT_EQ(server.times().size(), 2000U);
  for (std::size_t i = 1; i < records.size(); ++i) {
    EXPECT_EQ(records[i].intended - records[i - 1].intended, 20 * kMicrosecond);
    EXPECT_GE(records[i].sent, records[i].intended);
  }
}

}  // namespace
}  // namespace headrace::load
