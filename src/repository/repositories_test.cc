#include "repository/repositories.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repository/testing/manager_fixture.h"

namespace headrace::repository {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class RegistrationTest : public ModelManagerTest {
 protected:
  RegistrationTest() {
    files_.Model("a", kConfig);
    other_.Model("b", kConfig);
    other_.Model("n", std::string("name: \"n\"") + kConfig);
  }
  Status Register(const TemporaryRepository& repository, std::vector<NameMapping> mapping = {}) {
    return manager_->RegisterRepository(repository.path(), mapping);
  }

  TemporaryRepository other_, third_;
};

TEST_F(RegistrationTest, ARegisteredRepository_IsLookedInto_UntilItIsUnregistered) {
  Start(ControlMode::kExplicit);
  EXPECT_THAT(Load("b").message(), HasSubstr("failed to load 'b', failed to poll"));
  ASSERT_TRUE(Register(other_).ok());
  EXPECT_THAT(Index(), UnorderedElementsAre("a:=", "b:=", "n:="));
  ASSERT_TRUE(Load("b").ok());
  ASSERT_TRUE(manager_->UnregisterRepository(other_.path()).ok());
  // What serves goes on; what is loaded anew is not found.
  EXPECT_TRUE(Infer("b").ok());
  EXPECT_THAT(Load("b").message(), HasSubstr("failed to load 'b', failed to poll"));
  EXPECT_TRUE(Infer("b").ok());
  EXPECT_TRUE(Unload("b").ok());
  WaitUntilUnloaded("b");
  EXPECT_THAT(Index(), UnorderedElementsAre("a:=", "b:1=UNAVAILABLE"));
}

TEST_F(RegistrationTest, AMappedModel_HasItsNewNameAlone) {
  Start(ControlMode::kExplicit);
  ASSERT_TRUE(Register(other_, {{"b", "x"}, {"b", "y"}, {"n", "named"}}).ok());
  EXPECT_THAT(Index(), UnorderedElementsAre("a:=", "x:=", "y:=", "named:="));
  for (const char* name : {"x", "y", "named"}) {
    EXPECT_TRUE(Load(name).ok()) << name;
    EXPECT_TRUE(Infer(name).ok()) << name;
  }
  EXPECT_THAT(Find("named")->config_json(), HasSubstr(R"("name":"named")"));
  EXPECT_FALSE(Load("b").ok());
  EXPECT_FALSE(Load("n").ok());
}

TEST_F(RegistrationTest, AMapping_HidesADirectoryOfThatName) {
  third_.Model("a", kConfig);
  Start(ControlMode::kExplicit);
  ASSERT_TRUE(Register(third_).ok());
  EXPECT_THAT(Load("a").message(), HasSubstr("model appears in two or more repositories"));
  ASSERT_TRUE(manager_->UnregisterRepository(third_.path()).ok());
  ASSERT_TRUE(Register(other_, {{"b", "a"}}).ok());
  EXPECT_TRUE(Load("a").ok());
  EXPECT_THAT(Index(), UnorderedElementsAre("a:1=READY", "n:="));
}

TEST_F(RegistrationTest, SaysWhatIsWrong) {
  Start(ControlMode::kExplicit);
  const auto refusal = [&](const std::string& path, std::vector<NameMapping> mapping = {}) {
    return manager_->RegisterRepository(path, mapping);
  };
  EXPECT_EQ(refusal(other_.path("none")).message(),
            "failed to register '" + other_.path("none") + "', repository not found");
  EXPECT_EQ(refusal(files_.path() + "/.").code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(refusal(files_.path()).message(),
            "model repository '" + files_.path() + "' has already been registered");
  EXPECT_EQ(refusal(other_.path(), {{"b", "x"}, {"n", "x"}}).message(),
            "failed to register '" + other_.path() + "', there is a conflicting mapping for 'x'");
  for (const char* name : {"", "../a", "a/b"}) {
    EXPECT_EQ(refusal(other_.path(), {{name, "x"}}).code(), StatusCode::kInvalidArgument);
    EXPECT_EQ(refusal(other_.path(), {{"b", name}}).code(), StatusCode::kInvalidArgument);
  }
  EXPECT_EQ(manager_->UnregisterRepository(other_.path()).message(),
            "failed to unregister '" + other_.path() + "', repository not found");
  ASSERT_TRUE(Register(other_, {{"b", "x"}}).ok());
  const Status conflict = refusal(third_.path(), {{"d", "x"}});
  EXPECT_EQ(conflict.code(), StatusCode::kAlreadyExists);
  EXPECT_EQ(conflict.message(), "failed to register 'x', there is a conflicting mapping for 'x'");
  // Its mapping goes with it.
  ASSERT_TRUE(manager_->UnregisterRepository(other_.path()).ok());
  EXPECT_TRUE(refusal(third_.path(), {{"d", "x"}}).ok());
}

TEST_F(RegistrationTest, ARepositoryThatHasGone_IsUnregisteredAsItWasGiven) {
  Start(ControlMode::kExplicit);
  const std::string path = other_.path("deeper");
  other_.Directory("deeper");
  ASSERT_TRUE(manager_->RegisterRepository(path, {}).ok());
  std::filesystem::remove_all(path);
  EXPECT_TRUE(manager_->UnregisterRepository(path).ok());
  EXPECT_FALSE(manager_->UnregisterRepository(path).ok());
}

TEST_F(RegistrationTest, AllRepositoriesMayGo) {
  Start(ControlMode::kExplicit);
  ASSERT_TRUE(manager_->UnregisterRepository(files_.path()).ok());
  EXPECT_THAT(Index(), IsEmpty());
  ASSERT_TRUE(Register(files_, {{"a", "again"}}).ok());
  EXPECT_THAT(Index(), ElementsAre("again:="));
}

TEST_F(RegistrationTest, IsForExplicitModeOnly) {
  for (const ControlMode mode : {ControlMode::kNone, ControlMode::kPoll}) {
    Start(mode);
    EXPECT_EQ(Register(other_).code(), StatusCode::kUnimplemented);
    EXPECT_EQ(Register(other_).message(),
              "repository registration is not allowed if model control mode is not EXPLICIT");
    EXPECT_EQ(manager_->UnregisterRepository(files_.path()).message(),
              "repository unregistration is not allowed if model control mode is not EXPLICIT");
  }
}

TEST_F(RegistrationTest, WhereRepositoriesAreNamespaces_ANewOneIsANewNamespace) {
  options_.namespaces = true;
  third_.Model("a", kConfig);
  Start(ControlMode::kExplicit);
  ASSERT_TRUE(Register(third_, {}).ok());
  ASSERT_TRUE(Register(other_, {{"b", "x"}}).ok());
  EXPECT_TRUE(Load("a").ok());
  EXPECT_TRUE(Load(third_.path() + "::a").ok());
  EXPECT_TRUE(Load(other_.path() + "::x").ok());
  EXPECT_FALSE(Load(third_.path() + "::x").ok());
  EXPECT_FALSE(Load(other_.path() + "::b").ok());
}

}  // namespace
}  // namespace headrace::repository
