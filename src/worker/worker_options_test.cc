#include "worker/worker_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::worker {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::string ErrorOf(const std::string& key, const std::string& value) {
  return ParseWorkerOptions({{key, value}}).status().ToString();
}

TEST(WorkerOptions, HaveDefaults) {
  const auto parsed = ParseWorkerOptions({});
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->options.interpreter, "python3");
  EXPECT_EQ(parsed->options.data_byte_size, 1U << 30);
  EXPECT_EQ(parsed->options.response_timeout, std::nullopt);
  EXPECT_TRUE(parsed->options.confinement.system_calls);
  EXPECT_FALSE(parsed->options.confinement.no_network);
}

TEST(WorkerOptions, TakeEveryKey) {
  const auto parsed = ParseWorkerOptions({{"interpreter", "/opt/py/bin/python"},
                                          {"data-byte-size", "67108864"},
                                          {"start-timeout-seconds", "7"},
                                          {"restart-give-up-seconds", "0"},
                                          {"response-timeout-seconds", "120"},
                                          {"memory-byte-size-max", "1000000000"},
                                          {"file-byte-size-max", "5"},
                                          {"open-files-max", "100"},
                                          {"processes-max", "50"},
                                          {"sandbox", "on"},
                                          {"network", "off"},
                                          {"environment", "HF_TOKEN;PROXY,,X"},
                                          {"default-max-batch-size", "4"}});
  ASSERT_TRUE(parsed.ok()) << parsed.status().ToString();
  EXPECT_THAT(parsed->warnings, IsEmpty());
  const WorkerOptions& options = parsed->options;
  EXPECT_EQ(options.interpreter, "/opt/py/bin/python");
  EXPECT_EQ(options.data_byte_size, 67108864U);
  EXPECT_EQ(options.life.start_timeout, 7 * kSecond);
  EXPECT_EQ(options.life.give_up, 0);
  EXPECT_EQ(options.response_timeout, 120 * kSecond);
  EXPECT_EQ(options.limits.address_space_bytes_max, 1000000000U);
  EXPECT_EQ(options.limits.file_bytes_max, 5U);
  EXPECT_EQ(options.limits.open_files_max, 100U);
  EXPECT_EQ(options.limits.processes_max, 50U);
  EXPECT_TRUE(options.confinement.no_network);
  EXPECT_THAT(options.environment, ElementsAre("HF_TOKEN", "PROXY", "X"));
}

TEST(WorkerOptions, BadValuesAreRefusedByName) {
  EXPECT_EQ(ErrorOf("start-timeout-seconds", "0"),
            "INVALID_ARGUMENT: --backend-config=python,start-timeout-seconds=0: must be a number "
            "of seconds from 1 to 31536000");
  for (const auto& [key, value] :
       std::map<std::string, std::string>{{"data-byte-size", "1000"},
                                          {"memory-byte-size-max", "1GB"},
                                          {"open-files-max", "-1"},
                                          {"sandbox", "maybe"},
                                          {"environment", "A=B"},
                                          {"interpreter", ""},
                                          {"second-batch", "yes"},
                                          {"response-timeout-seconds", "1.5"}}) {
    EXPECT_THAT(ErrorOf(key, value), HasSubstr("--backend-config=python," + key + "=" + value));
  }
  EXPECT_THAT(ParseWorkerOptions({{"sandbox", "off"}, {"network", "off"}}).status().message(),
              HasSubstr("network=off needs sandbox=on"));
}

TEST(WorkerOptions, TritonsKeysAreCheckedAndHaveNoEffect) {
  const auto parsed =
      ParseWorkerOptions({{"shm-default-byte-size", "1048576"}, {"shm-region-prefix-name", "x"}});
  ASSERT_TRUE(parsed.ok());
  EXPECT_THAT(parsed->warnings,
              ElementsAre(HasSubstr("shm-default-byte-size=1048576 has no effect"),
                          HasSubstr("shm-region-prefix-name=x has no effect")));
  EXPECT_THAT(ErrorOf("shm-default-byte-size", "1024"), HasSubstr("1048576 or more"));
  EXPECT_THAT(ErrorOf("shm-growth-byte-size", "0"), HasSubstr("1 or more"));
  EXPECT_THAT(ErrorOf("stub-timeout-seconds", "0"), HasSubstr("stub-timeout-seconds"));
  EXPECT_THAT(ErrorOf("shm-region-prefix-name", ""), HasSubstr("must not be empty"));
}

TEST(WorkerOptions, UnknownKeysAreNamed) {
  const auto parsed = ParseWorkerOptions({{"interpretor", "x"}});
  ASSERT_TRUE(parsed.ok());
  EXPECT_THAT(parsed->warnings, ElementsAre(AllOf(HasSubstr("interpretor=x: no such key"),
                                                  HasSubstr("interpreter"))));
}

}  // namespace
}  // namespace headrace::worker
