#include "base/mpsc_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace headrace {
namespace {

struct Message : MpscNode<> {
  Message(int from, int n) : producer(from), number(n) {}
  int producer;
  int number;
};

TEST(MpscQueueTest, Push_SaysOnceThatTheQueueWasEmpty) {
  Message a(0, 1), b(0, 2), c(0, 3);
  MpscQueue<Message> queue;
  EXPECT_TRUE(queue.empty());
  EXPECT_TRUE(queue.Push(a));
  EXPECT_FALSE(queue.Push(b));
  EXPECT_FALSE(queue.empty());
  auto batch = queue.PopAll();
  EXPECT_TRUE(queue.Push(c));
  EXPECT_EQ(batch.PopFront(), &a);
  EXPECT_EQ(batch.PopFront(), &b);
  EXPECT_EQ(batch.PopFront(), nullptr);
  EXPECT_EQ(queue.PopAll().PopFront(), &c);
  EXPECT_TRUE(queue.PopAll().empty());
}

TEST(MpscQueueTest, PoppedElement_CanBePushedAgainWhileItsBatchGoesOn) {
  Message a(0, 1), b(0, 2);
  MpscQueue<Message> queue;
  queue.Push(a);
  queue.Push(b);
  auto batch = queue.PopAll();
  ASSERT_EQ(batch.PopFront(), &a);
  EXPECT_TRUE(queue.Push(a));
  EXPECT_EQ(batch.PopFront(), &b);
  EXPECT_EQ(batch.PopFront(), nullptr);
  EXPECT_EQ(queue.PopAll().PopFront(), &a);
}

// The consumer sleeps on `wake_ups` as an event loop does on its descriptor, so that a lost wake-up
// hangs the test.
TEST(MpscQueueTest, ManyProducers_LoseNothingKeepTheirOrderAndWakeTheConsumer) {
  constexpr int kProducers = 4;
  constexpr int kMessages = 5000;
  MpscQueue<Message> queue;
  std::atomic<int> wake_ups{0};
  std::vector<std::thread> producers;
  for (int producer = 0; producer < kProducers; ++producer) {
    producers.emplace_back([&, producer] {
      for (int n = 0; n < kMessages; ++n) {
        if (queue.Push(*new Message(producer, n))) {
          wake_ups.fetch_add(1);
          wake_ups.notify_one();
        }
      }
    });
  }
  std::vector<int> next(kProducers, 0);
  int received = 0;
  for (int seen = 0; received < kProducers * kMessages;) {
    wake_ups.wait(seen);
    seen = wake_ups.load();
    auto batch = queue.PopAll();
    while (const auto message = std::unique_ptr<Message>(batch.PopFront())) {
      EXPECT_EQ(message->number, next[message->producer]++);
      ++received;
    }
  }
  for (std::thread& producer : producers) {
    producer.join();
  }
  EXPECT_LE(wake_ups.load(), received);
  EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace headrace
