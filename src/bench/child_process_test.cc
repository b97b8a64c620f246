#include "bench/child_process.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>

namespace headrace::bench {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ChildProcessTest : public testing::Test {
 protected:
  // Runs it until its outputs end.
  void Run(const std::string& script, const std::string& directory = "") {
    lines_.clear();
    auto child = Start(script, directory);
    ASSERT_TRUE(child.ok()) << child.status().message();
    ended_.wait(false);
    (*child)->Stop();
  }
  Result<std::unique_ptr<ChildProcess>> Start(const std::string& script,
                                              const std::string& directory = "",
                                              const std::string& program = "/bin/sh") {
    ended_ = false;
    return ChildProcess::Start(
        {.program = program,
         .arguments = {"sh", "-c", script},
         .environment = {"NAME=value"},
         .directory = directory,
         .on_line = [this](const std::string& line) { lines_.push_back(line); },
         .on_end =
             [this] {
               ended_ = true;
               ended_.notify_one();
             }});
  }

  std::vector<std::string> lines_;
  std::atomic<bool> ended_ = false;
};

TEST_F(ChildProcessTest, TellsWhatItPrintsOnBothOutputs) {
  Run("echo out; echo error >&2; echo $NAME; pwd; printf last", "/");
  EXPECT_THAT(lines_, ElementsAre("out", "error", "value", "/", "last"));
  Run("head -c 20000 /dev/zero | tr '\\0' x");
  ASSERT_EQ(lines_.size(), 1u);
  EXPECT_EQ(lines_[0].size(), 16u * 1024);
}

TEST_F(ChildProcessTest, Stop_SaysHowItEnded) {
  auto child = Start("exec sleep 1000");
  ASSERT_TRUE(child.ok());
  EXPECT_TRUE((*child)->Running());
  EXPECT_EQ((*child)->Stop(), 128 + 15);
  EXPECT_FALSE((*child)->Running());
  EXPECT_EQ((*child)->Stop(), 128 + 15);
}

TEST_F(ChildProcessTest, Stop_KillsWhatDoesNotListen) {
  const auto child = Start("trap '' TERM; exec >&-; exec sleep 1000 2>&-");
  ASSERT_TRUE(child.ok());
  ended_.wait(false);  // the signal is ignored by now
  EXPECT_EQ((*child)->Stop(kMillisecond), 128 + 9);
}

TEST_F(ChildProcessTest, Start_SaysWhatCannotBe) {
  EXPECT_THAT(Start("", "", "/none/such").status().message(),
              HasSubstr("'/none/such' cannot be started: No such file"));
  EXPECT_EQ(Start("", "/none/such").status().code(), StatusCode::kUnavailable);
}

}  // namespace
}  // namespace headrace::bench
