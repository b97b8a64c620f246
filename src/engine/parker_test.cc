#include "engine/parker.h"

#include <gtest/gtest.h>

#include <thread>

namespace headrace::engine {
namespace {

TEST(ParkerTest, ReturnsAtOnce_WhenUnparkedBefore) {
  Parker parker;
  parker.Unpark();
  EXPECT_TRUE(parker.Park());
}

TEST(ParkerTest, ReturnsFalse_WhenTheDeadlineHasPassed) {
  Parker parker;
  EXPECT_FALSE(parker.Park(Clock::Real().Now() - 1));
  EXPECT_FALSE(parker.Park(Clock::Real().Now() + kMillisecond));
}

TEST(ParkerTest, HandsOverWhatWasWritten) {
  Parker there, back;
  int value = 0;
  std::thread other([&] {
    for (int i = 0; i < 1000; ++i) {
      there.Park();
      ++value;
      back.Unpark();
    }
  });
  for (int i = 0; i < 1000; ++i) {
    value += 10;
    there.Unpark();
    back.Park();
  }
  other.join();
  EXPECT_EQ(value, 11'000);
}

}  // namespace
}  // namespace headrace::engine
