#include "base/log.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <thread>
#include <vector>

#include "base/unique_fd.h"

namespace headrace {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;

// Sends the log to a file of the test's own, and back to the defaults afterwards.
class LogTest : public ::testing::Test {
 protected:
  LogTest() {
    path_ = ::testing::TempDir() + "headrace_log_XXXXXX";
    UniqueFd file(::mkstemp(path_.data()));
    EXPECT_TRUE(file.valid());
    options_.file = path_;
  }
  ~LogTest() override {
    EXPECT_TRUE(ConfigureLog({}).ok());
    std::remove(path_.c_str());
  }

  void Configure() { ASSERT_TRUE(ConfigureLog(options_).ok()); }
  std::string Written() const {
    std::stringstream text;
    text << std::ifstream(path_).rdbuf();
    return text.str();
  }

  std::string path_;
  LogOptions options_;
};

TEST_F(LogTest, DefaultFormat_IsOneQuotedLineWithUtcTimeAndShortFileName) {
  Configure();
  LogMessage(LogLevel::kInfo, "/a/b/server.cc", 42, "ready");
  LogMessage(LogLevel::kWarning, "server.cc", 1, "odd");
  LogMessage(LogLevel::kError, "x/y.cc", 7, "");
  EXPECT_THAT(Written(), ContainsRegex("^I[0-9]{4} [0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{6} [0-9]+ "
                                       "server\\.cc:42\\] \"ready\"\n"
                                       "W[0-9]{4} [^ ]+ [0-9]+ server\\.cc:1\\] \"odd\"\n"
                                       "E[0-9]{4} [^ ]+ [0-9]+ y\\.cc:7\\] \"\"\n$"));
  EXPECT_THAT(Written(), HasSubstr(" " + std::to_string(::getpid()) + " server.cc:42"));
}

TEST_F(LogTest, Iso8601Format_PutsTheLevelBehindTheTime) {
  options_.format = LogFormat::kIso8601;
  Configure();
  LogMessage(LogLevel::kError, "a.cc", 3, "broken");
  EXPECT_THAT(Written(),
              ContainsRegex("^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z E [0-9]+ "
                            "a\\.cc:3\\] \"broken\"\n$"));
}

TEST_F(LogTest, Message_CannotForgeAnEntry) {
  Configure();
  const std::string_view hostile("a\nE0101 00:00:00.000000 1 x.cc:1] \"owned\"\r\x1b[31m\0", 47);
  LogMessage(LogLevel::kInfo, "a.cc", 1, hostile);
  const std::string written = Written();
  EXPECT_EQ(std::count(written.begin(), written.end(), '\n'), 1);
  EXPECT_THAT(written,
              HasSubstr("a\\nE0101 00:00:00.000000 1 x.cc:1] \\\"owned\\\"\\r\\u001b[31m"));
}

TEST_F(LogTest, Levels_FilterAndCanChangeWhileTheTargetStays) {
  options_.info = false;
  options_.verbose_level = 2;
  Configure();
  EXPECT_FALSE(LogEnabled(LogLevel::kInfo));
  EXPECT_TRUE(LogEnabled(LogLevel::kWarning));
  EXPECT_TRUE(LogEnabled(LogLevel::kVerbose));
  EXPECT_TRUE(LogEnabled(LogLevel::kVerbose, 2));
  EXPECT_FALSE(LogEnabled(LogLevel::kVerbose, 3));
  HEADRACE_LOG_INFO("hidden {}", 1);
  HEADRACE_LOG_WARNING("shown {}", 2);
  HEADRACE_LOG_VERBOSE("also {}", 3);

  LogOptions changed;
  changed.file = "/nonexistent/never/opened";
  changed.warning = false;
  SetLogLevels(changed);
  HEADRACE_LOG_WARNING("gone");
  HEADRACE_LOG_INFO("back");
  const LogOptions now = CurrentLogOptions();
  EXPECT_EQ(now.file, path_);
  EXPECT_TRUE(now.info);
  EXPECT_FALSE(now.warning);
  EXPECT_EQ(now.verbose_level, 0);
  EXPECT_THAT(Written(), ContainsRegex("^W.*log_test\\.cc:[0-9]+\\] \"shown 2\"\nI.*\"also "
                                       "3\"\nI.*\"back\"\n$"));
}

TEST_F(LogTest, Table_FollowsItsHeadingAsItIs) {
  Configure();
  LogTable("", "+--+\n| a|\n+--+\n");
  LogTable("models", "x");
  EXPECT_THAT(Written(),
              ContainsRegex("^I.* log_test\\.cc:[0-9]+\\] \n\\+--\\+\n\\| a\\|\n\\+--\\+\n"
                            "\nI.*\\] \"models\"\nx\n\n$"));
}

TEST_F(LogTest, UnusableFile_IsRefusedAndTheOldTargetStays) {
  Configure();
  LogOptions bad;
  bad.file = ::testing::TempDir() + "no/such/folder/x.log";
  EXPECT_EQ(ConfigureLog(bad).code(), StatusCode::kInvalidArgument);
  LogMessage(LogLevel::kInfo, "a.cc", 1, "still here");
  EXPECT_THAT(Written(), HasSubstr("still here"));
}

TEST_F(LogTest, FullTarget_DropsEntriesAndCountsThem) {
  options_.file = "/dev/full";
  Configure();
  const std::uint64_t before = LogEntriesDropped();
  LogMessage(LogLevel::kInfo, "a.cc", 1, "lost");
  LogMessage(LogLevel::kError, "a.cc", 1, "lost too");
  EXPECT_EQ(LogEntriesDropped(), before + 2);
}

TEST_F(LogTest, StuckPipe_DropsEntriesInsteadOfBlockingAndRecoversOnALineOfItsOwn) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const UniqueFd reader(ends[0]);
  const UniqueFd writer(ends[1]);
  ASSERT_GE(::fcntl(writer.get(), F_SETPIPE_SZ, 4096), 4096);
  std::fflush(stdout);
  const UniqueFd saved_stdout(::dup(STDOUT_FILENO));
  ASSERT_TRUE(ConfigureLog({}).ok());
  ASSERT_EQ(::dup2(writer.get(), STDOUT_FILENO), STDOUT_FILENO);

  const std::uint64_t before = LogEntriesDropped();
  LogMessage(LogLevel::kInfo, "a.cc", 1, std::string(6000, 'x'));  // ends in the middle
  LogMessage(LogLevel::kInfo, "a.cc", 2, "dropped");
  const std::uint64_t dropped = LogEntriesDropped() - before;
  std::string text(8192, '\0');
  text.resize(static_cast<std::size_t>(::read(reader.get(), text.data(), text.size())));
  LogMessage(LogLevel::kInfo, "a.cc", 3, "after");
  std::string after(8192, '\0');
  after.resize(static_cast<std::size_t>(::read(reader.get(), after.data(), after.size())));

  ASSERT_EQ(::dup2(saved_stdout.get(), STDOUT_FILENO), STDOUT_FILENO);
  EXPECT_EQ(dropped, 2u);
  EXPECT_THAT(text, Not(HasSubstr("dropped")));
  EXPECT_THAT(after, ContainsRegex("^\nI.* a\\.cc:3\\] \"after\"\n$"));
}

TEST_F(LogTest, ManyThreads_WriteWholeLines) {
  Configure();
  constexpr int kThreads = 4;
  constexpr int kEntries = 200;
  std::vector<std::thread> threads;
  for (int i = 0; i < kThreads; ++i) {
    threads.emplace_back([i] {
      for (int n = 0; n < kEntries; ++n) {
        HEADRACE_LOG_INFO("{}", std::string(1 + n, static_cast<char>('a' + i)));
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  std::istringstream lines(Written());
  int count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const std::size_t quote = line.find('"');
    ASSERT_NE(quote, line.npos);
    const std::string message = line.substr(quote + 1, line.size() - quote - 2);
    EXPECT_EQ(message.find_first_not_of(message[0]), message.npos);
  }
  EXPECT_EQ(count, kThreads * kEntries);
}

TEST(EscapeForLogTest, PlainTextAndUtf8_StayAsTheyAre) {
  EXPECT_EQ(EscapeForLog("model 'a/b' ~"), "model 'a/b' ~");
  EXPECT_EQ(EscapeForLog("caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"),
            "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
  EXPECT_EQ(EscapeForLog(""), "");
}

TEST(EscapeForLogTest, WhatCouldMoveATerminal_IsEscaped) {
  EXPECT_EQ(EscapeForLog("\"\\\n\r\t"), "\\\"\\\\\\n\\r\\t");
  EXPECT_EQ(EscapeForLog(std::string_view("\0\x01\x1b\x7f", 4)), "\\u0000\\u0001\\u001b\\u007f");
  EXPECT_EQ(EscapeForLog("\xc2\x9b"), "\\u00c2\\u009b");             // C1 control
  EXPECT_EQ(EscapeForLog("\xe2\x80\xa8"), "\\u00e2\\u0080\\u00a8");  // line separator
}

TEST(EscapeForLogTest, BytesThatAreNotUtf8_AreEscapedOneByOne) {
  EXPECT_EQ(EscapeForLog("\xff"), "\\u00ff");
  EXPECT_EQ(EscapeForLog("\xc3"), "\\u00c3");                        // cut short
  EXPECT_EQ(EscapeForLog("\xc0\xaf"), "\\u00c0\\u00af");             // overlong
  EXPECT_EQ(EscapeForLog("\xe0\x80\xaf"), "\\u00e0\\u0080\\u00af");  // overlong
  EXPECT_EQ(EscapeForLog("\xed\xa0\x80"), "\\u00ed\\u00a0\\u0080");  // surrogate
  EXPECT_EQ(EscapeForLog("\xf4\x90\x80\x80"), "\\u00f4\\u0090\\u0080\\u0080");
  EXPECT_EQ(EscapeForLog("\xc3"
                         "a"),
            "\\u00c3a");
}

TEST(EscapeForLogTest, LongText_IsCutBetweenCharacters) {
  EXPECT_EQ(EscapeForLog(std::string(2000, 'a')), std::string(1021, 'a') + "...");
  EXPECT_EQ(EscapeForLog("abcdef", 6), "abcdef");
  EXPECT_EQ(EscapeForLog("abcdefg", 6), "abc...");
  EXPECT_EQ(EscapeForLog("ab\n\n\n", 6), "ab...");                    // no half escape
  EXPECT_EQ(EscapeForLog("ab\xe2\x82\xac\xe2\x82\xac", 6), "ab...");  // no half character
  EXPECT_EQ(EscapeForLog("abcdef", 2), "..");
  EXPECT_EQ(EscapeForLog("abcdef", 0), "");
}

}  // namespace
}  // namespace headrace
