#include "bench/environment.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace headrace::bench {
namespace {

namespace fs = std::filesystem;

// A machine of files.
class EnvironmentTest : public ::testing::Test {
 protected:
  EnvironmentTest()
      : root_(fs::path(::testing::TempDir()) /
              ("headrace_environment_" +
               std::string(::testing::UnitTest::GetInstance()->current_test_info()->name()))) {
    fs::remove_all(root_);
  }
  ~EnvironmentTest() override { fs::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    const fs::path file = root_ / path;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << text;
  }
  std::string root() const { return root_.string(); }

 private:
  const fs::path root_;
};

TEST_F(EnvironmentTest, ReadEnvironment_TakesWhatTheKernelTells) {
  Write("proc/cpuinfo", "processor\t: 0\nmodel name\t: A Fast CPU @ 3 GHz\ncpu MHz\t\t: 2000.5\n");
  Write("proc/meminfo", "MemTotal:       16384 kB\n");
  Write("etc/os-release", "NAME=x\nPRETTY_NAME=\"Debian 12\"\n");
  Write("sys/devices/system/cpu/cpu0/cpufreq/scaling_governor", "performance\n");
  Write("sys/devices/system/cpu/intel_pstate/no_turbo", "1\n");
  Write("sys/devices/system/cpu/smt/active", "1\n");
  Write("proc/self/cgroup", "0::/a/b\n");
  Write("sys/fs/cgroup/a/b/cpu.max", "150000 100000\n");
  Write("sys/fs/cgroup/a/cpu.max", "max 100000\n");
  Write("sys/fs/cgroup/a/memory.max", "1073741824\n");
  Write("sys/fs/cgroup/a/b/memory.max", "max\n");
  const Environment environment = ReadEnvironment(false, root());
  EXPECT_EQ(environment.cpu_model, "A Fast CPU @ 3 GHz");
  EXPECT_EQ(environment.memory_byte_size, 16u << 20);
  EXPECT_EQ(environment.operating_system, "Debian 12");
  EXPECT_EQ(environment.governor, "performance");
  EXPECT_EQ(environment.turbo, false);
  EXPECT_EQ(environment.smt, true);
  EXPECT_EQ(environment.cpu_limit, 1.5);
  EXPECT_EQ(environment.memory_limit_byte_size, 1u << 30);
  EXPECT_GE(environment.cpu_count, 1);
  EXPECT_FALSE(environment.kernel.empty());
}

TEST_F(EnvironmentTest, ReadEnvironment_LeavesOutWhatIsNotThere) {
  const Environment environment = ReadEnvironment(false, root());
  EXPECT_EQ(environment.governor, "");
  EXPECT_FALSE(environment.turbo);
  EXPECT_FALSE(environment.cpu_limit);
  EXPECT_FALSE(environment.memory_limit_byte_size);
}

TEST_F(EnvironmentTest, ReadEnvironment_KnowsTheOlderControlGroups) {
  Write("proc/self/cgroup", "4:memory:/box\n1:cpu,cpuacct:/box\n");
  Write("sys/fs/cgroup/cpu/box/cpu.cfs_quota_us", "50000\n");
  Write("sys/fs/cgroup/cpu/box/cpu.cfs_period_us", "100000\n");
  Write("sys/fs/cgroup/memory/box/memory.limit_in_bytes", "4096\n");
  Write("sys/fs/cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
  const Environment environment = ReadEnvironment(false, root());
  EXPECT_EQ(environment.cpu_limit, 0.5);
  EXPECT_EQ(environment.memory_limit_byte_size, 4096u);
}

TEST_F(EnvironmentTest, Between_HasTheSharesOfWhatPassed) {
  Write("proc/stat", "cpu  100 0 100 700 100 0 0 0 0 0\n");
  Write("proc/self/cgroup", "0::/\n");
  Write("sys/fs/cgroup/cpu.stat", "usage_usec 5\nthrottled_usec 1000\n");
  Write("sys/devices/system/cpu/cpu0/thermal_throttle/core_throttle_count", "3\n");
  Write("sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "1\n");
  Write("sys/devices/system/cpu/cpufreq/x", "");
  const MachineReading before = ReadMachine(root());
  Write("proc/stat", "cpu  200 0 200 1200 200 0 0 200 0 0\n");
  Write("sys/fs/cgroup/cpu.stat", "usage_usec 9\nthrottled_usec 501000\n");
  Write("sys/devices/system/cpu/cpu1/thermal_throttle/core_throttle_count", "8\n");
  Write("proc/cpuinfo", "cpu MHz\t: 1000\ncpu MHz\t: 3000\n");
  const MachineFigures figures = Between(before, ReadMachine(root()));
  EXPECT_DOUBLE_EQ(figures.steal_share, 0.2);
  EXPECT_DOUBLE_EQ(figures.cpu_busy_share, 0.2);
  EXPECT_EQ(figures.thermal_event_count, 7u);
  EXPECT_DOUBLE_EQ(figures.quota_throttled_s, 0.5);
  EXPECT_EQ(figures.frequency_mhz, 2000);
}

}  // namespace
}  // namespace headrace::bench
