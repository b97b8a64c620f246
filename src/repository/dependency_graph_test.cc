#include "repository/dependency_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::repository {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<ComposingModel> Parts(const std::vector<std::string>& names) {
  std::vector<ComposingModel> parts;
  for (const std::string& name : names) {
    parts.push_back({name});
  }
  return parts;
}

using Configurations = std::map<std::string, std::vector<std::string>>;

std::string Check(const Configurations& models, const std::string& ensemble) {
  return CheckComposition(ensemble, Parts(models.at(ensemble)),
                          [&](const std::string& model) {
                            const auto found = models.find(model);
                            return found == models.end() ? Parts({}) : Parts(found->second);
                          })
      .message();
}

TEST(DependencyGraphTest, KnowsWhoNeedsWhom) {
  DependencyGraph graph;
  graph.Set("e", Parts({"a", "b"}));
  graph.Set("f", Parts({"b", "e"}));
  EXPECT_THAT(graph.EnsemblesOf("b"), ElementsAre("e", "f"));
  EXPECT_THAT(graph.EnsemblesOf("e"), ElementsAre("f"));
  EXPECT_THAT(graph.EnsemblesOf("f"), IsEmpty());
  EXPECT_THAT(graph.PartsOf("e"), ElementsAre(ComposingModel{"a"}, ComposingModel{"b"}));
  graph.Set("e", Parts({"c"}));
  EXPECT_THAT(graph.EnsemblesOf("b"), ElementsAre("f"));
  graph.Remove("f");
  EXPECT_THAT(graph.EnsemblesOf("b"), IsEmpty());
  graph.Set("e", {});
  EXPECT_THAT(graph.EnsemblesOf("c"), IsEmpty());
  EXPECT_THAT(graph.PartsOf("e"), IsEmpty());
}

TEST(DependencyGraphTest, NeededOnlyBy_LeavesWhatOthersNeed) {
  DependencyGraph graph;
  graph.Set("outer", Parts({"inner", "a"}));
  graph.Set("inner", Parts({"b", "shared"}));
  graph.Set("other", Parts({"shared"}));
  EXPECT_THAT(graph.NeededOnlyBy("outer"), ElementsAre("a", "b", "inner"));
  EXPECT_THAT(graph.NeededOnlyBy("inner"), ElementsAre("b"));
  EXPECT_THAT(graph.NeededOnlyBy("other"), IsEmpty());
  graph.Remove("other");
  EXPECT_THAT(graph.NeededOnlyBy("outer"), ElementsAre("a", "b", "inner", "shared"));
  EXPECT_THAT(graph.NeededOnlyBy("b"), IsEmpty());
}

TEST(CheckCompositionTest, TakesTreesAndSharedParts) {
  EXPECT_EQ(Check({{"e", {"a", "b"}}}, "e"), "");
  EXPECT_EQ(Check({{"e", {"f", "g"}}, {"f", {"h"}}, {"g", {"h"}}, {"h", {"a"}}}, "e"), "");
}

// The texts are those of a stock Triton.
TEST(CheckCompositionTest, RefusesCircles) {
  EXPECT_EQ(Check({{"e", {"e"}}}, "e"),
            "circular dependency between ensembles: e -> ... -> e -> e");
  EXPECT_EQ(Check({{"e", {"f"}}, {"f", {"e"}}}, "e"),
            "circular dependency between ensembles: e -> ... -> f -> e");
  EXPECT_EQ(Check({{"e", {"f"}}, {"f", {"g"}}, {"g", {"a", "f"}}}, "e"),
            "circular dependency between ensembles: f -> ... -> g -> f");
}

TEST(CheckCompositionTest, LimitsTheDepth) {
  Configurations chain;
  for (int i = 0; i < 1000; ++i) {
    chain["e" + std::to_string(i)] = {"e" + std::to_string(i + 1)};
  }
  EXPECT_THAT(Check(chain, "e0"), HasSubstr("nested more than 32 levels deep"));
  EXPECT_EQ(Check(chain, "e968"), "");
  EXPECT_THAT(Check(chain, "e967"), HasSubstr("nested more than 32 levels deep"));
  // Reached by a short way first.
  chain["short"] = {"e968", "long"};
  chain["long"] = {"e968"};
  EXPECT_THAT(Check(chain, "short"), HasSubstr("nested more than 32 levels deep"));
}

TEST(CheckCompositionTest, LimitsTheNumberOfModels_AndLooksAtEachOnce) {
  Configurations wide;
  for (int i = 0; i < 2000; ++i) {
    wide["e"].push_back("m" + std::to_string(i));
  }
  EXPECT_THAT(Check(wide, "e"), HasSubstr("made of more than 1024 models"));
  // 2^20 ways to the bottom.
  Configurations diamonds;
  for (int i = 0; i < 20; ++i) {
    const std::string next = std::to_string(i + 1);
    diamonds["d" + std::to_string(i)] = {"l" + next, "r" + next};
    diamonds["l" + next] = diamonds["r" + next] = {"d" + next};
  }
  EXPECT_THAT(Check(diamonds, "d0"), HasSubstr("nested more than 32"));
  EXPECT_EQ(Check(diamonds, "d5"), "");
}

}  // namespace
}  // namespace headrace::repository
