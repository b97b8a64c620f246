#include "base/snapshot.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace headrace {
namespace {

TEST(SnapshotTest, Reader_SeesTheLatestPublication) {
  Snapshot<int> snapshot(std::make_shared<int>(1));
  Snapshot<int>::Reader reader(snapshot);
  EXPECT_EQ(reader.Get(), 1);
  const int* first = &reader.Get();
  EXPECT_EQ(&reader.Get(), first);  // nothing new: the same object
  snapshot.Publish(std::make_shared<int>(2));
  EXPECT_EQ(reader.Get(), 2);
  EXPECT_EQ(*snapshot.Load(), 2);
}

TEST(SnapshotTest, OldValue_LivesAsLongAsAReaderHoldsIt) {
  auto first = std::make_shared<int>(1);
  const std::weak_ptr<int> watch = first;
  Snapshot<int> snapshot(std::move(first));
  Snapshot<int>::Reader reader(snapshot);
  reader.Get();
  snapshot.Publish(std::make_shared<int>(2));
  EXPECT_FALSE(watch.expired());
  reader.Get();
  EXPECT_TRUE(watch.expired());
}

TEST(SnapshotTest, ReadersOfOtherThreads_NeverSeeAnOlderValueAgain) {
  constexpr int kLast = 2000;
  Snapshot<int> snapshot(std::make_shared<int>(0));
  std::vector<std::thread> readers;
  for (int i = 0; i < 3; ++i) {
    readers.emplace_back([&snapshot] {
      Snapshot<int>::Reader reader(snapshot);
      for (int seen = 0; seen < kLast;) {
        const int now = reader.Get();
        ASSERT_GE(now, seen);
        seen = now;
      }
    });
  }
  for (int value = 1; value <= kLast; ++value) {
    snapshot.Publish(std::make_shared<int>(value));
  }
  for (std::thread& reader : readers) {
    reader.join();
  }
}

}  // namespace
}  // namespace headrace
