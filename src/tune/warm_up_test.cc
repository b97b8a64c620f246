#include "tune/warm_up.h"

#include <gtest/gtest.h>

#include <atomic>

#include "bench/bench_test_support.h"
#include "load/testing/fake_transports.h"

namespace headrace::tune {
namespace {

using load::testing::FakeAnswer;
using load::testing::FakeTransports;

constexpr int kConcurrency = 2, kRound = 8;

int Sent(const std::function<Nanos(int)>& delay, Nanos time) {
  std::atomic<int> sent = 0;
  FakeTransports transports([&](Nanos) { return FakeAnswer{delay(sent++)}; });
  const load::Workload workload = bench::testing::OneItem();
  const auto session = bench::Session::Over(transports, workload, nullptr, {});
  bench::LevelSpec like;
  like.drain_max = 30 * kSecond;
  EXPECT_TRUE(WarmUp(*session, like, kConcurrency, time).ok());
  return sent;
}

TEST(WarmUp, GoesOnUntilNothingGetsFaster) {
  const auto delay = [](int i) {
    return i < kRound ? 80 * kMillisecond : i < 2 * kRound ? 40 * kMillisecond : 10 * kMillisecond;
  };
  // The third round is faster than the second, so that there is a fourth.
  EXPECT_GE(Sent(delay, 10 * kSecond), 4 * kRound);
}

TEST(WarmUp, IsOneRound_WhereThereIsNoTime) {
  const int sent = Sent([](int) { return 40 * kMillisecond; }, 0);
  EXPECT_GE(sent, kRound);
  EXPECT_LT(sent, 2 * kRound);
}

TEST(WarmUp, EndsWhereNothingIsAnswered) {
  std::atomic<int> sent = 0;
  FakeTransports transports([&](Nanos) {
    ++sent;
    return FakeAnswer{.delay = 0, .outcome = load::Outcome::kServerError};
  });
  const load::Workload workload = bench::testing::OneItem();
  const auto session = bench::Session::Over(transports, workload, nullptr, {});
  EXPECT_TRUE(WarmUp(*session, {}, kConcurrency, 10 * kSecond).ok());
  EXPECT_GT(sent, 0);
}

}  // namespace
}  // namespace headrace::tune
