#include "base/intrusive_list.h"

#include <gtest/gtest.h>

#include <vector>

namespace headrace {
namespace {

struct ByAge;
struct ByName;

struct Item : ListNode<ByAge>, ListNode<ByName> {
  explicit Item(int n) : number(n) {}
  int number;
};

using AgeList = IntrusiveList<Item, ByAge>;

std::vector<int> Numbers(AgeList& list) {
  std::vector<int> numbers;
  for (Item* item = list.First(); item != nullptr; item = list.Next(*item)) {
    numbers.push_back(item->number);
  }
  return numbers;
}

TEST(IntrusiveListTest, Push_KeepsOrderAtBothEnds) {
  Item a(1), b(2), c(3);
  AgeList list;
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.First(), nullptr);
  list.PushBack(b);
  list.PushBack(c);
  list.PushFront(a);
  EXPECT_EQ(Numbers(list), (std::vector{1, 2, 3}));
  EXPECT_EQ(list.size(), 3u);
  EXPECT_EQ(list.front().number, 1);
  EXPECT_EQ(list.back().number, 3);
}

TEST(IntrusiveListTest, Remove_TakesAnyElementAndLetsItBePushedAgain) {
  Item a(1), b(2), c(3);
  AgeList list;
  for (Item* item : {&a, &b, &c}) {
    list.PushBack(*item);
  }
  list.Remove(b);
  EXPECT_EQ(Numbers(list), (std::vector{1, 3}));
  list.PushBack(b);
  EXPECT_EQ(Numbers(list), (std::vector{1, 3, 2}));
  EXPECT_EQ(list.PopFront().number, 1);
  EXPECT_EQ(list.PopFront().number, 3);
  EXPECT_EQ(list.PopFront().number, 2);
  EXPECT_TRUE(list.empty());
  EXPECT_EQ(list.size(), 0u);
}

TEST(IntrusiveListTest, Element_CanBeInOneListPerTag) {
  Item a(1), b(2);
  AgeList by_age;
  IntrusiveList<Item, ByName> by_name;
  by_age.PushBack(a);
  by_age.PushBack(b);
  by_name.PushFront(a);
  by_name.PushFront(b);
  by_age.Remove(a);
  EXPECT_EQ(Numbers(by_age), std::vector{2});
  EXPECT_EQ(by_name.front().number, 2);
  EXPECT_EQ(by_name.size(), 2u);
}

TEST(IntrusiveListDeathTest, MisuseOfLinks_Dies) {
  Item a(1);
  AgeList list;
  EXPECT_DEATH(list.Remove(a), "check failed");
  list.PushBack(a);
  EXPECT_DEATH(list.PushBack(a), "check failed");
}

}  // namespace
}  // namespace headrace
