#include "tune/multi_journal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "tune/sample_json.h"

namespace headrace::tune {
namespace {

// Answers with figures that tell who was asked, and counts.
class CountingProber final : public Prober {
 public:
  explicit CountingProber(double mark) : mark_(mark) {}
  Nanos Now() override { return 0; }
  bool Stopped() override { return false; }
  Result<ServiceSample> Service(const Configuration&, std::int64_t, int, Nanos) override {
    ++count;
    ServiceSample sample;
    sample.mean = mark_;
    return sample;
  }
  Result<LoadSample> Load(const Configuration&, double, Nanos) override { return LoadSample(); }
  Result<CapacitySample> Capacity(const Configuration&, double, double, Nanos) override {
    return CapacitySample();
  }

  int count = 0;

 private:
  const double mark_;
};

class CountingProbers final : public MultiProber {
 public:
  Nanos Now() override { return 0; }
  bool Stopped() override { return false; }
  std::size_t size() const override { return 2; }
  Prober& model(std::size_t index) override { return models[index]; }
  Result<MixSample> Mix(const std::vector<Configuration>&, double rate, Nanos) override {
    ++count;
    return MixSample{{.rate = rate, .latency = kNever}, {.rate = 2 * rate, .requests = 7}};
  }

  CountingProber models[2] = {CountingProber(1), CountingProber(2)};
  int count = 0;
};

class MultiJournalTest : public testing::Test {
 protected:
  MultiJournalTest()
      : path_(testing::TempDir() + "/tune_multi_journal_" + std::to_string(getpid()) + ".ndjson") {
    std::filesystem::remove(path_);
  }
  ~MultiJournalTest() override { std::filesystem::remove(path_); }

  std::unique_ptr<MultiJournal> Open(CountingProbers& probers) {
    auto journal = MultiJournal::Open(path_, "a and b", {"a", "b"}, probers);
    EXPECT_TRUE(journal.ok()) << journal.status().message();
    return journal.ok() ? *std::move(journal) : nullptr;
  }

  const std::string path_;
  const Configuration one_{.shape = {1, 1}}, two_{.shape = {2, 1}};
};

TEST_F(MultiJournalTest, AnswersEachModelsSamplesAndThoseOfMixes) {
  MixSample before;
  {
    CountingProbers probers;
    const auto journal = Open(probers);
    ASSERT_TRUE(journal->model(0).Service(one_, 1, 1, kSecond).ok());
    ASSERT_TRUE(journal->model(1).Service(one_, 1, 1, kSecond).ok());
    before = *journal->Mix({one_, two_}, 50, kSecond);
  }
  CountingProbers probers;
  const auto journal = Open(probers);
  EXPECT_EQ(journal->model(1).Service(one_, 1, 1, kSecond)->mean, 2);
  EXPECT_EQ(journal->model(0).Service(one_, 1, 1, kSecond)->mean, 1);
  const MixSample after = *journal->Mix({one_, two_}, 50, kSecond);
  ASSERT_EQ(after.size(), 2u);
  EXPECT_EQ(ToJson(after[0]), ToJson(before[0]));
  EXPECT_EQ(ToJson(after[1]), ToJson(before[1]));
  EXPECT_EQ(journal->answered(), 3);
  EXPECT_EQ(probers.count + probers.models[0].count + probers.models[1].count, 0);
  // Whatever else is asked for is measured.
  EXPECT_EQ((*journal->Mix({two_, one_}, 50, kSecond))[1].requests, 7u);
  EXPECT_EQ(probers.count, 1);
}

TEST_F(MultiJournalTest, RefusesTheFileOfOneModel) {
  CountingProbers probers;
  ASSERT_TRUE(Journal::Open(path_, "a", probers.models[0]).ok());
  const auto journal = MultiJournal::Open(path_, "a and b", {"a", "b"}, probers);
  ASSERT_FALSE(journal.ok());
  EXPECT_THAT(journal.status().message(), testing::HasSubstr("another run"));
}

}  // namespace
}  // namespace headrace::tune
