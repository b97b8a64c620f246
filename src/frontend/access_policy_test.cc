#include "frontend/access_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace headrace::frontend {
namespace {

using ::testing::HasSubstr;
using enum OperationClass;

TEST(AccessPolicyTest, ARule_RestrictsItsClasses) {
  AccessPolicy policy;
  EXPECT_TRUE(policy.empty());
  ASSERT_TRUE(policy.AddRule("metadata,shared-memory:admin-key=a=b:c").ok());
  ASSERT_TRUE(policy.AddRule("health:h=1").ok());
  EXPECT_FALSE(policy.empty());
  ASSERT_NE(policy.KeyOf(kMetadata), nullptr);
  EXPECT_EQ(policy.KeyOf(kSharedMemory)->header, "admin-key");
  EXPECT_EQ(policy.KeyOf(kSharedMemory)->value, "a=b:c");
  EXPECT_EQ(policy.KeyOf(kHealth)->header, "h");
  EXPECT_EQ(policy.KeyOf(kInference), nullptr);
  EXPECT_EQ(policy.KeyOf(kMetrics), nullptr);
}

TEST(AccessPolicyTest, OnlyTheExactValueOpens) {
  const AccessPolicy::Key key{"k", "secret"};
  EXPECT_TRUE(AccessPolicy::Opens(key, "secret"));
  for (const std::string_view wrong : {"", "secre", "secrets", "Secret", "xecret"}) {
    EXPECT_FALSE(AccessPolicy::Opens(key, wrong)) << wrong;
  }
  EXPECT_FALSE(AccessPolicy::Opens(key, std::nullopt));
}

TEST(AccessPolicyTest, SaysWhatIsWrongWithARule) {
  const std::pair<const char*, const char*> kCases[] = {
      {"", "expected <API>"},
      {"metadata", "expected <API>"},
      {"metadata:key", "expected <API>"},
      {"metadata=key:value", "expected <API>"},
      {"metadata:=value", "'' is no name of a header"},
      {"metadata:a b=value", "'a b' is no name of a header"},
      {"metadata:key=", "value of header 'key' is empty"},
      {"metadata:key= x", "blanks at its ends"},
      {"metadata:key=\x01", "not ASCII"},
      {"nothing:key=value", "there is no API 'nothing' to restrict, only health, metadata"},
      {"metadata,:key=value", "there is no API ''"},
      {":key=value", "there is no API ''"},
      {"metrics:key=value", "there is no API 'metrics'"},
      {"metadata ,health:key=value", "there is no API 'metadata '"},
      {"health,health:key=value", "API 'health' is restricted twice"},
  };
  for (const auto& [rule, text] : kCases) {
    AccessPolicy policy;
    const Status status = policy.AddRule(rule);
    EXPECT_EQ(status.code(), StatusCode::kInvalidArgument) << rule;
    EXPECT_THAT(status.message(), HasSubstr(text)) << rule;
    EXPECT_TRUE(policy.empty()) << rule;
  }
  AccessPolicy policy;
  ASSERT_TRUE(policy.AddRule("trace:key=value").ok());
  EXPECT_THAT(policy.AddRule("health,trace:key=value").message(),
              HasSubstr("'trace' is restricted twice"));
  EXPECT_EQ(policy.KeyOf(kHealth), nullptr) << "a rule is taken as a whole";
}

}  // namespace
}  // namespace headrace::frontend
