#include "repository/online_scaling.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <future>
#include <string>

#include "repository/testing/manager_fixture.h"

namespace headrace::repository {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

constexpr char kOnline[] = R"( instance_group { count: 1 }
  parameters { key: "online_sla" value { string_value: "p99=100ms" } }
  parameters { key: "online_instances_max" value { string_value: "3" } } )";

class OnlineScalingTest : public ModelManagerTest {
 protected:
  Status Resize(const scaling::ScalableVersion& version, std::int64_t count) {
    OnlineScaling target(*manager_);
    std::promise<Status> result;
    target.Resize(version, count, "by a test", [&](const Status& s) { result.set_value(s); });
    return result.get_future().get();
  }
};

TEST_F(OnlineScalingTest, GivesAModelInstances_UntilALoadSaysOtherwise) {
  files_.Model("a", std::string(kConfig) + kOnline);
  files_.Model("b", kConfig);
  Start(ControlMode::kExplicit, {"a", "b"});
  const auto versions = OnlineScaling(*manager_).Versions();
  ASSERT_THAT(versions, SizeIs(1));
  EXPECT_EQ(versions[0].name, "a");
  EXPECT_EQ(versions[0].version, "1");
  EXPECT_EQ(versions[0].worker_count, 1);
  EXPECT_EQ(versions[0].worker_count_min, 1);
  EXPECT_EQ(versions[0].worker_count_max, 3);
  EXPECT_EQ(versions[0].batch_size, 8);
  const engine::ModelHandle model = Find("a");
  EXPECT_TRUE(Resize(versions[0], 3).ok());
  EXPECT_EQ(model->instance_count(), 3u);
  EXPECT_TRUE(Infer("a").ok());
  EXPECT_TRUE(Resize(versions[0], 2).ok());
  EXPECT_EQ(model->instance_count(), 2u);
  EXPECT_TRUE(Load("a").ok());  // nothing has changed
  EXPECT_EQ(Find("a"), model);
  EXPECT_EQ(model->instance_count(), 2u);
  EXPECT_TRUE(Unload("a").ok());
  EXPECT_EQ(Resize(versions[0], 3).code(), StatusCode::kUnavailable);
  EXPECT_THAT(OnlineScaling(*manager_).Versions(), SizeIs(0));
}

TEST_F(OnlineScalingTest, ABadParameterFailsTheLoad) {
  files_.Model("a", std::string(kConfig) + kOnline +
                        R"(parameters { key: "online_window_ms" value { string_value: "soon" } })");
  Start(ControlMode::kNone);
  EXPECT_FALSE(manager_->AllLoaded());
  EXPECT_THAT(ReasonOf("a"), HasSubstr("parameter 'online_window_ms' must be a whole number"));
}

}  // namespace
}  // namespace headrace::repository
