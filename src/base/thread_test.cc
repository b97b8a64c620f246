#include "base/thread.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <unistd.h>

#include <cerrno>
#include <thread>

#include "base/clock.h"
#include "base/unique_fd.h"

namespace headrace {
namespace {

TEST(ThreadTest, SetThreadName_KeepsTheFirstFifteenBytes) {
  std::thread([] {
    SetThreadName("instance resnet50/1");
    char name[32];
    ASSERT_EQ(pthread_getname_np(pthread_self(), name, sizeof(name)), 0);
    EXPECT_STREQ(name, "instance resnet");
  }).join();
}

TEST(ThreadTest, PinThread_NarrowsTheAvailableProcessors) {
  const CpuList before = AvailableCpus();
  ASSERT_FALSE(before.empty());
  std::thread([&before] {
    const CpuList one = {before.back()};
    ASSERT_TRUE(PinThread(one).ok());
    EXPECT_EQ(AvailableCpus(), one);
  }).join();
  EXPECT_EQ(AvailableCpus(), before);
}

TEST(ThreadTest, PinThread_RefusesProcessorsThatAreNotThere) {
  EXPECT_EQ(PinThread({}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(PinThread(CpuList{-1}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(PinThread(CpuList{8191}).code(), StatusCode::kInvalidArgument);
  EXPECT_EQ(PinThread(CpuList{1 << 20}).code(), StatusCode::kInvalidArgument);
}

TEST(CpuListTest, Parse_TakesNumbersAndRanges) {
  EXPECT_EQ(*ParseCpuList("0"), (CpuList{0}));
  EXPECT_EQ(*ParseCpuList("0-3,5"), (CpuList{0, 1, 2, 3, 5}));
  EXPECT_EQ(*ParseCpuList("7,2-3,0"), (CpuList{0, 2, 3, 7}));
  EXPECT_EQ(*ParseCpuList("4-4"), (CpuList{4}));
  EXPECT_EQ(ParseCpuList("0-8191")->size(), 8192u);
}

TEST(CpuListTest, Parse_RefusesEverythingElse) {
  for (const char* text : {"",
                           ",",
                           "1,",
                           ",1",
                           "1,,2",
                           "a",
                           "1-",
                           "-1",
                           "3-1",
                           "1-2-3",
                           " 1",
                           "1 ",
                           "0x1",
                           "+1",
                           "8192",
                           "0-8192",
                           "99999999999999999999",
                           "1,1",
                           "0-3,2",
                           "0-8191,0-8191"}) {
    EXPECT_EQ(ParseCpuList(text).status().code(), StatusCode::kInvalidArgument) << text;
  }
}

TEST(CpuListTest, Format_IsTheInverseOfParse) {
  EXPECT_EQ(FormatCpuList(CpuList{}), "");
  for (const char* text : {"0", "0-3,5", "1,3,5-6", "0-63"}) {
    EXPECT_EQ(FormatCpuList(*ParseCpuList(text)), text);
  }
}

bool IsOpen(int fd) { return ::fcntl(fd, F_GETFD) != -1; }

TEST(UniqueFdTest, Destruction_ClosesAndKeepsErrno) {
  int pipe_ends[2];
  ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
  {
    UniqueFd reader(pipe_ends[0]);
    const UniqueFd writer(std::exchange(pipe_ends[1], -1));
    UniqueFd moved(std::move(reader));
    EXPECT_FALSE(reader.valid());  // NOLINT: what is left behind is the point
    EXPECT_EQ(moved.get(), pipe_ends[0]);
    EXPECT_TRUE(IsOpen(pipe_ends[0]));
    errno = EPROTO;
  }
  EXPECT_EQ(errno, EPROTO);
  EXPECT_FALSE(IsOpen(pipe_ends[0]));
}

TEST(UniqueFdTest, AssignmentAndReset_CloseWhatWasOwned) {
  UniqueFd a(::dup(STDERR_FILENO));
  UniqueFd b(::dup(STDERR_FILENO));
  const int first = a.get();
  const int second = b.get();
  a = std::move(b);
  EXPECT_FALSE(IsOpen(first));
  EXPECT_EQ(a.get(), second);
  const int released = a.Release();
  EXPECT_TRUE(IsOpen(released));
  EXPECT_FALSE(a);
  a.Reset(released);
  a.Reset();
  EXPECT_FALSE(IsOpen(released));
}

TEST(ClockTest, FakeClock_MovesOnlyWhenTold) {
  FakeClock clock(5);
  EXPECT_EQ(clock.Now(), 5);
  clock.Advance(kMillisecond);
  EXPECT_EQ(clock.Now(), 5 + kMillisecond);
  clock.Set(7);
  EXPECT_EQ(clock.Now(), 7);
}

TEST(ClockTest, RealClock_NeverGoesBack) {
  const Nanos before = Clock::Real().Now();
  EXPECT_GE(Clock::Real().Now(), before);
}

}  // namespace
}  // namespace headrace
