#include "profiling/operator_nesting.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::profiling {
namespace {

using ::testing::ElementsAre;

OperatorEvent EventOf(std::int64_t thread, Nanos start, Nanos duration) {
  return {.name = "op", .start = start, .duration = duration, .thread = thread};
}

TEST(OperatorNestingTest, Parents_AreOfTheSameThread_AndHaveNotEnded) {
  const std::vector<OperatorEvent> events = {EventOf(1, 0, 100), EventOf(1, 10, 50),
                                             EventOf(1, 20, 10), EventOf(1, 60, 40),
                                             EventOf(1, 100, 5), EventOf(2, 20, 10)};
  const std::vector<std::size_t> parents = ParentsOf(events);
  EXPECT_THAT(parents, ElementsAre(kNoOperator, 0, 1, 0, kNoOperator, kNoOperator));
  EXPECT_THAT(SelfTimesOf(events, parents), ElementsAre(10, 40, 10, 40, 5, 10));
}

TEST(OperatorNestingTest, AllocatedBytes_AreOfTheInnermostOperator) {
  OperatorRecord record;
  record.events = {EventOf(1, 0, 100), EventOf(1, 10, 20), EventOf(2, 0, 100)};
  record.events[2].byte_size = 7;
  record.memory = {
      {.at = 5, .thread = 1, .byte_size = 100},    {.at = 15, .thread = 1, .byte_size = 30},
      {.at = 16, .thread = 1, .byte_size = -30},   {.at = 50, .thread = 1, .byte_size = 1},
      {.at = 200, .thread = 1, .byte_size = 1000}, {.at = 15, .thread = 3, .byte_size = 1000}};
  EXPECT_THAT(AllocatedBytesOf(record, ParentsOf(record.events)), ElementsAre(101, 30, 7));
}

TEST(OperatorNestingTest, Innermost_IsOfTheThread_AndHasNotEnded) {
  std::vector<OperatorEvent> events = {EventOf(1, 0, 100), EventOf(1, 10, 20), EventOf(2, 50, 10),
                                       EventOf(1, 0, 1000)};
  events[3].on_device = true;
  const std::vector<std::size_t> parents = ParentsOf(events);
  EXPECT_EQ(InnermostAt(events, parents, 1, 15), 1u);
  EXPECT_EQ(InnermostAt(events, parents, 1, 40), 0u);
  EXPECT_EQ(InnermostAt(events, parents, 1, 101), kNoOperator);
  EXPECT_EQ(InnermostAt(events, parents, 2, 40), kNoOperator);
  EXPECT_EQ(InnermostAt(events, parents, 3, 40), kNoOperator);
  EXPECT_EQ(InnermostAt({}, {}, 1, 40), kNoOperator);
}

TEST(OperatorNestingTest, AllocatedBytes_OfNothing) {
  OperatorRecord record;
  record.memory = {{.at = 5, .thread = 1, .byte_size = 100}};
  EXPECT_THAT(AllocatedBytesOf(record, {}), ElementsAre());
}

}  // namespace
}  // namespace headrace::profiling
