#include "engine/resource_pool.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

InstancePlacement Placement(std::vector<ResourceNeed> resources, std::uint32_t priority = 1) {
  InstancePlacement placement;
  placement.resources = std::move(resources);
  placement.rate_priority = priority;
  return placement;
}

InstancePlacement OnGpu(int gpu, std::vector<ResourceNeed> resources) {
  InstancePlacement placement = Placement(std::move(resources));
  placement.kind = InstanceKind::kGpu;
  placement.device_id = gpu;
  return placement;
}

const ResourceNeed kGlobalR{.name = "R", .global = true, .count = 1};
const ResourceNeed kDeviceR{.name = "R", .global = false, .count = 1};

TEST(ResourcePoolTest, AnAutomaticLimit_IsWhatTheNeediestWants) {
  ResourcePool pool({});
  const auto small = pool.Add(Placement({{"R", true, 1}})).value();
  const auto large = pool.Add(Placement({{"R", true, 2}})).value();
  pool.Request(large);
  pool.Request(small);
  EXPECT_THAT(pool.Grant(), ElementsAre(large));
  pool.Release(large);
  EXPECT_THAT(pool.Grant(), ElementsAre(small));
}

TEST(ResourcePoolTest, AConfiguredLimit_LetsThatManyRun) {
  ResourcePool pool({{.name = "R", .count = 2, .device = {}}});
  std::vector<ResourcePool::Id> ids;
  for (int i = 0; i < 3; ++i) {
    ids.push_back(pool.Add(Placement({kGlobalR})).value());
    pool.Request(ids.back());
  }
  EXPECT_THAT(pool.Grant(), ElementsAre(ids[0], ids[1]));
  EXPECT_EQ(pool.waiting_count(), 1u);
  pool.Release(ids[0]);
  EXPECT_THAT(pool.Grant(), ElementsAre(ids[2]));
}

TEST(ResourcePoolTest, DevicesHaveResourcesOfTheirOwn) {
  ResourcePool pool(
      {{.name = "R", .count = 1, .device = {}}, {.name = "R", .count = 2, .device = 1}});
  const auto cpu = pool.Add(Placement({kDeviceR})).value();
  const auto gpu = pool.Add(OnGpu(0, {kDeviceR})).value();
  const auto two = pool.Add(OnGpu(1, {{"R", false, 2}})).value();
  for (const auto id : {cpu, gpu, two}) {
    pool.Request(id);
  }
  EXPECT_THAT(pool.Grant(), ElementsAre(cpu, gpu, two));
  const auto figures = pool.figures();
  ASSERT_EQ(figures.size(), 3u);
  EXPECT_EQ(figures[0].device, "cpu");
  EXPECT_EQ(figures[2].device, "1");
  EXPECT_EQ(figures[2].limit, 2u);
  EXPECT_EQ(figures[2].in_use, 2u);
}

TEST(ResourcePoolTest, RefusesWhatCouldNeverRun) {
  ResourcePool pool({{.name = "R", .count = 1, .device = {}}});
  EXPECT_EQ(pool.Add(Placement({{"R", true, 3}})).status().message(),
            "Resource count for \"R\" is limited to 1 which will prevent scheduling of one or more "
            "model instances, the minimum required count is 3");
  ASSERT_TRUE(pool.Add(Placement({kGlobalR})).ok());
  EXPECT_EQ(pool.Add(Placement({kDeviceR})).status().message(),
            "Resource \"R\" is present as both global and device-specific resource in the model "
            "configuration.");
}

// Runs both for as long as they want to; how often `first` ran of 300 times.
int RunsOf(ResourcePool& pool, ResourcePool::Id first, ResourcePool::Id second) {
  int runs = 0;
  pool.Request(first);
  pool.Request(second);
  for (int i = 0; i < 300; ++i) {
    const auto granted = pool.Grant();
    EXPECT_EQ(granted.size(), 1u);
    runs += granted[0] == first ? 1 : 0;
    pool.Release(granted[0]);
    pool.Request(granted[0]);
  }
  return runs;
}

TEST(ResourcePoolTest, PriorityOne_RunsTwiceAsOftenAsTwo) {
  ResourcePool pool({});
  const auto first = pool.Add(Placement({kGlobalR}, 1)).value();
  const auto second = pool.Add(Placement({kGlobalR}, 2)).value();
  EXPECT_EQ(RunsOf(pool, first, second), 200);
}

TEST(ResourcePoolTest, WhoComesLate_HasNotSavedTurnsUp) {
  ResourcePool pool({});
  const auto first = pool.Add(Placement({kGlobalR})).value();
  const auto second = pool.Add(Placement({kGlobalR})).value();
  for (int i = 0; i < 1000; ++i) {
    pool.Request(first);
    ASSERT_THAT(pool.Grant(), ElementsAre(first));
    pool.Release(first);
  }
  EXPECT_NEAR(RunsOf(pool, first, second), 150, 1);
}

TEST(ResourcePoolTest, ALargeNeed_IsNotStarvedBySmallOnes_AndOthersPass) {
  ResourcePool pool({{.name = "R", .count = 2, .device = {}}});
  const auto small = pool.Add(Placement({kGlobalR})).value();
  const auto large = pool.Add(Placement({{"R", true, 2}})).value();
  const auto other = pool.Add(Placement({kGlobalR})).value();
  const auto elsewhere = pool.Add(Placement({{"S", true, 1}})).value();
  pool.Request(small);
  EXPECT_THAT(pool.Grant(), ElementsAre(small));
  pool.Request(large);
  pool.Request(other);
  pool.Request(elsewhere);
  EXPECT_THAT(pool.Grant(), ElementsAre(elsewhere)) << "there is one R, but large is before other";
  pool.Release(small);
  EXPECT_THAT(pool.Grant(), ElementsAre(large));
  pool.Release(large);
  EXPECT_THAT(pool.Grant(), ElementsAre(other));
}

TEST(ResourcePoolTest, AnExpectedOne_IsWaitedFor_UntilItIsForgotten) {
  ResourcePool pool({});
  const auto first = pool.Add(Placement({kGlobalR}, 1)).value();
  const auto second = pool.Add(Placement({kGlobalR}, 2)).value();
  for (int i = 0; i < 2; ++i) {  // second has run once, first is before it
    const auto id = i == 0 ? second : first;
    pool.Request(id);
    ASSERT_THAT(pool.Grant(), ElementsAre(id));
    pool.Release(id);
  }
  pool.Request(second);
  pool.Expect(first);
  EXPECT_EQ(pool.waiting_count(), 1u);
  EXPECT_THAT(pool.Grant(), IsEmpty());
  pool.Request(first);
  EXPECT_THAT(pool.Grant(), ElementsAre(first));
  pool.Release(first);
  pool.Expect(first);
  pool.Forget(first);
  EXPECT_THAT(pool.Grant(), ElementsAre(second));
}

TEST(ResourcePoolTest, AnAutomaticLimit_SinksWithTheModelThatWantedIt) {
  ResourcePool pool({});
  const auto small = pool.Add(Placement({kGlobalR})).value();
  const auto large = pool.Add(Placement({{"R", true, 2}})).value();
  const auto other = pool.Add(Placement({kGlobalR})).value();
  pool.Request(small);
  pool.Request(other);
  EXPECT_THAT(pool.Grant(), ElementsAre(small, other));
  pool.Remove(large);
  pool.Release(small);
  pool.Request(small);
  EXPECT_THAT(pool.Grant(), IsEmpty());
  pool.Release(other);
  EXPECT_THAT(pool.Grant(), ElementsAre(small));
}

}  // namespace
}  // namespace headrace::engine
