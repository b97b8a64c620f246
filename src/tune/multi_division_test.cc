#include "tune/multi_division.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::tune {
namespace {

using testing::IsEmpty;
using testing::Le;

DivisionChoice Choice(int instances, double capacity, double core_seconds = 0.01) {
  return {.configuration = {.shape = {.instances = instances, .threads = 1}},
          .capacity = capacity,
          .core_seconds = core_seconds};
}

// 100/s for each instance, until the SLA can no longer be met.
DividedModel Linear(double share, double each = 100) {
  DividedModel model{.share = share};
  for (int k = 1; k <= 4; ++k) {
    model.choices.push_back(Choice(k, k * each, 1 / each));
  }
  return model;
}

double Never(std::size_t, const Configuration&, double) { return 0; }

std::vector<int> Instances(const Division& division) {
  std::vector<int> counts;
  for (const Configuration& configuration : division.configurations) {
    counts.push_back(configuration.shape.instances);
  }
  return counts;
}

TEST(DivideCores, GivesCoresByShare) {
  const auto divisions = DivideCores({Linear(3), Linear(1)}, 4, Never, 3);
  ASSERT_FALSE(divisions.empty());
  EXPECT_EQ(Instances(divisions[0]), (std::vector{3, 1}));
  EXPECT_NEAR(divisions[0].rate, 400, 1e-6);
  EXPECT_EQ(divisions[0].cores, 4);
}

TEST(DivideCores, GivesTheSlowModelMore_WhenSharesAreEqual) {
  const auto divisions = DivideCores({Linear(1, 300), Linear(1, 100)}, 4, Never, 3);
  ASSERT_FALSE(divisions.empty());
  EXPECT_EQ(Instances(divisions[0]), (std::vector{1, 3}));
  EXPECT_NEAR(divisions[0].rate, 600, 1e-6);
}

TEST(DivideCores, SharesThem_WhenThereAreMoreModelsThanCores) {
  // A stretched execution serves so much less.
  const auto stretched = [](std::size_t, const Configuration&, double factor) {
    return 100 / factor;
  };
  const std::vector<DividedModel> models = {Linear(1), Linear(1), Linear(1)};
  const auto divisions = DivideCores(models, 2, stretched, 3);
  ASSERT_FALSE(divisions.empty());
  EXPECT_GT(divisions[0].cores, 2);
  EXPECT_THAT(divisions[0].rate, Le(0.9 * 2 / 0.01 + 1e-6));
  EXPECT_GT(divisions[0].rate, 100);
}

TEST(DivideCores, IsEmpty_WhenAModelHasNoChoice) {
  EXPECT_THAT(DivideCores({Linear(1), {.share = 1}}, 4, Never, 3), IsEmpty());
}

TEST(DivideCores, RanksFromTheBest_WithoutRepeating) {
  const auto divisions = DivideCores({Linear(1), Linear(1)}, 4, Never, 10);
  ASSERT_GE(divisions.size(), 2u);
  for (std::size_t i = 1; i < divisions.size(); ++i) {
    EXPECT_LE(divisions[i].rate, divisions[i - 1].rate);
    EXPECT_NE(divisions[i].configurations, divisions[i - 1].configurations);
  }
}

}  // namespace
}  // namespace headrace::tune
