#include "base/gate.h"

#include <gtest/gtest.h>

#include <memory>
#include <thread>
#include <vector>

namespace headrace {
namespace {

TEST(GateTest, OpenGate_CountsWhatIsInside) {
  Gate gate;
  EXPECT_TRUE(gate.TryEnter());
  EXPECT_TRUE(gate.TryEnter());
  EXPECT_EQ(gate.inside(), 2);
  gate.Leave();
  EXPECT_EQ(gate.inside(), 1);
  EXPECT_FALSE(gate.closed());
  gate.Leave();
}

TEST(GateTest, ClosedGate_RefusesAndIsEmptyWhenTheLastLeaves) {
  Gate gate;
  ASSERT_TRUE(gate.TryEnter());
  gate.Close();
  gate.Close();
  EXPECT_TRUE(gate.closed());
  EXPECT_FALSE(gate.TryEnter());
  EXPECT_EQ(gate.inside(), 1);
  EXPECT_FALSE(gate.WaitUntilEmpty(0));
  gate.Leave();
  EXPECT_TRUE(gate.WaitUntilEmpty(0));
}

TEST(GateTest, WaitUntilEmpty_ReturnsWhenAnotherThreadLeaves) {
  Gate gate;
  ASSERT_TRUE(gate.TryEnter());
  gate.Close();
  std::thread leaver([&gate] { gate.Leave(); });
  EXPECT_TRUE(gate.WaitUntilEmpty(60 * kSecond));
  leaver.join();
}

TEST(GateTest, ManyThreads_NobodyIsInsideOnceTheDrainerHasWaited) {
  constexpr int kThreads = 4;
  for (int round = 0; round < 50; ++round) {
    Gate gate;
    std::atomic<int> working{0};
    std::atomic<bool> drained{false};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        while (gate.TryEnter()) {
          working.fetch_add(1);
          EXPECT_FALSE(drained.load());
          working.fetch_sub(1);
          gate.Leave();
        }
      });
    }
    gate.Close();
    EXPECT_TRUE(gate.WaitUntilEmpty(60 * kSecond));
    EXPECT_EQ(working.load(), 0);
    drained.store(true);
    for (std::thread& thread : threads) {
      thread.join();
    }
    EXPECT_EQ(gate.inside(), 0);
  }
}

TEST(GateTest, DrainedGate_CanBeDestroyedWhileItsLastVisitorReturns) {
  for (int round = 0; round < 500; ++round) {
    auto gate = std::make_unique<Gate>();
    ASSERT_TRUE(gate->TryEnter());
    std::atomic<bool> running{false};
    std::thread visitor([inside = gate.get(), &running] {
      running.store(true);
      while (!inside->closed()) {
      }
      inside->Leave();
    });
    while (!running.load()) {
    }
    gate->Close();
    EXPECT_TRUE(gate->WaitUntilEmpty(60 * kSecond));
    gate.reset();
    visitor.join();
  }
}

TEST(GateDeathTest, LeaveWithoutEnter_Dies) {
  Gate gate;
  EXPECT_DEATH(gate.Leave(), "check failed");
}

}  // namespace
}  // namespace headrace
