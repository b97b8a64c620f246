#include "store/workflow_run.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <future>
#include <map>
#include <optional>
#include <set>

#include "engine/model.h"
#include "engine/testing/fake_backend.h"

namespace headrace::store {
namespace {

using engine::testing::Latch;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

// What a node's execution was given.
struct Call {
  std::string body;                            // of all parts
  std::map<std::string, std::string> parts;    // by name
  std::map<std::string, std::string> strings;  // other parameters
  const std::byte* data = nullptr;             // of the first fragment
};

// The parts as WorkflowRun writes them: [{"name":"a","type":"","offset":0,"size":3}].
std::map<std::string, std::string> PartsOf(const std::string& json, const std::string& body) {
  std::map<std::string, std::string> parts;
  std::size_t at = 0;
  while ((at = json.find(R"("name":")", at)) != std::string::npos) {
    at += 8;
    const std::string name = json.substr(at, json.find('"', at) - at);
    const std::size_t offset = std::stoul(json.substr(json.find("offset\":", at) + 8));
    const std::size_t size = std::stoul(json.substr(json.find("size\":", at) + 6));
    parts[name] = body.substr(offset, size);
  }
  return parts;
}

using Behaviour = std::function<Result<std::string>(const Call& call)>;

class Reply final : public WorkflowReply {
 public:
  explicit Reply(std::shared_ptr<std::atomic<bool>> cancelled) : cancelled_(std::move(cancelled)) {}
  bool Cancelled() const override { return cancelled_->load(); }
  void Finish(WorkflowOutcome outcome) override { outcome_.set_value(std::move(outcome)); }
  std::future<WorkflowOutcome> future() { return outcome_.get_future(); }

 private:
  const std::shared_ptr<std::atomic<bool>> cancelled_;
  std::promise<WorkflowOutcome> outcome_;
};

class WorkflowRunTest : public ::testing::Test {
 protected:
  WorkflowRunTest() : deadlines_(Clock::Real()) {}
  ~WorkflowRunTest() override { Drain(); }

  // Until no execution is under way, which may use what a test has on its stack.
  void Drain() {
    for (const engine::ModelHandle& model : models_) {
      model->Drain(60 * kSecond);
    }
  }

  // A node's model, whose executions do `behave`; what it returns is answered.
  void AddNode(const std::string& name, Behaviour behave, WorkflowNodeSettings settings = {},
               std::size_t queue_size = 100) {
    nodes_.push_back({name, name + ".mar", settings});
    engine::ModelOptions options;
    options.name = "flow__" + name;
    options.signature.batch_size_max = 1;
    options.signature.inputs.push_back(
        {.name = "data", .dtype = DataType::kUint8, .dims = Shape{-1}});
    options.signature.outputs.push_back(
        {.name = "body", .dtype = DataType::kUint8, .dims = Shape{-1}});
    options.queue_limits.request_count_max = queue_size;
    options.placements.push_back({.name = "one"});
    auto execute = [this, name, behave = std::move(behave)](engine::Batch batch) {
      for (auto& request : batch.requests) {
        Execute(name, behave, *request);
      }
    };
    auto model = engine::Model::Start(
        options, std::make_unique<engine::testing::FakeModel>(execute), Clock::Real());
    ASSERT_TRUE(model.ok()) << model.status().message();
    models_.push_back(*model);
    registry_.SetVersion(options.name, 1, {engine::ModelState::kReady, "", *model});
  }

  void Execute(const std::string& name, const Behaviour& behave, engine::InferRequest& request) {
    Call call;
    const Tensor& input = request.inputs.front().tensor;
    call.data = input.data.data();
    for (std::size_t i = 0; i < input.fragment_count(); ++i) {
      call.body += input.fragment(i).view();
    }
    for (const Parameter& parameter : request.parameters) {
      if (const auto* text = std::get_if<std::string>(&parameter.value)) {
        call.strings[parameter.name] = *text;
      }
    }
    call.parts = PartsOf(call.strings["parts"], call.body);
    {
      const std::lock_guard lock(mutex_);
      calls_[name].push_back(call);
    }
    const Result<std::string> answer = behave(call);
    if (!answer.ok()) {
      request.Finish(answer.status());
      return;
    }
    engine::InferResponse response;
    NamedTensor& output = response.outputs.emplace_back();
    output.name = "body";
    output.tensor.data = Buffer::CopyOf(*answer);
    output.tensor.dtype = DataType::kUint8;
    output.tensor.shape = Shape({1, static_cast<std::int64_t>(answer->size())});
    response.final = true;
    {
      const std::lock_guard lock(mutex_);
      written_[name] = output.tensor.data.data();
    }
    request.Send(std::move(response));
    request.Finish(OkStatus());
  }

  std::future<WorkflowOutcome> Begin(const std::vector<WorkflowGraph::Edge>& edges,
                                     const std::string& body = "in") {
    auto plan = std::make_shared<WorkflowPlan>();
    plan->name = "flow";
    plan->graph = WorkflowGraph::Make(nodes_, edges).value();
    for (const WorkflowGraph::Node& node : plan->graph.nodes) {
      plan->models.push_back("flow__" + node.node.name);
    }
    WorkflowRequest request;
    request.id = "id";
    NamedTensor& input = request.inputs.emplace_back();
    input.name = "data";
    input.tensor.dtype = DataType::kUint8;
    input.tensor.shape = Shape({1, static_cast<std::int64_t>(body.size())});
    input.tensor.data = Buffer::CopyOf(body);
    request.parameters.push_back(
        {"parts",
         fmt::format(R"([{{"name":"data","type":"","offset":0,"size":{}}}])", body.size())});
    request.parameters.push_back({"headers", std::string(R"({"X-Mine":"1"})")});
    auto reply = std::make_unique<Reply>(cancelled_);
    std::future<WorkflowOutcome> future = reply->future();
    WorkflowRun::Start(std::move(plan), {registry_, pool_, deadlines_, Clock::Real()},
                       std::move(request), std::move(reply));
    return future;
  }

  static std::string Text(const WorkflowOutcome::Leaf& leaf) {
    std::string text;
    for (const Buffer& buffer : leaf.body) {
      text += buffer.view();
    }
    return text;
  }
  std::vector<Call> CallsOf(const std::string& name) {
    const std::lock_guard lock(mutex_);
    return calls_[name];
  }

  BlockPool pool_;
  engine::Registry registry_;
  Deadlines deadlines_;
  std::vector<WorkflowNode> nodes_;
  std::vector<engine::ModelHandle> models_;
  std::shared_ptr<std::atomic<bool>> cancelled_ = std::make_shared<std::atomic<bool>>(false);
  std::mutex mutex_;  // guards what follows
  std::map<std::string, std::vector<Call>> calls_;
  std::map<std::string, const std::byte*> written_;
};

Behaviour Append(const std::string& text) {
  return [text](const Call& call) -> Result<std::string> { return call.body + text; };
}

TEST_F(WorkflowRunTest, RunsNodesOneAfterTheOther_WithoutCopies) {
  AddNode("pre", Append("+pre"));
  AddNode("m", Append("+m"));
  const WorkflowOutcome outcome = Begin({{"pre", "m"}}).get();
  ASSERT_TRUE(outcome.error.ok()) << outcome.error.message;
  ASSERT_EQ(outcome.leaves.size(), 1u);
  EXPECT_EQ(Text(outcome.leaves[0]), "in+pre+m");
  const Call pre = CallsOf("pre").at(0), m = CallsOf("m").at(0);
  EXPECT_THAT(pre.parts, ElementsAre(std::pair("data", "in")));
  EXPECT_THAT(m.parts, ElementsAre(std::pair("body", "in+pre")));
  EXPECT_EQ(pre.strings.at("headers"), R"({"X-Mine":"1"})");
  EXPECT_EQ(m.strings.at("headers"), R"({"X-Mine":"1"})");
  EXPECT_EQ(m.data, written_.at("pre"));
  EXPECT_EQ(deadlines_.size(), 0u);
}

TEST_F(WorkflowRunTest, RunsBranchesAtTheSameTime_AndGivesTheirChildBoth) {
  Latch a_begins, b_begins;
  AddNode("pre", Append(""));
  AddNode("a", [&](const Call&) -> Result<std::string> {
    a_begins.Open();
    b_begins.Wait();
    return std::string("from a");
  });
  AddNode("b", [&](const Call&) -> Result<std::string> {
    b_begins.Open();
    a_begins.Wait();
    return std::string("from b");
  });
  AddNode("post", Append(""));
  const WorkflowOutcome outcome =
      Begin({{"pre", "a"}, {"pre", "b"}, {"a", "post"}, {"b", "post"}}).get();
  ASSERT_TRUE(outcome.error.ok()) << outcome.error.message;
  EXPECT_THAT(CallsOf("post").at(0).parts,
              UnorderedElementsAre(std::pair("a", "from a"), std::pair("b", "from b")));
}

TEST_F(WorkflowRunTest, AnswersEveryLeaf_AlsoAnEmptyOne) {
  AddNode("pre", Append(""));
  AddNode("a", Append("+a"));
  AddNode("b", [](const Call&) -> Result<std::string> { return std::string(); });
  const WorkflowOutcome outcome = Begin({{"pre", "a"}, {"pre", "b"}}).get();
  ASSERT_TRUE(outcome.error.ok()) << outcome.error.message;
  ASSERT_EQ(outcome.leaves.size(), 2u);
  EXPECT_EQ(outcome.leaves[0].name, "a");
  EXPECT_EQ(Text(outcome.leaves[0]), "in+a");
  EXPECT_EQ(outcome.leaves[1].name, "b");
  EXPECT_EQ(Text(outcome.leaves[1]), "");
}

TEST_F(WorkflowRunTest, RepeatsANodeThatFails) {
  std::atomic<int> left = 2;
  WorkflowNodeSettings settings;
  settings.retry_attempts = 2;
  AddNode(
      "pre",
      [&](const Call& call) -> Result<std::string> {
        return left-- > 0 ? Result<std::string>(Internal("not yet")) : call.body + "!";
      },
      settings);
  const WorkflowOutcome outcome = Begin({}).get();
  ASSERT_TRUE(outcome.error.ok()) << outcome.error.message;
  EXPECT_EQ(Text(outcome.leaves.at(0)), "in!");
  EXPECT_EQ(CallsOf("pre").size(), 3u);
}

TEST_F(WorkflowRunTest, NamesTheNodeThatFailsForGood) {
  AddNode("pre", Append(""));
  AddNode("m", [](const Call&) -> Result<std::string> { return Internal("Prediction failed"); });
  AddNode("post", Append(""));
  const WorkflowOutcome outcome = Begin({{"pre", "m"}, {"m", "post"}}).get();
  EXPECT_EQ(outcome.error.fault, StoreFault::kInternal);
  EXPECT_EQ(outcome.error.message,
            "Failed to execute workflow Node after 2 attempts : Error executing m: Prediction "
            "failed");
  EXPECT_EQ(CallsOf("m").size(), 2u);
  EXPECT_TRUE(CallsOf("post").empty());
  EXPECT_EQ(deadlines_.size(), 0u);
}

TEST_F(WorkflowRunTest, EndsAlthoughANodeNeverAnswers) {
  Latch never;
  WorkflowNodeSettings settings;
  settings.timeout_ms = 20;
  AddNode("pre", Append(""));
  AddNode(
      "m",
      [&](const Call&) -> Result<std::string> {
        never.Wait();
        return std::string("late");
      },
      settings);
  const WorkflowOutcome outcome = Begin({{"pre", "m"}}).get();
  EXPECT_EQ(outcome.error.fault, StoreFault::kInternal);
  EXPECT_THAT(outcome.error.message, HasSubstr("Error executing m: it took more than 20 ms"));
  never.Open();  // what is answered now is nobody's
  Drain();
}

TEST_F(WorkflowRunTest, EndsWhatOtherBranchesDo_WhenOneFails) {
  Latch release, running;
  AddNode("pre", Append(""));
  WorkflowNodeSettings once;
  once.retry_attempts = 0;
  AddNode(
      "a",
      [&](const Call&) -> Result<std::string> {
        running.Wait();
        return Internal("broken");
      },
      once);
  AddNode("b", [&](const Call&) -> Result<std::string> {
    running.Open();
    release.Wait();
    return std::string("late");
  });
  const WorkflowOutcome outcome = Begin({{"pre", "a"}, {"pre", "b"}}).get();
  EXPECT_THAT(outcome.error.message, HasSubstr("Error executing a: broken"));
  release.Open();
  Drain();
}

TEST_F(WorkflowRunTest, DropsWhatIsQueued_WhenTheClientGoes) {
  Latch release, running;
  AddNode("m", [&](const Call&) -> Result<std::string> {
    running.Open();
    release.Wait();
    return std::string("first");
  });
  auto first = Begin({});
  running.Wait();
  cancelled_ = std::make_shared<std::atomic<bool>>(false);  // of the second one alone
  auto second = Begin({});
  cancelled_->store(true);
  release.Open();
  EXPECT_TRUE(first.get().error.ok());
  const WorkflowOutcome outcome = second.get();
  EXPECT_TRUE(outcome.cancelled);
  EXPECT_EQ(CallsOf("m").size(), 1u);
  EXPECT_EQ(deadlines_.size(), 0u);
  Drain();
}

TEST_F(WorkflowRunTest, StartsNoNodeForAClientThatHasGone) {
  AddNode("pre", [&](const Call&) -> Result<std::string> {
    cancelled_->store(true);
    return std::string("x");
  });
  AddNode("m", Append(""));
  EXPECT_TRUE(Begin({{"pre", "m"}}).get().cancelled);
  EXPECT_TRUE(CallsOf("m").empty());
}

TEST_F(WorkflowRunTest, SaysThatANodeIsOverloaded) {
  Latch release, running;
  WorkflowNodeSettings once;
  once.retry_attempts = 0;
  AddNode(
      "m",
      [&](const Call&) -> Result<std::string> {
        running.Open();
        release.Wait();
        return std::string("x");
      },
      once, 1);
  auto first = Begin({});
  running.Wait();
  auto second = Begin({});
  const WorkflowOutcome third = Begin({}).get();
  EXPECT_EQ(third.error.fault, StoreFault::kUnavailable);
  EXPECT_THAT(third.error.message, HasSubstr("Error executing m: "));
  release.Open();
  EXPECT_TRUE(first.get().error.ok());
  EXPECT_TRUE(second.get().error.ok());
  Drain();
}

TEST_F(WorkflowRunTest, SaysThatANodesModelHasGone) {
  AddNode("m", Append(""));
  registry_.RemoveModel("flow__m");
  const WorkflowOutcome outcome = Begin({}).get();
  EXPECT_EQ(outcome.error.fault, StoreFault::kInternal);
  EXPECT_THAT(outcome.error.message, HasSubstr("flow__m"));
}

TEST_F(WorkflowRunTest, TakesManyAtOnce) {
  AddNode("pre", Append("+"));
  AddNode("a", Append("a"));
  AddNode("b", Append("b"));
  AddNode("post", Append(""));
  std::vector<std::future<WorkflowOutcome>> outcomes;
  for (int i = 0; i < 50; ++i) {
    outcomes.push_back(
        Begin({{"pre", "a"}, {"pre", "b"}, {"a", "post"}, {"b", "post"}}, std::to_string(i)));
  }
  for (int i = 0; i < 50; ++i) {
    const WorkflowOutcome outcome = outcomes[static_cast<std::size_t>(i)].get();
    ASSERT_TRUE(outcome.error.ok()) << outcome.error.message;
    EXPECT_EQ(Text(outcome.leaves[0]), fmt::format("{0}+a{0}+b", i));
  }
}

}  // namespace
}  // namespace headrace::store
