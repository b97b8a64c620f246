#include "repository/version_policy.h"

#include <gtest/gtest.h>

#include "repository/config_text.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

using Versions = std::vector<std::int64_t>;

struct Case {
  const char* policy;
  Versions available;
  Versions wanted;
  Versions missing;
};

class VersionPolicyTest : public testing::TestWithParam<Case> {};

TEST_P(VersionPolicyTest, SelectVersions_FollowsPolicy) {
  auto config = ParseConfigText(GetParam().policy, "policy");
  ASSERT_TRUE(config.ok());
  const VersionSelection selection = SelectVersions(config->version_policy(), GetParam().available);
  EXPECT_EQ(selection.wanted, GetParam().wanted);
  EXPECT_EQ(selection.missing, GetParam().missing);
}

INSTANTIATE_TEST_SUITE_P(
    All, VersionPolicyTest,
    testing::Values(Case{"", {2, 10, 1}, {10}, {}}, Case{"", {}, {}, {}},
                    Case{"version_policy { latest { num_versions: 2 } }", {3, 1, 2}, {2, 3}, {}},
                    Case{"version_policy { latest { num_versions: 9 } }", {3, 1}, {1, 3}, {}},
                    Case{"version_policy { latest { num_versions: 4294967295 } }", {1}, {1}, {}},
                    Case{"version_policy { all { } }", {3, 1, 2}, {1, 2, 3}, {}},
                    Case{"version_policy { specific { versions: [2, 7, 2] } }", {1, 2}, {2}, {7}},
                    Case{"version_policy { specific { versions: [7] } }", {1}, {}, {7}},
                    Case{"version_policy { specific { } }", {1}, {}, {}}));

}  // namespace
}  // namespace headrace::repository
