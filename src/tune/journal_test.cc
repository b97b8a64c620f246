#include "tune/journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "tune/sample_json.h"
#include "tune/search.h"
#include "tune/testing/synthetic_machine.h"

namespace headrace::tune {
namespace {

using testing::HasSubstr;

class JournalTest : public testing::Test {
 protected:
  JournalTest()
      : path_(testing::TempDir() + "/tune_journal_" + std::to_string(getpid()) + ".ndjson") {
    std::filesystem::remove(path_);
  }
  ~JournalTest() override { std::filesystem::remove(path_); }

  const std::string path_;
  const Target target_{.sla = 100 * kMillisecond};
  const MachineSpec spec_{.cores = 2, .tau_ms = 8, .alpha_ms = 1};
  const SearchSpace space_ =
      MakeSpace({{.thread_parameter = "t"}},
                {.batch_max = 4, .instances_max = 2, .cores = 2, .sla = target_.sla});
  const SearchOptions options_{
      .target = target_, .budget = 30 * kSecond, .simulated_requests = 500};
};

TEST_F(JournalTest, GoesOnWhereAnInterruptedRunWas) {
  {
    SyntheticMachine machine(spec_, target_);
    machine.StopAt(12 * kSecond);
    auto journal = Journal::Open(path_, "m p99", machine);
    ASSERT_TRUE(journal.ok()) << journal.status().message();
    EXPECT_TRUE(Search(space_, options_, **journal).interrupted);
  }
  SyntheticMachine machine(spec_, target_);
  auto journal = Journal::Open(path_, "m p99", machine);
  ASSERT_TRUE(journal.ok());
  const SearchReport report = Search(space_, options_, **journal);
  EXPECT_GT((*journal)->answered(), 5);
  EXPECT_TRUE(report.winner);
}

TEST_F(JournalTest, RefusesAnotherRunsFile) {
  SyntheticMachine machine(spec_, target_);
  ASSERT_TRUE(Journal::Open(path_, "m p99", machine).ok());
  const auto other = Journal::Open(path_, "n p50", machine);
  ASSERT_FALSE(other.ok());
  EXPECT_THAT(other.status().message(), HasSubstr("n p50"));
}

TEST_F(JournalTest, LeavesOtherFilesAlone) {
  std::ofstream(path_) << "{\"precious\": 1}\n";
  SyntheticMachine machine(spec_, target_);
  ASSERT_FALSE(Journal::Open(path_, "m", machine).ok());
  EXPECT_EQ(std::filesystem::file_size(path_), 16u);
}

TEST_F(JournalTest, PassesOverALineThatWasCutShort) {
  const Configuration one{.shape = {1, 1}};
  {
    SyntheticMachine machine(spec_, target_);
    auto journal = Journal::Open(path_, "m", machine);
    ASSERT_TRUE((*journal)->Load(one, 10, kSecond).ok());
  }
  const auto size = std::filesystem::file_size(path_);
  std::filesystem::resize_file(path_, size - 20);
  SyntheticMachine machine(spec_, target_);
  auto journal = Journal::Open(path_, "m", machine);
  ASSERT_TRUE(journal.ok());
  ASSERT_TRUE((*journal)->Load(one, 10, kSecond).ok());
  EXPECT_EQ((*journal)->answered(), 0);
  EXPECT_EQ(machine.load_count(), 1);
}

TEST_F(JournalTest, KeepsEveryFieldOfASample) {
  LoadSample before;
  {
    SyntheticMachine machine(spec_, target_);
    auto journal = Journal::Open(path_, "m", machine);
    before = *(*journal)->Load({.shape = {1, 1}}, 50, 2 * kSecond);
  }
  SyntheticMachine machine(spec_, target_);
  auto journal = Journal::Open(path_, "m", machine);
  const LoadSample after = *(*journal)->Load({.shape = {1, 1}}, 50, 2 * kSecond);
  EXPECT_EQ(machine.load_count(), 0);
  EXPECT_EQ(ToJson(after), ToJson(before));
  EXPECT_EQ(after.latency, before.latency);
  EXPECT_GT(after.requests, 0u);
}

}  // namespace
}  // namespace headrace::tune
