#include "load/random.h"

#include <gtest/gtest.h>

#include <cmath>

namespace headrace::load {
namespace {

struct Moments {
  double mean = 0, variance = 0;
};

template <typename Draw>
Moments MomentsOf(Draw draw) {
  constexpr int kCount = 200'000;
  double sum = 0, squares = 0;
  for (int i = 0; i < kCount; ++i) {
    const double value = draw();
    sum += value;
    squares += value * value;
  }
  const double mean = sum / kCount;
  return {mean, squares / kCount - mean * mean};
}

TEST(RandomTest, Bits_AreTheSameOnEveryMachine) {
  Random random(1);
  EXPECT_EQ(random.Bits(), 0xcfc5d07f6f03c29bU);
  EXPECT_EQ(random.Bits(), 0xbf424132963fe08dU);
  EXPECT_EQ(HashOf(0), 0xe220a8397b1dcdafU);  // SplitMix64's first number of seed 0
}

TEST(RandomTest, Exponential_HasItsMoments) {
  Random random(2);
  const Moments moments = MomentsOf([&] { return random.Exponential(); });
  EXPECT_NEAR(moments.mean, 1, 0.01);
  EXPECT_NEAR(moments.variance, 1, 0.03);
}

TEST(RandomTest, Exponential_IsTheLogarithmOfItsUniform) {
  Random random(3), uniform(3);
  for (int i = 0; i < 10'000; ++i) {
    const double expected = -std::log(1 - uniform.Uniform());
    EXPECT_NEAR(random.Exponential(), expected, 1e-14 * (1 + expected));
  }
}

TEST(RandomTest, Normal_HasItsMoments) {
  Random random(4);
  const Moments moments = MomentsOf([&] { return random.Normal(); });
  EXPECT_NEAR(moments.mean, 0, 0.01);
  EXPECT_NEAR(moments.variance, 1, 0.02);
}

TEST(RandomTest, Gamma_HasItsMoments_AboveAndBelowOne) {
  for (const double shape : {0.1, 0.5, 1.0, 4.0, 30.0}) {
    Random random(5);
    const Moments moments = MomentsOf([&] { return random.Gamma(shape); });
    EXPECT_NEAR(moments.mean, shape, 0.03 * shape) << shape;
    EXPECT_NEAR(moments.variance, shape, 0.1 * shape) << shape;
  }
}

TEST(RandomTest, Below_StaysBelow_AndReachesAll) {
  Random random(6);
  int seen[7] = {};
  for (int i = 0; i < 1000; ++i) {
    ++seen[random.Below(7)];
  }
  for (const int count : seen) {
    EXPECT_GT(count, 0);
  }
  EXPECT_EQ(random.Below(0), 0U);
}

}  // namespace
}  // namespace headrace::load
