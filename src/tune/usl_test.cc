#include "tune/usl.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace headrace::tune {
namespace {

TEST(FitUsl, FindsTheCoefficients_OfALawWithoutNoise) {
  const Usl law{.x1 = 100, .sigma = 0.08, .kappa = 0.004};
  std::vector<UslPoint> points;
  for (const double n : {1.0, 2.0, 4.0, 8.0, 16.0}) {
    points.push_back({n, law.At(n)});
  }
  const Usl fit = FitUsl(points);
  EXPECT_NEAR(fit.sigma, law.sigma, 1e-6);
  EXPECT_NEAR(fit.kappa, law.kappa, 1e-6);
  EXPECT_NEAR(fit.Peak(), std::sqrt(0.92 / 0.004), 1e-3);
}

TEST(FitUsl, HasNoPeak_WhenNothingIsLost) {
  const std::vector<UslPoint> points = {{1, 10}, {2, 20}, {4, 40}};
  EXPECT_TRUE(std::isinf(FitUsl(points).Peak()));
}

TEST(FitUsl, PeaksAtOne_WhenASecondOneOnlyHurts) {
  const std::vector<UslPoint> points = {{1, 10}, {2, 6}, {4, 2}};
  EXPECT_LT(FitUsl(points).Peak(), 2);
  const std::vector<UslPoint> two = {{1, 10}, {2, 5}};
  EXPECT_EQ(FitUsl(two).Peak(), 1);
}

TEST(FitUsl, IsNothing_WithoutAPointOfOne) {
  const std::vector<UslPoint> points = {{2, 10}};
  EXPECT_EQ(FitUsl(points).x1, 0);
}

}  // namespace
}  // namespace headrace::tune
