#include "profiling/flame_graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "profiling/profile.h"

namespace headrace::profiling {
namespace {

RecordedBatch BatchOf(std::string instance, std::int64_t thread, Nanos start, Nanos end) {
  return {.instance = std::move(instance),
          .thread_id = thread,
          .formed = start,
          .started = start,
          .ended = end,
          .batch_size = 2,
          .requests = {}};
}

std::string StacksOf(const Profile& profile) {
  const auto root = FlameGraphOf(ProfileDocument(profile));
  EXPECT_TRUE(root.ok()) << root.status().message();
  return CollapsedStacks(*root);
}

Profile TwoBatches() {
  Profile profile;
  profile.model = "m";
  profile.ended = kSecond;
  profile.batches.batches = {BatchOf("m_0", 7, 1'000, 11'000), BatchOf("m_0", 7, 20'000, 30'000)};
  profile.operators.emplace();
  return profile;
}

TEST(FlameGraphTest, NestsOperatorsInBatchesOfInstances) {
  Profile profile = TwoBatches();
  profile.operators->events = {
      {.name = "conv", .kind = "Conv", .start = 500, .duration = 8'000, .thread = 7},
      {.name = "aten::copy_", .start = 2'000, .duration = 1'000, .thread = 7},
      {.name = "conv", .kind = "Conv", .start = 21'000, .duration = 4'000, .thread = 7},
      {.name = "outside", .start = 40'000, .duration = 4'000, .thread = 7},
      {.name = "elsewhere", .start = 21'000, .duration = 4'000, .thread = 8}};
  EXPECT_EQ(StacksOf(profile),
            "server;m;instance m_0;batch of 2 8000\n"
            "server;m;instance m_0;batch of 2;conv (Conv) 11000\n"
            "server;m;instance m_0;batch of 2;conv (Conv);aten::copy_ 1000\n");
  const auto root = FlameGraphOf(ProfileDocument(profile));
  const FlameFrame& conv = root->children[0].children[0].children[0].children[0];
  EXPECT_EQ(conv.count, 2u);
  EXPECT_EQ(conv.kind, FlameFrame::Kind::kOperator);
  EXPECT_EQ(conv.children[0].kind, FlameFrame::Kind::kCopy);
}

TEST(FlameGraphTest, HasLinesOfTheSourceBetweenBatchAndOperator) {
  Profile profile = TwoBatches();
  profile.operators->events = {{.name = "a",
                                .stack = "net.py(3): forward;net.py(9): block",
                                .start = 1'000,
                                .duration = 3'000,
                                .thread = 7},
                               {.name = "b",
                                .stack = "net.py(3): forward;net.py(9): block",
                                .start = 2'000,
                                .duration = 1'000,
                                .thread = 7},
                               {.name = "c;d",
                                .stack = "net.py(3): forward",
                                .start = 5'000,
                                .duration = 2'000,
                                .thread = 7}};
  EXPECT_EQ(StacksOf(profile),
            "server;m;instance m_0;batch of 2 15000\n"
            "server;m;instance m_0;batch of 2;net.py(3): forward;net.py(9): block;a 2000\n"
            "server;m;instance m_0;batch of 2;net.py(3): forward;net.py(9): block;a;b 1000\n"
            "server;m;instance m_0;batch of 2;net.py(3): forward;c:d 2000\n");
}

// TorchScript's "forward" has no line itself.
TEST(FlameGraphTest, HasLinesOfTheSourceWithinAnOperator_ThatHasNone) {
  Profile profile = TwoBatches();
  profile.operators->events = {
      {.name = "forward", .start = 1'000, .duration = 9'000, .thread = 7},
      {.name = "a", .stack = "net.py(3): f", .start = 2'000, .duration = 3'000, .thread = 7},
      {.name = "b", .stack = "net.py(3): f", .start = 2'000, .duration = 2'000, .thread = 7},
      {.name = "c", .stack = "net.py(4): f", .start = 6'000, .duration = 1'000, .thread = 7}};
  EXPECT_EQ(StacksOf(profile),
            "server;m;instance m_0;batch of 2 11000\n"
            "server;m;instance m_0;batch of 2;forward 5000\n"
            "server;m;instance m_0;batch of 2;forward;net.py(3): f;a 1000\n"
            "server;m;instance m_0;batch of 2;forward;net.py(3): f;a;b 2000\n"
            "server;m;instance m_0;batch of 2;forward;net.py(4): f;c 1000\n");
}

TEST(FlameGraphTest, HasTheDeviceBesideTheModel) {
  Profile profile = TwoBatches();
  profile.operators->events = {
      {.name = "kernel", .start = 3'000, .duration = 6'000, .thread = 0, .on_device = true}};
  EXPECT_EQ(StacksOf(profile),
            "server;m;instance m_0;batch of 2 20000\n"
            "server;GPU;kernel 6000\n");
}

TEST(FlameGraphTest, HasSumsOfRuntimesWithoutATimeline) {
  Profile profile = TwoBatches();
  profile.operators->totals = {
      {.name = "n1", .kind = "Conv", .count = 2, .total = 9'000, .self = 9'000}};
  EXPECT_EQ(StacksOf(profile),
            "server;m;all batches 11000\n"
            "server;m;all batches;n1 (Conv) 9000\n");
}

TEST(FlameGraphTest, HasSampledFunctions_BesideTheModel_ByBatchAndOperator) {
  Profile profile = TwoBatches();
  profile.operators->events = {{.name = "conv", .start = 1'000, .duration = 8'000, .thread = 7},
                               {.name = "inner", .start = 2'000, .duration = 4'000, .thread = 7}};
  profile.cpu = {.period = 1'000};
  profile.cpu->functions = {{.place = {"gemm", "lib.so"}}, {.place = {"poll", "libc.so"}}};
  profile.cpu->samples = {
      {.at = 3'000, .thread = 7, .function = 0}, {.at = 4'000, .thread = 7, .function = 0},
      {.at = 8'000, .thread = 7, .function = 0}, {.at = 15'000, .thread = 7, .function = 1},
      {.at = 3'000, .thread = 8, .function = 0}, {.at = 3'000, .thread = 9, .function = 1}};
  profile.cpu->thread_names = {{7, "m_0"}, {8, "pool"}};
  EXPECT_EQ(StacksOf(profile),
            "server;m;instance m_0;batch of 2 12000\n"
            "server;m;instance m_0;batch of 2;conv 4000\n"
            "server;m;instance m_0;batch of 2;conv;inner 4000\n"
            "server;CPU (sampled);instance m_0;batch of 2;conv;inner;gemm 2000\n"
            "server;CPU (sampled);instance m_0;batch of 2;conv;gemm 1000\n"
            "server;CPU (sampled);instance m_0;between batches;poll 1000\n"
            "server;CPU (sampled);thread pool;gemm 1000\n"
            "server;CPU (sampled);other threads;poll 1000\n");
  const auto root = FlameGraphOf(ProfileDocument(profile));
  EXPECT_EQ(root->children[1].kind, FlameFrame::Kind::kFunction);
  EXPECT_EQ(root->children[1].total, 6'000);
}

TEST(FlameGraphTest, TakesTheDeepestForAPartOfWhatCalledThem) {
  Profile profile = TwoBatches();
  for (Nanos i = 0; i < 1000; ++i) {
    profile.operators->events.push_back(
        {.name = "f", .start = 1'000, .duration = 9'000 - i, .thread = 7});
  }
  const auto root = FlameGraphOf(ProfileDocument(profile));
  ASSERT_TRUE(root.ok());
  std::size_t depth = 0;
  for (const FlameFrame* frame = &*root; !frame->children.empty(); ++depth) {
    frame = &frame->children[0];
  }
  EXPECT_EQ(depth, FrameTree::kDepthMax);
}

TEST(FlameGraphTest, OfNoTraffic_IsEmpty) {
  Profile profile;
  profile.model = "m";
  EXPECT_EQ(StacksOf(profile), "");
}

TEST(FlameGraphTest, RefusesWhatIsNoProfile) {
  EXPECT_FALSE(FlameGraphOf("").ok());
  EXPECT_FALSE(FlameGraphOf(R"({"traceEvents": []})").ok());
}

}  // namespace
}  // namespace headrace::profiling
