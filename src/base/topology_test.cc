#include "base/topology.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

namespace headrace {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

class TopologyTest : public ::testing::Test {
 protected:
  TopologyTest()
      : root_(fs::path(::testing::TempDir()) /
              ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    fs::remove_all(root_);
    fs::create_directories(root_);
  }
  ~TopologyTest() override { fs::remove_all(root_); }

  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text << '\n';
  }
  // Two nodes of two cores with two threads each, numbered as machines do: 0-3 first threads.
  void WriteMachine() {
    Write("sys/devices/system/node/node0/cpulist", "0-1,4-5");
    Write("sys/devices/system/node/node1/cpulist", "2-3,6-7");
    for (int cpu = 0; cpu < 8; ++cpu) {
      Write(fmt::format("sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", cpu),
            fmt::format("{},{}", cpu % 4, cpu % 4 + 4));
    }
  }
  Topology Read(CpuList available) const { return Topology::Read(root_.string(), available); }

  const fs::path root_;
};

TEST_F(TopologyTest, ReadsNodesAndCores) {
  WriteMachine();
  const Topology topology = Read({0, 1, 2, 3, 4, 5, 6, 7});
  EXPECT_THAT(topology.nodes(), ElementsAre(0, 1));
  EXPECT_THAT(topology.CpusOfNode(1), ElementsAre(2, 3, 6, 7));
  EXPECT_THAT(topology.CpusOfNode(2), IsEmpty());
  EXPECT_THAT(topology.cpus_by_distance(), ElementsAre(0, 1, 4, 5, 2, 3, 6, 7));
  EXPECT_EQ(topology.NodeOf(CpuList{2, 7}), 1);
  EXPECT_EQ(topology.NodeOf(CpuList{1, 2}), -1);
  EXPECT_EQ(topology.core_count(), 8);
  EXPECT_EQ(topology.PhysicalCoreCount(), 4);
  EXPECT_EQ(topology.PhysicalCoreCount(CpuList{0, 4, 5}), 2);
  EXPECT_FALSE(topology.is_limited());
}

TEST_F(TopologyTest, KnowsOnlyWhatTheProcessMayUse) {
  WriteMachine();
  const Topology topology = Read({6, 7});
  EXPECT_THAT(topology.nodes(), ElementsAre(1));
  EXPECT_THAT(topology.CpusOfNode(1), ElementsAre(6, 7));
  EXPECT_EQ(topology.core_count(), 2);
}

TEST_F(TopologyTest, WithoutAnythingToReadIsOneNode) {
  const Topology topology = Read({1, 3});
  EXPECT_THAT(topology.nodes(), ElementsAre(0));
  EXPECT_THAT(topology.cpus_by_distance(), ElementsAre(1, 3));
  EXPECT_EQ(topology.core_count(), 2);
}

TEST_F(TopologyTest, TakesTheLeastThatAControlGroupAllows) {
  Write("proc/self/cgroup", "0::/a/b");
  Write("sys/fs/cgroup/a/cpu.max", "150000 100000");
  Write("sys/fs/cgroup/a/b/cpu.max", "max 100000");
  EXPECT_EQ(Read({0, 1, 2, 3}).core_count(), 2);
  EXPECT_TRUE(Read({0, 1, 2, 3}).is_limited());
  EXPECT_EQ(Read({0}).core_count(), 1);
  Write("sys/fs/cgroup/a/b/cpu.max", "1000 100000");
  EXPECT_EQ(Read({0, 1, 2, 3}).core_count(), 1);
}

TEST_F(TopologyTest, ReadsControlGroupsOfTheFirstGeneration) {
  Write("proc/self/cgroup", "5:memory:/x\n4:cpuacct,cpu:/c\n0::/");
  Write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "300000");
  Write("sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000");
  EXPECT_EQ(Read({0, 1, 2, 3}).core_count(), 3);
  Write("sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1");
  EXPECT_EQ(Read({0, 1, 2, 3}).core_count(), 4);
}

TEST_F(TopologyTest, ThisMachineHasWhatTheProcessMayUse) {
  const Topology topology = Topology::Read();
  EXPECT_EQ(topology.cpus(), AvailableCpus());
  EXPECT_GE(topology.core_count(), 1);
  EXPECT_FALSE(topology.nodes().empty());
}

}  // namespace
}  // namespace headrace
