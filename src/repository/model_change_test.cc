// Changes of a model that serves, through the manager: what is loaded again and what is not.
#include "repository/model_change.h"

#include <gmock/gmock.h>

#include <atomic>

#include "repository/testing/manager_fixture.h"

namespace headrace::repository {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class ModelChangeTest : public ModelManagerTest {
 protected:
  // The configuration with `count` instances and the versions that `policy` says.
  void Configure(int count, const std::string& policy = "all { }") {
    files_.File("a/config.pbtxt", std::string(kConfig) +
                                      " instance_group { count: " + std::to_string(count) +
                                      " } version_policy { " + policy + " }");
  }
  engine::ModelHandle Version(std::int64_t version) {
    auto found = registry_.Load()->Lookup("a", version);
    return found.ok() ? *std::move(found) : nullptr;
  }
  void StartWith(std::vector<std::int64_t> versions) {
    for (const std::int64_t version : versions) {
      files_.File("a/" + std::to_string(version) + "/model.bin", "x");
    }
    Start(ControlMode::kExplicit, {"a"});
    ASSERT_TRUE(manager_->AllLoaded());
    provider_.TakeLoaded();
  }
};

TEST_F(ModelChangeTest, OtherInstances_AreNoReload) {
  Configure(1);
  StartWith({1, 2});
  const auto first = Version(1), second = Version(2);
  for (const int count : {4, 1, 2}) {
    Configure(count);
    ASSERT_TRUE(Load("a").ok());
    EXPECT_EQ(Version(1), first);
    EXPECT_EQ(Version(2), second);
    EXPECT_EQ(first->instance_count(), static_cast<std::size_t>(count));
    EXPECT_EQ(second->instance_count(), static_cast<std::size_t>(count));
    EXPECT_THAT(first->config_json(), HasSubstr("\"count\":" + std::to_string(count)));
    EXPECT_TRUE(Infer("a").ok());
  }
  EXPECT_THAT(provider_.TakeLoaded(), IsEmpty());
  EXPECT_EQ(provider_.alive, 2);
}

TEST_F(ModelChangeTest, OtherInstances_ThatDoNotStart_ChangeNothing) {
  Configure(1);
  StartWith({1});
  provider_.instance_count_max = 2;
  Configure(4);
  EXPECT_THAT(Load("a").message(), HasSubstr("version 1 keeps its instances: Internal: too many"));
  EXPECT_EQ(Version(1)->instance_count(), 1U);
  EXPECT_TRUE(Infer("a").ok());
  EXPECT_THAT(Index(), ElementsAre("a:1=READY"));
  Configure(2);
  EXPECT_TRUE(Load("a").ok());
  EXPECT_EQ(Version(1)->instance_count(), 2U);
}

TEST_F(ModelChangeTest, AnotherVersionPolicy_TouchesNoOtherVersion) {
  Configure(1, "latest { num_versions: 1 }");
  StartWith({1, 2, 3});
  EXPECT_THAT(Index(), ElementsAre("a:3=READY"));
  const auto third = Version(3);
  Configure(1, "all { }");
  ASSERT_TRUE(Load("a").ok());
  EXPECT_EQ(Version(3), third);
  EXPECT_THAT(provider_.TakeLoaded(), ElementsAre("a", "a"));
  EXPECT_THAT(third->config_json(), HasSubstr("\"version_policy\":{\"all\":{}}"));
  const auto first = Version(1);
  Configure(1, "specific { versions: [ 1, 3 ] }");
  ASSERT_TRUE(Load("a").ok());
  EXPECT_EQ(Version(1), first);
  EXPECT_EQ(Version(2), nullptr);
  EXPECT_EQ(Version(3), third);
  EXPECT_THAT(provider_.TakeLoaded(), IsEmpty());
}

TEST_F(ModelChangeTest, AVersionsFiles_ReloadThatVersion) {
  Configure(1);
  StartWith({1, 2});
  const auto first = Version(1), second = Version(2);
  files_.File("a/2/model.bin", "other");
  files_.File("a/3/model.bin", "new");
  ASSERT_TRUE(Load("a").ok());
  EXPECT_EQ(Version(1), first);
  EXPECT_NE(Version(2), second);
  EXPECT_THAT(provider_.TakeLoaded(), ElementsAre("a", "a"));
  EXPECT_THAT(Index(), ElementsAre("a:1=READY", "a:2=READY", "a:3=READY"));
}

TEST_F(ModelChangeTest, WhatTheConfigurationMeans_Counts) {
  Configure(1);
  StartWith({1});
  const auto first = Version(1);
  files_.File("a/config.pbtxt", "# a comment\n" + std::string(kConfig) +
                                    " version_policy { all { } } instance_group [{count: 1}]");
  ASSERT_TRUE(Load("a").ok());
  EXPECT_EQ(Version(1), first);
  files_.File("a/.hidden", "");
  files_.File("a/2.tmp/model.bin", "being copied");
  ASSERT_TRUE(Load("a").ok());
  EXPECT_EQ(Version(1), first);
  files_.File("a/labels.txt", "beside the versions");
  ASSERT_TRUE(Load("a").ok());
  EXPECT_NE(Version(1), first);
}

TEST_F(ModelChangeTest, AFailedVersion_LeavesTheOthersAndTheInstances) {
  Configure(1);
  StartWith({1});
  const auto first = Version(1);
  files_.File("a/2/model.bin", "x");
  Configure(3);
  provider_.fail_version = 2;
  EXPECT_FALSE(Load("a").ok());
  EXPECT_EQ(Version(1), first);
  EXPECT_EQ(first->instance_count(), 1U);
  provider_.fail_version = 0;
  EXPECT_TRUE(Load("a").ok());
  EXPECT_EQ(first->instance_count(), 3U);
}

TEST_F(ModelChangeTest, FilesThatChangeWhileTheyAreRead_FailTheLoad) {
  Configure(1);
  StartWith({1});
  const auto first = Version(1);
  files_.File("a/1/model.bin", "second");
  provider_.on_load = [this] { files_.File("a/1/model.bin", "third one"); };
  EXPECT_THAT(Load("a").message(), HasSubstr("file '1/model.bin' changed while"));
  EXPECT_EQ(Version(1), first);
  // What the backend itself adds is no change.
  provider_.on_load = [this] { files_.File("a/1/cache/compiled.blob", "made by the backend"); };
  ASSERT_TRUE(Load("a").ok());
  const auto second = Version(1);
  EXPECT_NE(second, first);
  ASSERT_TRUE(Load("a").ok());
  EXPECT_EQ(Version(1), second);
}

TEST_F(ModelChangeTest, OtherInstances_LoseNoRequest_UnderLoad) {
  Configure(1);
  StartWith({1});
  std::atomic<bool> stop{false};
  std::atomic<int> bad{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 2; ++i) {
    clients.emplace_back([&] {
      while (!stop) {
        bad += Infer("a").ok() ? 0 : 1;
      }
    });
  }
  for (int i = 0; i < 20; ++i) {
    Configure(i % 2 == 0 ? 4 : 1);
    EXPECT_TRUE(Load("a").ok());
  }
  stop = true;
  for (auto& client : clients) {
    client.join();
  }
  EXPECT_EQ(bad, 0);
  EXPECT_THAT(provider_.TakeLoaded(), IsEmpty());
}

}  // namespace
}  // namespace headrace::repository
