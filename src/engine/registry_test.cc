#include "engine/registry.h"

#include <gtest/gtest.h>

#include "engine/testing/fake_backend.h"

namespace headrace::engine {
namespace {

ModelHandle StartModel() {
  return Model::Start(testing::SmallModel(), std::make_unique<testing::FakeModel>(), Clock::Real())
      .value();
}

VersionEntry Ready(ModelHandle model) {
  return {.state = ModelState::kReady, .reason = "", .model = std::move(model)};
}

std::string FailureOf(const Registry& registry, std::string_view name,
                      std::optional<std::int64_t> version) {
  return registry.Load()->Lookup(name, version).status().ToString();
}

TEST(RegistryTest, FindsTheHighestReadyVersion_WhenNoneIsAskedFor) {
  Registry registry;
  const ModelHandle one = StartModel(), two = StartModel();
  registry.SetVersion("m", 1, Ready(one));
  registry.SetVersion("m", 2, Ready(two));
  registry.SetVersion("m", 10, {.state = ModelState::kLoading, .reason = "", .model = nullptr});
  EXPECT_EQ(registry.Load()->Lookup("m", std::nullopt).value(), two);
  EXPECT_EQ(registry.Load()->Lookup("m", 1).value(), one);
}

TEST(RegistryTest, DefaultVersion_IsMeantWhenNoneIsAskedFor) {
  Registry registry;
  const ModelHandle one = StartModel(), two = StartModel();
  registry.SetVersion("m", 1, Ready(one));
  registry.SetDefaultVersion("m", 1);
  registry.SetVersion("m", 2, Ready(two));
  registry.SetDefaultVersion("unknown", 1);
  EXPECT_EQ(registry.Load()->Lookup("m", std::nullopt).value(), one);
  EXPECT_EQ(registry.Load()->Lookup("m", 2).value(), two);
  EXPECT_EQ(registry.Load()->Find("unknown"), nullptr);
  registry.SetVersion("m", 1, {.state = ModelState::kLoading, .reason = "", .model = nullptr});
  EXPECT_EQ(FailureOf(registry, "m", std::nullopt),
            "UNAVAILABLE: Request for unknown model: 'm' version 1 is not at ready state");
  registry.SetDefaultVersion("m", std::nullopt);
  EXPECT_EQ(registry.Load()->Lookup("m", std::nullopt).value(), two);
}

TEST(RegistryTest, SetVersions_AppliesAllChangesInOneStep) {
  Registry registry;
  const ModelHandle model = StartModel();
  const auto before = registry.Load();
  registry.SetVersions({{"a", 1, {.state = ModelState::kLoading, .reason = "", .model = nullptr}},
                        {"b", 2, Ready(model)},
                        {"a", 1, Ready(model)}});
  EXPECT_TRUE(before->models().empty());
  EXPECT_EQ(registry.Load()->Lookup("a", 1).value(), model);
  EXPECT_EQ(registry.Load()->Lookup("b", std::nullopt).value(), model);
}

TEST(RegistryTest, SaysWhatIsMissing) {
  Registry registry;
  registry.AddModel("empty");
  registry.SetVersion("m", 1, {.state = ModelState::kUnloading, .reason = "", .model = nullptr});
  EXPECT_EQ(FailureOf(registry, "x", std::nullopt),
            "NOT_FOUND: Request for unknown model: 'x' is not found");
  EXPECT_EQ(FailureOf(registry, "m", 7),
            "NOT_FOUND: Request for unknown model: 'm' version 7 is not found");
  EXPECT_EQ(FailureOf(registry, "empty", std::nullopt),
            "NOT_FOUND: Request for unknown model: 'empty' has no available versions");
  EXPECT_EQ(
      FailureOf(registry, "m", std::nullopt),
      "UNAVAILABLE: Request for unknown model: 'm' version 1 is not at ready state (UNLOADING)");
  registry.SetVersion(
      "m", 1, {.state = ModelState::kUnavailable, .reason = "no such file", .model = nullptr});
  EXPECT_EQ(FailureOf(registry, "m", std::nullopt),
            "UNAVAILABLE: Request for unknown model: 'm' version 1 is not at ready state "
            "(UNAVAILABLE)");
  registry.SetVersion("m", 1,
                      {.state = ModelState::kUnavailable, .reason = "unloaded", .model = nullptr});
  EXPECT_EQ(FailureOf(registry, "m", std::nullopt),
            "NOT_FOUND: Request for unknown model: 'm' has no available versions");
  EXPECT_EQ(FailureOf(registry, "m", 1),
            "UNAVAILABLE: Request for unknown model: 'm' version 1 is not at ready state");
}

TEST(RegistryTest, AnOldSnapshotStaysAsItWas) {
  Registry registry;
  registry.SetVersion("m", 1, Ready(StartModel()));
  const auto before = registry.Load();
  registry.RemoveVersion("m", 1);
  EXPECT_TRUE(before->Lookup("m", 1).ok());
  EXPECT_FALSE(registry.Load()->Lookup("m", 1).ok());
  ASSERT_NE(registry.Load()->Find("m"), nullptr);
  registry.RemoveModel("m");
  EXPECT_EQ(registry.Load()->Find("m"), nullptr);
}

TEST(RegistryTest, AddingAKnownModelKeepsItsVersions) {
  Registry registry;
  registry.SetVersion("m", 1, Ready(StartModel()));
  registry.AddModel("m");
  EXPECT_TRUE(registry.Load()->Lookup("m", 1).ok());
}

TEST(RegistryTest, NamesStates) {
  EXPECT_EQ(ModelStateName(ModelState::kReady), "READY");
  EXPECT_EQ(ModelStateName(ModelState::kUnavailable), "UNAVAILABLE");
  EXPECT_EQ(ModelStateName(ModelState::kLoading), "LOADING");
  EXPECT_EQ(ModelStateName(ModelState::kUnloading), "UNLOADING");
  EXPECT_EQ(ModelStateName(ModelState::kUnknown), "UNKNOWN");
}

}  // namespace
}  // namespace headrace::engine
