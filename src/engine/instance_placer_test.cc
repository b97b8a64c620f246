#include "engine/instance_placer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <thread>

namespace headrace::engine {
namespace {

namespace fs = std::filesystem;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// Two NUMA nodes of four cores each.
class InstancePlacerTest : public ::testing::Test {
 protected:
  InstancePlacerTest()
      : root_(fs::path(::testing::TempDir()) /
              ::testing::UnitTest::GetInstance()->current_test_info()->name()) {
    Write("sys/devices/system/node/node0/cpulist", "0-3");
    Write("sys/devices/system/node/node1/cpulist", "4-7");
  }
  ~InstancePlacerTest() override { fs::remove_all(root_); }
  void Write(const std::string& path, const std::string& text) {
    fs::create_directories((root_ / path).parent_path());
    std::ofstream(root_ / path) << text << '\n';
  }
  Topology Machine() const { return Topology::Read(root_.string(), {0, 1, 2, 3, 4, 5, 6, 7}); }
  InstancePlacer Make(HostPolicies policies = {}, bool pins = true) const {
    return InstancePlacer(Machine(), std::move(policies), pins);
  }
  static std::vector<InstancePlacement> Cpu(int count, const std::string& policy = "cpu") {
    std::vector<InstancePlacement> placements;
    for (int i = 0; i < count; ++i) {
      placements.push_back({.name = fmt::format("m_{}", i), .host_policy = policy});
    }
    return placements;
  }

  const fs::path root_;
};

TEST_F(InstancePlacerTest, InstancesGetEqualSharesOfOneNodeEach) {
  const InstancePlacer placer = Make();
  const auto leases = placer.Place(Cpu(2), 0);
  EXPECT_THAT(leases[0].binding().cpus, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(leases[0].binding().numa_node, 0);
  EXPECT_THAT(leases[1].binding().cpus, ElementsAre(4, 5, 6, 7));
  EXPECT_EQ(leases[1].binding().numa_node, 1);
  EXPECT_EQ(leases[1].binding().thread_count, 4);
  EXPECT_EQ(leases[1].binding().settings_json, R"({"cpu":{"cpu-cores":"4-7","thread-count":"4"}})");
}

TEST_F(InstancePlacerTest, OneInstanceMayUseAllCores) {
  const InstancePlacer placer = Make();
  const auto leases = placer.Place(Cpu(1), 0);
  EXPECT_THAT(leases[0].binding().cpus, IsEmpty());
  EXPECT_EQ(leases[0].binding().thread_count, 8);
  EXPECT_EQ(leases[0].binding().settings_json, R"({"cpu":{"thread-count":"8"}})");
}

TEST_F(InstancePlacerTest, ThreadsOfTheConfigurationDecideWhetherAllFit) {
  const InstancePlacer placer = Make();
  {
    const auto leases = placer.Place(Cpu(2), 3);
    EXPECT_THAT(leases[0].binding().cpus, ElementsAre(0, 1, 2));
    // Not 3, which is left of node 0, and two of node 1.
    EXPECT_THAT(leases[1].binding().cpus, ElementsAre(4, 5, 6));
  }
  const auto leases = placer.Place(Cpu(3), 3);
  EXPECT_THAT(leases[0].binding().cpus, IsEmpty());
  EXPECT_EQ(leases[0].binding().thread_count, 3);
}

TEST_F(InstancePlacerTest, MoreInstancesThanCoresAreNotBound) {
  const auto leases = Make().Place(Cpu(9), 0);
  EXPECT_THAT(leases[8].binding().cpus, IsEmpty());
  EXPECT_EQ(leases[8].binding().thread_count, 1);
}

TEST_F(InstancePlacerTest, CoresAreFreeAgainWhenTheLeaseEnds) {
  const InstancePlacer placer = Make();
  auto first = placer.Place(Cpu(2), 2);
  EXPECT_THAT(placer.Place(Cpu(2), 3)[0].binding().cpus, IsEmpty());
  EXPECT_THAT(placer.Place(Cpu(2), 2)[0].binding().cpus, ElementsAre(4, 5));
  first.clear();
  EXPECT_THAT(placer.Place(Cpu(2), 3)[0].binding().cpus, ElementsAre(0, 1, 2));
}

TEST_F(InstancePlacerTest, NothingIsBoundWhereItIsNotWantedOrTimeIsLimited) {
  EXPECT_THAT(Make({}, false).Place(Cpu(2), 0)[0].binding().cpus, IsEmpty());
  Write("proc/self/cgroup", "0::/");
  Write("sys/fs/cgroup/cpu.max", "400000 100000");
  const auto leases = Make().Place(Cpu(2), 0);
  EXPECT_THAT(leases[0].binding().cpus, IsEmpty());
  EXPECT_EQ(leases[0].binding().thread_count, 2);
}

TEST_F(InstancePlacerTest, GpuAndPassiveInstancesGetNoCoresOfTheirOwn) {
  std::vector<InstancePlacement> placements = Cpu(3);
  placements[0].kind = InstanceKind::kGpu;
  placements[1].passive = true;
  const auto leases = Make().Place(placements, 2);
  EXPECT_THAT(leases[0].binding().cpus, IsEmpty());
  EXPECT_THAT(leases[1].binding().cpus, IsEmpty());
  EXPECT_THAT(leases[2].binding().cpus, ElementsAre(0, 1));
}

TEST_F(InstancePlacerTest, APolicyIsSharedByItsInstances) {
  const InstancePlacer placer =
      Make({{"left", {.numa_node = 0}}, {"some", {.cpus = {2, 5, 6}, .numa_node = 1}}});
  const auto left = placer.Place(Cpu(2, "left"), 0);
  EXPECT_THAT(left[1].binding().cpus, ElementsAre(0, 1, 2, 3));
  EXPECT_EQ(left[1].binding().thread_count, 2);
  EXPECT_EQ(left[1].binding().settings_json,
            R"({"left":{"numa-node":"0","cpu-cores":"0-3","thread-count":"2"}})");
  const auto some = placer.Place(Cpu(1, "some"), 0);
  EXPECT_THAT(some[0].binding().cpus, ElementsAre(2, 5, 6));
  EXPECT_EQ(some[0].binding().numa_node, 1);
}

TEST_F(InstancePlacerTest, PoliciesOfWhatTheProcessDoesNotHaveAreRefused) {
  const Topology machine = Machine();
  EXPECT_TRUE(CheckHostPolicies({{"cpu", {.cpus = {0, 7}, .numa_node = 1}}}, machine).ok());
  EXPECT_THAT(CheckHostPolicies({{"cpu", {.numa_node = 2}}}, machine).message(),
              HasSubstr("--host-policy=cpu: there is no NUMA node 2 that this process may use; it "
                        "has 0, 1"));
  EXPECT_THAT(CheckHostPolicies({{"p", {.cpus = {1, 8}}}}, machine).message(),
              HasSubstr("--host-policy=p: there is no core 8 that this process may use; it has "
                        "0-7"));
}

TEST(ScopedBindingTest, BindsThreadsThatAreStartedMeanwhile) {
  const CpuList before = AvailableCpus();
  HostBinding binding;
  binding.cpus = {before.front()};
  binding.numa_node = 0;
  {
    const ScopedBinding bound(binding);
    CpuList inherited;
    std::thread([&] { inherited = AvailableCpus(); }).join();
    EXPECT_EQ(inherited, binding.cpus);
  }
  EXPECT_EQ(AvailableCpus(), before);
}

}  // namespace
}  // namespace headrace::engine
