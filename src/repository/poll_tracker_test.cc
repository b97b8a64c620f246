#include "repository/poll_tracker.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "repository/repository_poller.h"

namespace headrace::repository {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

class PollTrackerTest : public testing::Test {
 protected:
  // "load x" and "unload x".
  std::vector<std::string> Compare(bool settled = false) {
    const auto changes = tracker_.Compare(look_, settled);
    std::vector<std::string> lines;
    for (const std::string& name : changes.load) {
      lines.push_back("load " + name);
    }
    for (const std::string& name : changes.unload) {
      lines.push_back("unload " + name);
    }
    return lines;
  }
  void See(const std::string& name, std::uint64_t fingerprint,
           const std::string& repository = "r") {
    look_.models[name] = {fingerprint, repository};
  }

  PollTracker tracker_;
  PollTracker::Look look_;
};

TEST_F(PollTrackerTest, KnowsWhatWasThereAtTheStart) {
  See("a", 1);
  tracker_.Begin(look_);
  EXPECT_THAT(Compare(), IsEmpty());
  EXPECT_THAT(Compare(), IsEmpty());
}

TEST_F(PollTrackerTest, ReportsAnAddition_OnceTwoLooksAgree) {
  See("a", 1);
  EXPECT_THAT(Compare(), IsEmpty());
  See("a", 2);
  EXPECT_THAT(Compare(), IsEmpty()) << "it grows";
  See("a", 3);
  EXPECT_THAT(Compare(), IsEmpty());
  EXPECT_THAT(Compare(), ElementsAre("load a"));
  EXPECT_THAT(Compare(), IsEmpty()) << "also when it failed to load";
}

TEST_F(PollTrackerTest, ReportsAModification_OnceTwoLooksAgree) {
  See("a", 1);
  See("b", 1);
  tracker_.Begin(look_);
  See("a", 2);
  EXPECT_THAT(Compare(), IsEmpty());
  EXPECT_THAT(Compare(), ElementsAre("load a"));
  See("a", 3);
  EXPECT_THAT(Compare(), IsEmpty());
  See("a", 2);
  EXPECT_THAT(Compare(), IsEmpty());
  EXPECT_THAT(Compare(), IsEmpty()) << "back to what is loaded";
}

TEST_F(PollTrackerTest, ReportsADeletion_OnceTwoLooksAgree) {
  See("a", 1);
  tracker_.Begin(look_);
  look_.models.clear();
  EXPECT_THAT(Compare(), IsEmpty());
  See("a", 1);
  EXPECT_THAT(Compare(), IsEmpty()) << "it was only being replaced";
  look_.models.clear();
  EXPECT_THAT(Compare(), IsEmpty());
  EXPECT_THAT(Compare(), ElementsAre("unload a"));
  EXPECT_THAT(Compare(), IsEmpty());
}

TEST_F(PollTrackerTest, ForgetsWhatVanishesBeforeItWasTaken) {
  See("a", 1);
  EXPECT_THAT(Compare(), IsEmpty());
  look_.models.clear();
  EXPECT_THAT(Compare(), IsEmpty());
  EXPECT_THAT(Compare(), IsEmpty());
}

TEST_F(PollTrackerTest, OneLookIsEnough_WhenItIsSettled) {
  See("a", 1);
  EXPECT_THAT(Compare(true), ElementsAre("load a"));
  See("a", 2);
  See("b", 1);
  EXPECT_THAT(Compare(true), ElementsAre("load a", "load b"));
  look_.models.erase("a");
  EXPECT_THAT(Compare(true), ElementsAre("unload a"));
}

TEST_F(PollTrackerTest, KeepsTheModelsOfAnUnreadableRepository) {
  See("a", 1, "r");
  See("b", 1, "s");
  tracker_.Begin(look_);
  look_.models.clear();
  look_.unreadable = {"r"};
  EXPECT_THAT(Compare(), IsEmpty());
  EXPECT_THAT(Compare(), ElementsAre("unload b"));
  EXPECT_THAT(Compare(true), IsEmpty());
  look_.unreadable.clear();
  See("a", 1, "r");
  EXPECT_THAT(Compare(), IsEmpty());
}

TEST(RepositoryPollerTest, LooksAgainAndAgain_UntilItIsStopped) {
  std::atomic<int> looks{0};
  RepositoryPoller poller(kMicrosecond, [&looks] { ++looks; });
  while (looks < 3) {
    std::this_thread::yield();
  }
  poller.Stop();
  const int seen = looks;
  poller.Stop();
  EXPECT_EQ(looks, seen);
}

TEST(RepositoryPollerTest, Stop_DoesNotWaitForTheInterval) {
  RepositoryPoller poller(3600 * kSecond, [] { FAIL(); });
  poller.Stop();
}

}  // namespace
}  // namespace headrace::repository
