#include "bench/background_load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/file_writer.h"
#include "load/testing/stub_server.h"

namespace headrace::bench {
namespace {

using ::testing::HasSubstr;

BenchOptions ClosedLoad(std::uint16_t port) {
  auto options = ParseBenchOptions({"-i", "raw", "--path", "/work", "--url",
                                    "127.0.0.1:" + std::to_string(port), "--concurrency", "2",
                                    "--duration", "unlimited", "--warmup", "0"});
  EXPECT_TRUE(options.ok()) << options.status().message();
  return *std::move(options);
}

TEST(BackgroundLoadTest, SendsUntilStop) {
  load::StubServer server([](const load::StubRequest&) {
    return load::StubReply{.bytes = load::HttpAnswer(200, "{}")};
  });
  auto load = BackgroundLoad::Start(ClosedLoad(server.port()));
  ASSERT_TRUE(load.ok()) << load.status().message();
  server.WaitForRequests(20);
  const auto level = (*load)->Stop();
  ASSERT_TRUE(level.ok()) << level.status().message();
  EXPECT_GE(level->sent_count, 20u);
  EXPECT_THAT(LoadLine(*level), HasSubstr("closed, 2 at a time: "));
  EXPECT_THAT(LoadLine(*level), Not(HasSubstr("failed")));
}

TEST(BackgroundLoadTest, LineNamesFailures) {
  load::StubServer server([](const load::StubRequest&) {
    return load::StubReply{.bytes = load::HttpAnswer(500, R"({"error": "no such luck"})")};
  });
  auto load = BackgroundLoad::Start(ClosedLoad(server.port()));
  ASSERT_TRUE(load.ok()) << load.status().message();
  server.WaitForRequests(5);
  const auto level = (*load)->Stop();
  ASSERT_TRUE(level.ok()) << level.status().message();
  EXPECT_THAT(LoadLine(*level), HasSubstr("requests failed"));
  EXPECT_THAT(LoadLine(*level), HasSubstr("no such luck"));
}

TEST(BackgroundLoadTest, Start_SaysWhyNothingIsSent) {
  std::uint16_t port = 0;
  {
    const load::StubServer server([](const load::StubRequest&) { return load::StubReply{}; });
    port = server.port();
  }
  const auto load = BackgroundLoad::Start(ClosedLoad(port));
  ASSERT_FALSE(load.ok());
  EXPECT_THAT(load.status().message(), HasSubstr(std::to_string(port)));
}

TEST(CheckWritableTest, LeavesFilesAsTheyAre) {
  const std::string path = ::testing::TempDir() + "/writable_" + std::to_string(getpid());
  EXPECT_TRUE(CheckWritable(path).ok());
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
  ASSERT_TRUE(WriteFile(path, "kept").ok());
  EXPECT_TRUE(CheckWritable(path).ok());
  struct stat found {};
  ASSERT_EQ(::stat(path.c_str(), &found), 0);
  EXPECT_EQ(found.st_size, 4);
  ::unlink(path.c_str());
  EXPECT_THAT(CheckWritable(path + "/none/file").message(), HasSubstr("/none/file"));
}

}  // namespace
}  // namespace headrace::bench
