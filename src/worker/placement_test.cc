#include "worker/placement.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace headrace::worker {
namespace {

namespace fs = std::filesystem;
using ::testing::IsSupersetOf;
using ::testing::Pair;
using Variables = std::map<std::string, std::string>;

// Four cores with two threads each: 0-3 are the first threads, 4-7 the second ones.
class PlacementTest : public ::testing::Test {
 protected:
  PlacementTest() : root_(fs::temp_directory_path() / fmt::format("placement_{}", getpid())) {
    for (int cpu = 0; cpu < 8; ++cpu) {
      Write(fmt::format("sys/devices/system/cpu/cpu{}/topology/thread_siblings_list", cpu),
            fmt::format("{},{}", cpu % 4, cpu % 4 + 4));
    }
  }
  ~PlacementTest() override { fs::remove_all(root_); }
  void Write(const std::string& name, const std::string& text) {
    fs::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text << '\n';
  }
  Topology Machine() const { return Topology::Read(root_.string(), {0, 1, 2, 3, 4, 5, 6, 7}); }

  const fs::path root_;
};

TEST_F(PlacementTest, WorkersShareThePhysicalCores) {
  const auto threads = [&](int workers) {
    return PlaceWorker({.worker_count = workers}, Machine(), {}).thread_count;
  };
  EXPECT_EQ(threads(1), 4);
  EXPECT_EQ(threads(2), 2);
  EXPECT_EQ(threads(3), 1);
  EXPECT_EQ(threads(100), 1);
  EXPECT_EQ(threads(0), 4);
}

TEST_F(PlacementTest, AWorkerWithCoresOfItsOwnUsesThoseCores) {
  const Placement placement = PlaceWorker({.cpus = {0, 1, 4, 5}, .worker_count = 2}, Machine(), {});
  EXPECT_EQ(placement.thread_count, 2);
  EXPECT_EQ(placement.cpus, (CpuList{0, 1, 4, 5}));
  EXPECT_THAT(placement.environment,
              IsSupersetOf({Pair("OMP_NUM_THREADS", "2"), Pair("MKL_NUM_THREADS", "2")}));
  EXPECT_EQ(placement.environment.count("CUDA_VISIBLE_DEVICES"), 0U);
}

TEST_F(PlacementTest, AControlGroupWithLessTimeCounts) {
  Write("proc/self/cgroup", "0::/");
  Write("sys/fs/cgroup/cpu.max", "200000 100000");
  EXPECT_EQ(PlaceWorker({.worker_count = 1}, Machine(), {}).thread_count, 2);
}

TEST_F(PlacementTest, WhatIsSetStays) {
  const Variables inherited = {{"OMP_NUM_THREADS", "7"}};
  EXPECT_EQ(PlaceWorker({}, Machine(), inherited).environment.count("OMP_NUM_THREADS"), 0U);
  const Placement asked = PlaceWorker({.thread_count = 3}, Machine(), inherited);
  EXPECT_EQ(asked.thread_count, 3);
  EXPECT_EQ(asked.environment.at("OMP_NUM_THREADS"), "3");
}

TEST_F(PlacementTest, CanSeeOneGpuOnly) {
  const auto visible = [&](int device, const Variables& inherited) {
    return PlaceWorker({.only_gpu = device}, Machine(), inherited)
        .environment.at("CUDA_VISIBLE_DEVICES");
  };
  EXPECT_EQ(visible(1, {}), "1");
  EXPECT_EQ(visible(1, {{"CUDA_VISIBLE_DEVICES", "2,5,7"}}), "5");
  EXPECT_EQ(visible(0, {{"CUDA_VISIBLE_DEVICES", "GPU-8f"}}), "GPU-8f");
  EXPECT_EQ(visible(1, {{"CUDA_VISIBLE_DEVICES", "3"}}), "");  // there is no such GPU
}

TEST(NextGpu, GoesRound) {
  EXPECT_EQ(NextGpu(0, 2), 0);
  EXPECT_EQ(NextGpu(1, 2), 1);
  EXPECT_EQ(NextGpu(2, 2), 0);
  EXPECT_EQ(NextGpu(5, 0), -1);
}

}  // namespace
}  // namespace headrace::worker
