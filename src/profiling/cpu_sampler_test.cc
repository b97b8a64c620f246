#include "profiling/cpu_sampler.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <ctime>

namespace headrace::profiling {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// On this thread, of processor time.
void Compute(Nanos time) {
  const auto used = [] {
    timespec now{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * kSecond + now.tv_nsec;
  };
  const Nanos until = used() + time;
  while (used() < until) {
  }
}

TEST(CpuSamplerTest, SamplesThisThread_OrSaysWhatWouldAllowIt) {
  CpuSampler sampler(kSecond, 2);
  sampler.Look();
  Compute(50 * kMillisecond);
  sampler.Look();
  const CpuSamples taken = sampler.Take();
  if (!taken.note.empty()) {
    EXPECT_THAT(taken.note, HasSubstr("What allows it"));
    EXPECT_THAT(taken.samples, IsEmpty());
    return;
  }
  const std::int64_t self = syscall(SYS_gettid);
  std::size_t own = 0;
  Nanos last = 0;
  for (const CpuSample& sample : taken.samples) {
    if (sample.thread == self) {
      ++own;
      EXPECT_GE(sample.at, last);
      last = sample.at;
    }
  }
  EXPECT_GE(own, 10u);  // 50 are due
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  EXPECT_LT(now.tv_sec * kSecond + now.tv_nsec - last, kSecond);
  EXPECT_TRUE(taken.thread_names.contains(self));
}

TEST(CpuSamplerTest, TriesWithoutTheKernel_BeforeItGivesUp) {
  std::vector<bool> asked;
  CpuSampler sampler(kSecond, 2, [&](const CpuSampler::Wanted& wanted) {
    asked.push_back(wanted.with_kernel);
    return -EACCES;
  });
  sampler.Look();
  sampler.Look();
  EXPECT_THAT(asked, ::testing::ElementsAre(true, false));  // and once is enough
  const CpuSamples taken = sampler.Take();
  EXPECT_THAT(taken.note, AllOf(HasSubstr("perf_event_paranoid=2"), HasSubstr("CAP_PERFMON")));
  EXPECT_THAT(taken.samples, IsEmpty());
  EXPECT_THAT(taken.thread_names, IsEmpty());
}

TEST(CpuSamplerTest, PassesOverThreadsThatHaveEnded) {
  CpuSampler sampler(kSecond, 2, [](const CpuSampler::Wanted&) { return -ESRCH; });
  sampler.Look();
  EXPECT_EQ(sampler.Take().note, "");
}

TEST(CpuSamplerTest, SaysWhyABufferCannotBeMapped) {
  CpuSampler sampler(kSecond, 2, [](const CpuSampler::Wanted&) { return dup(STDERR_FILENO); });
  sampler.Look();
  EXPECT_THAT(sampler.Take().note, HasSubstr("mmap"));
}

TEST(CpuSamplerTest, Period_KeepsTheNumberOfSamplesBounded) {
  const auto period = [](Nanos duration, int cores) {
    Nanos asked = 0;
    CpuSampler sampler(duration, cores, [&](const CpuSampler::Wanted& wanted) {
      asked = wanted.period;
      return -EPERM;
    });
    sampler.Look();
    return asked;
  };
  EXPECT_EQ(period(5 * kSecond, 2), CpuSampler::kPeriodMin);
  EXPECT_GE(period(600 * kSecond, 64) * static_cast<Nanos>(CpuSampler::kSampleCountMax),
            600 * kSecond * 64);
}

TEST(PerfRefusalTest, NamesTheRemedy_OfEachFailure) {
  EXPECT_THAT(PerfRefusal("perf_event_open", EPERM, "4"),
              AllOf(HasSubstr("perf_event_paranoid is 4"), HasSubstr("seccomp")));
  EXPECT_THAT(PerfRefusal("perf_event_open", ENOSYS, ""), HasSubstr("CONFIG_PERF_EVENTS"));
  EXPECT_THAT(PerfRefusal("perf_event_open", EMFILE, "2"), HasSubstr("ulimit -n"));
  EXPECT_THAT(PerfRefusal("mmap", EPERM, "2"), HasSubstr("perf_event_mlock_kb"));
  EXPECT_THAT(PerfRefusal("perf_event_open", EBUSY, "2"), HasSubstr("busy"));
}

}  // namespace
}  // namespace headrace::profiling
