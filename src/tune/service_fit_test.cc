#include "tune/service_fit.h"

#include <gtest/gtest.h>

namespace headrace::tune {
namespace {

TEST(FitService, FindsALine) {
  const ServiceFit fit = FitService({{1, 7}, {2, 9}, {4, 13}, {8, 21}});
  EXPECT_NEAR(fit.tau, 5, 1e-9);
  EXPECT_NEAR(fit.alpha, 2, 1e-9);
  EXPECT_NEAR(fit.error_max, 0, 1e-9);
}

TEST(FitService, ShowsACliffAsAnError) {
  EXPECT_GT(FitService({{1, 7}, {2, 9}, {4, 13}, {8, 60}}).error_max, 0.2);
}

TEST(FitService, NeverGoesBelowZero) {
  const ServiceFit falling = FitService({{1, 10}, {2, 9}, {4, 7}});
  EXPECT_EQ(falling.alpha, 0);
  EXPECT_GT(falling.tau, 0);
  const ServiceFit steep = FitService({{1, 1}, {2, 4}, {4, 16}});
  EXPECT_EQ(steep.tau, 0);
  EXPECT_GT(steep.alpha, 0);
}

TEST(FitService, TakesOnePointAsAlpha) {
  const ServiceFit fit = FitService({{4, 8}});
  EXPECT_EQ(fit.tau, 0);
  EXPECT_NEAR(fit.alpha, 2, 1e-9);
  EXPECT_EQ(FitService({}).alpha, 0);
}

}  // namespace
}  // namespace headrace::tune
