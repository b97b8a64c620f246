#include "engine/expiry_thread.h"

#include <gtest/gtest.h>

#include <future>

namespace headrace::engine {
namespace {

TEST(ExpiryThreadTest, Runs_WhenItsTimeHasCome) {
  std::promise<Nanos> ran;
  ExpiryThread thread("test", Clock::Real(), [&ran](Nanos now) {
    ran.set_value(now);
    return kNever;
  });
  const Nanos due = Clock::Real().Now() + 2 * kMillisecond;
  thread.LookBy(due + kSecond * 1000);
  thread.LookBy(due);
  EXPECT_GE(ran.get_future().get(), due);
}

TEST(ExpiryThreadTest, RunsAgain_WhenItSaidSo) {
  std::promise<int> ran;
  int count = 0;
  ExpiryThread thread("test", Clock::Real(), [&](Nanos now) {
    if (++count == 3) {
      ran.set_value(count);
      return kNever;
    }
    return now + 1;
  });
  thread.LookBy(Clock::Real().Now());
  EXPECT_EQ(ran.get_future().get(), 3);
}

TEST(ExpiryThreadTest, Ends_WhileItSleeps) {
  ExpiryThread idle("test", Clock::Real(), [](Nanos) { return kNever; });
  ExpiryThread asleep("test", Clock::Real(), [](Nanos) { return kNever; });
  asleep.LookBy(Clock::Real().Now() + kSecond * 1000);
}

}  // namespace
}  // namespace headrace::engine
