#include "load/poller.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <functional>

namespace headrace::load {
namespace {

class Called final : public PollHandler {
 public:
  explicit Called(std::function<void()> call = [] {}) : call_(std::move(call)) {}
  void OnEvents(std::uint32_t) override {
    ++count;
    call_();
  }
  int count = 0;

 private:
  std::function<void()> call_;
};

UniqueFd ReadyDescriptor() { return UniqueFd(::eventfd(1, EFD_NONBLOCK)); }

TEST(PollerTest, Poll_DispatchesWhatIsReady) {
  auto poller = Poller::Make();
  ASSERT_TRUE(poller.ok());
  const UniqueFd fd = ReadyDescriptor();
  Called handler;
  ASSERT_TRUE(poller->Add(fd.get(), EPOLLIN, handler).ok());
  EXPECT_EQ(poller->Poll(kNever), 1);
  EXPECT_EQ(handler.count, 1);
  EXPECT_GT(poller->now(), 0);
}

TEST(PollerTest, Poll_ReturnsNotBeforeTheTime_WhenNothingHappens) {
  auto poller = Poller::Make();
  Poller::SharpenTimers();
  const Nanos until = Clock::Real().Now() + 300 * kMicrosecond;
  EXPECT_EQ(poller->Poll(until), 0);
  EXPECT_GE(poller->now(), until);
}

TEST(PollerTest, Poll_DoesNotWait_ForZeroAndForThePast) {
  auto poller = Poller::Make();
  EXPECT_EQ(poller->Poll(0), 0);
  EXPECT_EQ(poller->Poll(Clock::Real().Now() - kSecond), 0);
}

TEST(PollerTest, Remove_KeepsBackEventsOfTheSameTurn) {
  auto poller = Poller::Make();
  const UniqueFd first = ReadyDescriptor();
  const UniqueFd second = ReadyDescriptor();
  // Whichever comes first removes the other.
  Called* others[2] = {};
  Called a([&] { poller->Remove(second.get(), *others[1]); });
  Called b([&] { poller->Remove(first.get(), *others[0]); });
  others[0] = &a;
  others[1] = &b;
  ASSERT_TRUE(poller->Add(first.get(), EPOLLIN, a).ok());
  ASSERT_TRUE(poller->Add(second.get(), EPOLLIN, b).ok());
  EXPECT_EQ(poller->Poll(kNever), 1);
  EXPECT_EQ(a.count + b.count, 1);
}

TEST(PollerTest, Add_FailsForABadDescriptor) {
  auto poller = Poller::Make();
  Called handler;
  EXPECT_EQ(poller->Add(-1, EPOLLIN, handler).code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace headrace::load
