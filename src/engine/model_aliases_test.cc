#include "engine/model_aliases.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/model_key.h"
#include "engine/registry.h"

namespace headrace::engine {
namespace {

using ::testing::HasSubstr;

VersionEntry In(ModelState state, std::string reason = "") {
  return {.state = state, .reason = std::move(reason), .model = nullptr};
}

VersionEntry Unloaded() { return In(ModelState::kUnavailable, std::string(kUnloadedReason)); }

TEST(ModelKeyTest, HoldsNamespaceAndName) {
  EXPECT_EQ(MakeModelKey("", "m"), "m");
  EXPECT_EQ(MakeModelKey("/r/a", "m"), "/r/a::m");
  EXPECT_EQ(NameOfKey("/r/a::m"), "m");
  EXPECT_EQ(NamespaceOfKey("/r/x::y::m"), "/r/x::y");
  EXPECT_EQ(NameOfKey("m"), "m");
  EXPECT_EQ(NamespaceOfKey("m"), "");
  EXPECT_EQ(ShortNamespace("/r/a"), "a");
}

TEST(ModelAliasesTest, ANameAlone_IsTheOnlyModelsThatIsWanted) {
  Registry registry;
  registry.SetVersion("/r/a::m", 1, In(ModelState::kReady));
  const auto one = registry.Load();
  EXPECT_EQ(one->Resolve("m").value(), one->Find("/r/a::m"));
  EXPECT_EQ(one->Find("m"), nullptr) << "an alias is no key";
  registry.SetVersion("/r/b::m", 1, In(ModelState::kLoading));
  const auto two = registry.Load();
  EXPECT_EQ(two->Resolve("m").status().code(), StatusCode::kInvalidArgument);
  EXPECT_THAT(two->Lookup("m", 1).status().message(), HasSubstr("There are 2 identifiers"));
  EXPECT_EQ(two->Resolve("b::m").value(), two->Find("/r/b::m"));
  EXPECT_EQ(two->models().size(), 2U) << "each model once";
  registry.SetVersion("/r/a::m", 1, In(ModelState::kUnloading));
  const auto ending = registry.Load();
  EXPECT_EQ(ending->Resolve("m").value(), ending->Find("/r/b::m"));
  registry.SetVersion("/r/a::m", 1, In(ModelState::kUnloading, "a part is missing"));
  EXPECT_FALSE(registry.Load()->Resolve("m").ok()) << "it may come back by itself";
  registry.SetVersion("/r/a::m", 1, Unloaded());
  registry.SetVersion("/r/b::m", 1, Unloaded());
  EXPECT_TRUE(registry.Load()->Resolve("m").ok());
  EXPECT_THAT(registry.Load()->Lookup("m", std::nullopt).status().message(),
              HasSubstr("has no available versions"));
}

TEST(ModelAliasesTest, TheLastPartOfANamespace_IsEnough_WhereItIsUnique) {
  Registry registry;
  registry.SetVersion("/one/models::m", 1, In(ModelState::kReady));
  registry.SetVersion("/two/models::m", 1, In(ModelState::kReady));
  EXPECT_THAT(registry.Load()->Resolve("models::m").status().message(),
              HasSubstr("ask for '<model repository>::m'"));
  EXPECT_TRUE(registry.Load()->Resolve("/two/models::m").ok());
  registry.RemoveModel("/one/models::m");
  EXPECT_TRUE(registry.Load()->Resolve("models::m").ok());
}

TEST(ModelAliasesTest, ModelsWithoutNamespace_HaveNone) {
  ModelAliases aliases;
  const ModelEntry entry;
  aliases.Add("m", entry);
  EXPECT_EQ(aliases.Find("m"), nullptr);
}

}  // namespace
}  // namespace headrace::engine
