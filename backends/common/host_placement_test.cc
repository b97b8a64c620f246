#include "common/host_placement.h"

#include <gtest/gtest.h>

namespace headrace::backend {
namespace {

TEST(ThreadCountOfPolicyTest, ReadsWhatTheServerSays) {
  EXPECT_EQ(ThreadCountOfPolicy(R"({"cpu":{"cpu-cores":"0-1","thread-count":"2"}})"), 2);
}

TEST(ThreadCountOfPolicyTest, IsNothingWhereItIsNotSaidOrMakesNoSense) {
  for (const char* json :
       {"", "{}", "[]", R"({"cpu":{}})", R"({"cpu":{"thread-count":2}})", R"({"cpu":"x"})",
        R"({"cpu":{"thread-count":"two"}})", R"({"cpu":{"thread-count":"-1"}})",
        R"({"cpu":{"thread-count":"99999"}})", R"({"cpu":{"thread-count":"2 "}})"}) {
    EXPECT_EQ(ThreadCountOfPolicy(json), 0) << json;
  }
}

TEST(ProcessCoreCountTest, IsAtLeastOne) { EXPECT_GE(ProcessCoreCount(), 1); }

}  // namespace
}  // namespace headrace::backend
