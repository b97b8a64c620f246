#include "net/timeout_list.h"

#include <gtest/gtest.h>

namespace headrace::net {
namespace {

TEST(TimeoutListTest, PopExpired_GivesEntriesInTheOrderOfTheirDeadlines) {
  int first_owner = 1;
  int second_owner = 2;
  TimeoutEntry first(&first_owner);
  TimeoutEntry second(&second_owner);
  TimeoutList list(10);
  list.Arm(first, 0);
  list.Arm(second, 1);
  list.Arm(first, 2);  // starts again
  EXPECT_EQ(list.NextDeadline(), 11);
  EXPECT_EQ(list.PopExpired(10), nullptr);
  EXPECT_EQ(list.PopExpired(12)->Owner<int>(), 2);
  EXPECT_EQ(list.PopExpired(12)->Owner<int>(), 1);
  EXPECT_EQ(list.PopExpired(100), nullptr);
  EXPECT_EQ(list.NextDeadline(), kNever);
}

TEST(TimeoutListTest, Arm_TakesTheEntryOutOfItsOtherList) {
  TimeoutEntry entry(nullptr);
  TimeoutList one(10);
  TimeoutList other(20);
  one.Arm(entry, 0);
  other.Arm(entry, 0);
  EXPECT_EQ(one.NextDeadline(), kNever);
  EXPECT_EQ(other.NextDeadline(), 20);
  entry.Disarm();
  EXPECT_EQ(other.NextDeadline(), kNever);
}

TEST(TimeoutListTest, Arm_DoesNothing_ForADurationOfNever) {
  TimeoutEntry entry(nullptr);
  TimeoutList list(kNever);
  list.Arm(entry, 5);
  EXPECT_EQ(list.NextDeadline(), kNever);
}

}  // namespace
}  // namespace headrace::net
