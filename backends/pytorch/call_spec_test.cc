#include "pytorch/call_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::backend {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr const char* kLeaf = R"({"type": null, "context": null, "children_spec": []})";

std::string Node(const std::string& type, const std::string& context,
                 const std::vector<std::string>& children) {
  std::string text =
      R"({"type": "builtins.)" + type + R"(", "context": ")" + context + R"(", "children_spec": [)";
  for (std::size_t i = 0; i < children.size(); ++i) {
    text += (i == 0 ? "" : ", ") + children[i];
  }
  return text + "]}";
}

std::string Spec(const std::string& tree) { return "[1, " + tree + "]"; }

TEST(CallSpec, ArgumentsByPlaceAndByKeyword) {
  const std::string pair = Node("tuple", "null", {kLeaf, kLeaf});
  const std::string keyed = Node("dict", R"([\"k\"])", {kLeaf});
  const std::string args = Node("tuple", "null", {kLeaf, pair, keyed});
  const std::string kwargs = Node("dict", R"([\"mask\"])", {kLeaf});
  std::vector<std::string> paths;
  ASSERT_TRUE(InputPaths(Spec(Node("tuple", "null", {args, kwargs})), &paths).ok());
  EXPECT_THAT(paths,
              ElementsAre("ARGS[0]", "ARGS[1][0]", "ARGS[1][1]", "ARGS[2][k]", "KWARGS[mask]"));
}

TEST(CallSpec, AnswersOfEveryShape) {
  std::vector<std::string> paths;
  ASSERT_TRUE(OutputPaths(Spec(kLeaf), &paths).ok());
  EXPECT_THAT(paths, ElementsAre("RESULT[0]"));
  ASSERT_TRUE(OutputPaths(Spec(Node("list", "null", {kLeaf, kLeaf})), &paths).ok());
  EXPECT_THAT(paths, ElementsAre("RESULT[0]", "RESULT[1]"));
  ASSERT_TRUE(OutputPaths(Spec(Node("dict", R"([\"y\", \"z\"])", {kLeaf, kLeaf})), &paths).ok());
  EXPECT_THAT(paths, ElementsAre("RESULT[y]", "RESULT[z]"));
  ASSERT_TRUE(OutputPaths(Spec(Node("tuple", "null", {})), &paths).ok());
  EXPECT_THAT(paths, IsEmpty());
}

TEST(CallSpec, KeysThatAreMissingAreNumbers) {
  std::vector<std::string> paths;
  ASSERT_TRUE(OutputPaths(Spec(Node("dict", "[]", {kLeaf, kLeaf})), &paths).ok());
  EXPECT_THAT(paths, ElementsAre("RESULT[0]", "RESULT[1]"));
}

TEST(CallSpec, RefusesWhatIsNoTree) {
  std::vector<std::string> paths;
  for (const char* spec : {"", "null", "[]", "[1]", "[1, 2]", "[1, {\"type\": \"builtins.tuple\"}]",
                           "[1, {\"type\": \"t\", \"children_spec\": [3]}]"}) {
    EXPECT_FALSE(OutputPaths(spec, &paths).ok()) << spec;
    EXPECT_FALSE(InputPaths(spec, &paths).ok()) << spec;
  }
}

TEST(CallSpec, RefusesATreeThatIsTooDeep) {
  std::string tree = kLeaf;
  for (int i = 0; i < 1000; ++i) {
    tree = Node("tuple", "null", {tree});
  }
  std::vector<std::string> paths;
  EXPECT_FALSE(OutputPaths(Spec(tree), &paths).ok());
}

}  // namespace
}  // namespace headrace::backend
