#include "torchserve/log_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

namespace headrace::torchserve {
namespace {

using testing::HasSubstr;
using testing::MatchesRegex;
using testing::Not;

std::string Read(const std::string& path) {
  std::stringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

class LogWriterTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "logXXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    ASSERT_EQ(::pipe2(console_, O_CLOEXEC), 0);
    options_.log_directory = directory_ + "/a/l";
    options_.metrics_directory = directory_ + "/m";
    options_.console_fd = console_[1];
  }
  void TearDown() override {
    ::close(console_[0]);
    ::close(console_[1]);
    std::filesystem::remove_all(directory_);
  }

  // What the console has got; less than a pipe holds.
  std::string Console() {
    std::string text(64 * 1024, '\0');
    const ssize_t count = ::read(console_[0], text.data(), text.size());
    text.resize(count < 0 ? 0 : static_cast<std::size_t>(count));
    return text;
  }

  std::string directory_;
  int console_[2] = {-1, -1};
  LogWriterOptions options_;
};

constexpr char kTime[] =
    "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]T[0-9][0-9]:[0-9][0-9]:[0-9][0-9],[0-9][0-9][0-9]";

TEST_F(LogWriterTest, Lines_HaveTorchServesForms) {
  LogWriter writer(options_);
  writer.Write(LogName::kTsMetrics, LogLevel::kInfo, "W-9000-m_1.0",
               "QueueTime.Milliseconds:0.25|#Level:Host|#hostname:h,timestamp:1");
  writer.Flush();
  const std::string metric = "QueueTime.Milliseconds:0.25|#Level:Host|#hostname:h,timestamp:1\n";
  // The benchmark takes the fourth field between colons, before the first bar.
  EXPECT_THAT(Console(), MatchesRegex(std::string(kTime) +
                                      " \\[INFO \\] W-9000-m_1.0 TS_METRICS - QueueTime.*\n"));
  EXPECT_THAT(Read(directory_ + "/m/ts_metrics.log"),
              MatchesRegex(std::string(kTime) + " - QueueTime.*\n"));
  EXPECT_THAT(Read(directory_ + "/m/ts_metrics.log"), HasSubstr(metric));
}

TEST_F(LogWriterTest, Lines_GoToTheFilesOfTheirNames) {
  {
    LogWriter writer(options_);
    writer.Write(LogName::kServer, LogLevel::kWarning, "main", "one");
    writer.Write(LogName::kAccess, LogLevel::kInfo, "main", "two");
    writer.Write(LogName::kModel, LogLevel::kError, "main", "three");
    writer.Write(LogName::kModelMetrics, LogLevel::kInfo, "main", "four");
    writer.WritePlain("five");
  }
  EXPECT_THAT(Read(directory_ + "/a/l/ts_log.log"), HasSubstr("[WARN ] main headrace - one\n"));
  EXPECT_THAT(Read(directory_ + "/a/l/access_log.log"), HasSubstr(" - two\n"));
  EXPECT_THAT(Read(directory_ + "/a/l/model_log.log"), HasSubstr("[ERROR] main MODEL_LOG - three"));
  EXPECT_THAT(Read(directory_ + "/m/model_metrics.log"), HasSubstr(" - four\n"));
  EXPECT_THAT(Console(), HasSubstr("MODEL_METRICS - four\nfive\n"));
}

TEST_F(LogWriterTest, Message_IsOneLine_WhateverIsInIt) {
  LogWriter writer(options_);
  writer.Write(LogName::kModel, LogLevel::kInfo, "a\nb", "x\ny\x1b[2J\tz\x7f\n");
  writer.Write(LogName::kModel, LogLevel::kInfo, "t", std::string(100'000, 'y'));
  writer.Flush();
  const std::string text = Read(directory_ + "/a/l/model_log.log");
  EXPECT_THAT(text, HasSubstr(" a\\nb MODEL_LOG - x\\ny\\x1b[2J z\\x7f\n"));
  EXPECT_THAT(text, HasSubstr("yyy...\n"));
  EXPECT_LT(text.size(), 70'000u);
}

TEST_F(LogWriterTest, Writer_DropsWhatAStuckConsoleDoesNotTake_AndFilesGoOn) {
  LogWriter writer(options_);
  const std::string line(10'000, 'x');
  for (int i = 0; i < 20; ++i) {
    writer.Write(LogName::kServer, LogLevel::kInfo, "t", line);
    writer.Flush();
  }
  EXPECT_GT(writer.dropped(), 0u);
  EXPECT_GT(Read(directory_ + "/a/l/ts_log.log").size(), 200'000u);
}

TEST_F(LogWriterTest, Writer_DropsWhatIsTooMuch_AndCountsIt) {
  options_.waiting_byte_size_max = 1;
  LogWriter writer(options_);
  writer.Write(LogName::kServer, LogLevel::kInfo, "t", "lost");
  writer.Flush();
  EXPECT_EQ(writer.dropped(), 1u);
  EXPECT_THAT(Read(directory_ + "/a/l/ts_log.log"), Not(HasSubstr("lost")));
}

TEST_F(LogWriterTest, Writer_GoesOnWithoutFiles_WhereNoneCanBe) {
  std::ofstream(directory_ + "/file") << "x";
  options_.log_directory = directory_ + "/file/l";
  LogWriter writer(options_);
  writer.Write(LogName::kServer, LogLevel::kInfo, "t", "said");
  writer.Flush();
  EXPECT_THAT(Console(), testing::AllOf(HasSubstr("there are no log files"), HasSubstr("said")));
}

class LogFileTest : public LogWriterTest {
 protected:
  std::string Stem() const { return directory_ + "/f"; }
};

TEST_F(LogFileTest, File_BeginsAnew_WhenItIsFull_AndKeepsSoMany) {
  LogFile file(Stem(), {.byte_size_max = 10, .kept_count = 2});
  for (const char* line : {"1aaaaaa\n", "2aaaaaa\n", "3aaaaaa\n", "4aaaaaa\n"}) {
    EXPECT_TRUE(file.Append(line, 1'000'000));
  }
  EXPECT_EQ(Read(Stem() + ".log"), "4aaaaaa\n");
  EXPECT_EQ(Read(Stem() + ".1.log"), "3aaaaaa\n");
  EXPECT_EQ(Read(Stem() + ".2.log"), "2aaaaaa\n");
  EXPECT_FALSE(std::filesystem::exists(Stem() + ".3.log"));
}

TEST_F(LogFileTest, File_BeginsAnew_OnAnotherDay) {
  constexpr std::time_t kNoon = 1'700'000'000;
  LogFile file(Stem(), {});
  EXPECT_TRUE(file.Append("a\n", kNoon));
  EXPECT_TRUE(file.Append("b\n", kNoon + 1));
  EXPECT_TRUE(file.Append("c\n", kNoon + 24 * 3600));
  EXPECT_EQ(Read(Stem() + ".1.log"), "a\nb\n");
  EXPECT_EQ(Read(Stem() + ".log"), "c\n");
}

TEST_F(LogFileTest, File_GoesOnWhereItWas_AndOverAnOldOneWhenItMust) {
  std::ofstream(Stem() + ".log") << "before\n";
  LogFile file(Stem(), {});
  EXPECT_TRUE(file.Append("now\n", std::time(nullptr)));
  EXPECT_EQ(Read(Stem() + ".log"), "before\nnow\n");
}

TEST_F(LogFileTest, File_ComesBack_WhenItsPlaceDoes) {
  const std::string folder = directory_ + "/gone";
  LogFile file(folder + "/f", {});
  EXPECT_FALSE(file.Append("a\n", 0));
  std::filesystem::create_directory(folder);
  EXPECT_TRUE(file.Append("b\n", 0));
  EXPECT_EQ(Read(folder + "/f.log"), "b\n");
}

}  // namespace
}  // namespace headrace::torchserve
