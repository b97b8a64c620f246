#include "store/workflow_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::store {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<WorkflowNode> Nodes(const std::vector<std::string>& names) {
  std::vector<WorkflowNode> nodes;
  for (const std::string& name : names) {
    nodes.push_back({name, name + ".mar", {}});
  }
  return nodes;
}

std::string Refusal(const std::vector<std::string>& names,
                    const std::vector<WorkflowGraph::Edge>& edges) {
  const auto graph = WorkflowGraph::Make(Nodes(names), edges);
  return graph.ok() ? "" : graph.status().message();
}

TEST(WorkflowGraphTest, PutsParentsBeforeChildren) {
  const auto graph = WorkflowGraph::Make(
      Nodes({"post", "a", "pre", "b"}), {{"a", "post"}, {"pre", "b"}, {"b", "post"}, {"pre", "a"}});
  ASSERT_TRUE(graph.ok()) << graph.status().message();
  std::vector<std::string> names;
  for (const WorkflowGraph::Node& node : graph->nodes) {
    names.push_back(node.node.name);
  }
  EXPECT_THAT(names, ElementsAre("pre", "b", "a", "post"));
  EXPECT_THAT(graph->nodes[0].parents, IsEmpty());
  EXPECT_THAT(graph->nodes[0].children, ElementsAre(1, 2));
  EXPECT_THAT(graph->nodes[3].parents, ElementsAre(2, 1));
  EXPECT_THAT(graph->leaves, ElementsAre(3));
}

TEST(WorkflowGraphTest, TakesOneNode_AndSeveralLeaves) {
  EXPECT_EQ(WorkflowGraph::Make(Nodes({"a"}), {})->leaves, std::vector<std::size_t>{0});
  EXPECT_EQ(WorkflowGraph::Make(Nodes({"a", "b", "c"}), {{"a", "b"}, {"a", "c"}})->leaves,
            (std::vector<std::size_t>{1, 2}));
}

TEST(WorkflowGraphTest, NamesTheNodeThatIsWrong) {
  EXPECT_THAT(Refusal({}, {}), HasSubstr("no node"));
  EXPECT_THAT(Refusal({"a", "a"}, {}), HasSubstr("'a' comes twice"));
  EXPECT_THAT(Refusal({"a"}, {{"a", "b"}}), HasSubstr("no node 'b'"));
  EXPECT_THAT(Refusal({"a"}, {{"b", "a"}}), HasSubstr("no node 'b'"));
  EXPECT_THAT(Refusal({"a"}, {{"a", "a"}}), HasSubstr("'a' follows itself"));
  EXPECT_THAT(Refusal({"a", "b"}, {{"a", "b"}, {"a", "b"}}), HasSubstr("child 'b' twice"));
  EXPECT_THAT(Refusal({"a", "b", "c"}, {{"a", "b"}, {"b", "c"}, {"c", "b"}}),
              HasSubstr("Not a valid DAG: the node 'b'"));
  EXPECT_THAT(Refusal({"a", "b"}, {{"a", "b"}, {"b", "a"}}), HasSubstr("Not a valid DAG"));
  EXPECT_THAT(Refusal({"a", "b", "c"}, {{"a", "c"}, {"b", "c"}}),
              HasSubstr("only one start node: 'a' and 'b'"));
  std::vector<std::string> many;
  for (int i = 0; i < 10'000; ++i) {
    many.push_back("n" + std::to_string(i));
  }
  EXPECT_THAT(Refusal(many, {}), HasSubstr("may have 128"));
}

constexpr char kSpec[] = R"(
models:
  min-workers: 1
  max-workers: 3
  max-batch-delay: 20
  retry-attempts: 4
  timeout-ms: "500"
  a: {url: a.mar, batch-size: 4, max-workers: 1}
  b: {url: https://host/b.mar, timeout-ms: 100}
  unused: {url: c.mar}
dag:
  pre: [a, b]
  a: [post]
  b: [post]
)";

TEST(WorkflowSpecTest, ReadsNodesAndTheirSettings) {
  const auto spec = ParseWorkflowSpec(kSpec, true);
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  EXPECT_EQ(spec->dag_text, "{pre=[a, b], a=[post], b=[post]}");
  EXPECT_EQ(spec->defaults.worker_count_max, 3);
  ASSERT_EQ(spec->graph.nodes.size(), 4u);
  const WorkflowNode& pre = spec->graph.nodes[0].node;
  EXPECT_EQ(pre.name, "pre");
  EXPECT_EQ(pre.url, "");
  EXPECT_EQ(pre.settings.worker_count_max, 1);
  EXPECT_EQ(pre.settings.retry_attempts, 4);
  EXPECT_EQ(pre.settings.timeout_ms, 500);
  const WorkflowNode& a = spec->graph.nodes[1].node;
  EXPECT_EQ(a.url, "a.mar");
  EXPECT_EQ(a.settings.batch_size, 4);
  EXPECT_EQ(a.settings.batch_delay_ms, 20);
  EXPECT_EQ(a.settings.worker_count_max, 1);
  EXPECT_EQ(spec->graph.nodes[2].node.settings.timeout_ms, 100);
}

TEST(WorkflowSpecTest, HasTorchServesDefaults) {
  const auto spec = ParseWorkflowSpec("{models: {a: {url: a.mar}}, dag: {a: []}}", false);
  ASSERT_TRUE(spec.ok()) << spec.status().message();
  const WorkflowNodeSettings& settings = spec->graph.nodes[0].node.settings;
  EXPECT_EQ(settings.worker_count_min, 1);
  EXPECT_EQ(settings.worker_count_max, 1);
  EXPECT_EQ(settings.batch_size, 1);
  EXPECT_EQ(settings.batch_delay_ms, 50);
  EXPECT_EQ(settings.retry_attempts, 1);
  EXPECT_EQ(settings.timeout_ms, 10'000);
}

TEST(WorkflowSpecTest, NamesWhatIsWrong) {
  const std::pair<std::string, const char*> cases[] = {
      {"", "models"},
      {"[1]", "map"},
      {"models: [", "1:1: end of sequence"},
      {"{models: {a: {url: a.mar}}}", "`dag`"},
      {"{dag: {a: []}}", "`models`"},
      {"{models: [], dag: {a: []}}", "`models`"},
      {"{models: {a: {url: a.mar}}, dag: {}}", "no node"},
      {"{models: {a: {batch-size: 1}}, dag: {a: []}}", "models.a.url is missing"},
      {"{models: {a: {url: 7}}, dag: {a: []}}", "models.a.url is missing"},
      {"{models: {a: a.mar}, dag: {a: []}}", "models.a must be a map"},
      {"{models: {a: {url: a.mar, batch-size: 0}}, dag: {a: []}}", "models.a.batch-size"},
      {"{models: {a: {url: a.mar, timeout-ms: -1}}, dag: {a: []}}", "models.a.timeout-ms"},
      {"{models: {a: {url: a.mar}, timeout-ms: 1.5}, dag: {a: []}}", "models.timeout-ms"},
      {"{models: {a: {url: a.mar}, retry-attempts: 1000000}, dag: {a: []}}", "retry-attempts"},
      {"{models: {a: {url: a.mar, min-workers: 3, max-workers: 2}}, dag: {a: []}}", "max-workers"},
      {"{models: {a: {url: a.mar, max-workers: 0, min-workers: 0}}, dag: {a: []}}", "max-workers"},
      {"{models: {a: {url: a.mar}}, dag: {a: b}}", "dag.a must be a list"},
      {"{models: {a: {url: a.mar}}, dag: {a: [{b: c}]}}", "dag.a must be a list"},
      {"{models: {a: {url: a.mar}}, dag: {a: [../b]}}", "no name of a function"},
      {"{models: {a: {url: a.mar}}, dag: {a: [os:system]}}", "no name of a function"},
      {"{models: {../a: {url: a.mar}}, dag: {../a: []}}", "dag:"},
      {"{models: {a: {url: !!python/object a}}, dag: {a: []}}", "tag"},
      {"{models: {a: {url: a.mar}}, dag: {a: [b], b: [a]}}", "Not a valid DAG"},
  };
  for (const auto& [yaml, what] : cases) {
    const auto spec = ParseWorkflowSpec(yaml, true);
    ASSERT_FALSE(spec.ok()) << yaml;
    EXPECT_THAT(spec.status().message(), HasSubstr(what)) << yaml;
  }
  EXPECT_THAT(ParseWorkflowSpec("{models: {}, dag: {pre: []}}", false).status().message(),
              HasSubstr("no handler file"));
}

TEST(WorkflowSpecTest, RefusesWhatGrows) {
  std::string bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n";
  for (char c = 'b'; c < 'k'; ++c) {
    bomb += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 10; ++i) {
      bomb += std::string(i == 0 ? "*" : ", *") + static_cast<char>(c - 1);
    }
    bomb += "]\n";
  }
  EXPECT_FALSE(ParseWorkflowSpec(bomb, true).ok());
  std::string large = "models: {}\ndag:\n";
  for (int i = 0; i < 10'000; ++i) {
    large += "  n" + std::to_string(i) + ": [n" + std::to_string(i + 1) + "]\n";
  }
  EXPECT_THAT(ParseWorkflowSpec(large, true).status().message(), HasSubstr("128"));
}

}  // namespace
}  // namespace headrace::store
