#include "torchserve/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <regex>
#include <sstream>
#include <string>

namespace headrace::torchserve {
namespace {

using testing::HasSubstr;

constexpr Surfaces kInference = static_cast<Surfaces>(Surface::kInference);
constexpr Surfaces kManagement = static_cast<Surfaces>(Surface::kManagement);

class AccessTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = testing::TempDir() + "accessXXXXXX";
    ASSERT_NE(::mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    options_.key_file = directory_ + "/key_file.json";
  }
  void TearDown() override {
    ::unlink(options_.key_file.c_str());
    ::rmdir(directory_.c_str());
  }

  std::unique_ptr<Access> Make() {
    auto access = Access::Create(options_, failures_, clock_);
    EXPECT_TRUE(access.ok()) << access.status().message();
    return access.ok() ? *std::move(access) : nullptr;
  }
  static bool Allows(const Access& access, Surface route, Surfaces listener,
                     std::optional<std::string_view> authorization) {
    return access.Check(route, listener, authorization, kPeer) == AccessVerdict::kOpen;
  }
  std::string FileText() const {
    std::stringstream text;
    text << std::ifstream(options_.key_file).rdbuf();
    return text.str();
  }
  // "Bearer <key>" of a part of the file.
  std::string Bearer(const std::string& part) const {
    const std::string text = FileText();
    std::smatch match;
    const std::regex key("\"" + part + "\": \\{\\s*\"key\": \"([^\"]+)\"");
    EXPECT_TRUE(std::regex_search(text, match, key)) << text;
    return "Bearer " + match[1].str();
  }

  std::string directory_;
  static constexpr std::uint64_t kPeer = 7;

  AccessOptions options_;
  FakeClock clock_;
  frontend::FailureBudget failures_{20, clock_};
};

TEST_F(AccessTest, File_IsForItsOwnerAlone_AndHasThreeLongKeys) {
  const auto access = Make();
  struct stat info {};
  ASSERT_EQ(::stat(options_.key_file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const std::string management = Bearer("management");
  EXPECT_GE(management.size(), 7u + 22u);  // 128 bits
  EXPECT_NE(management, Bearer("inference"));
  EXPECT_NE(management, Bearer("API"));
  EXPECT_THAT(FileText(), HasSubstr("\"expiration time\": \"20"));
}

TEST_F(AccessTest, File_TakesTheOldOnesPlace_WithoutWritingThroughALink) {
  const std::string victim = directory_ + "/victim";
  std::ofstream(victim) << "keep";
  ASSERT_EQ(::symlink(victim.c_str(), options_.key_file.c_str()), 0);
  const auto access = Make();
  std::stringstream text;
  text << std::ifstream(victim).rdbuf();
  EXPECT_EQ(text.str(), "keep");
  EXPECT_THAT(FileText(), HasSubstr("API"));
  ::unlink(victim.c_str());
}

TEST_F(AccessTest, File_GoesWithItsOwner_UnlessItIsAnothersByThen) {
  auto first = Make();
  auto second = Make();
  first.reset();
  EXPECT_EQ(::access(options_.key_file.c_str(), F_OK), 0);
  second.reset();
  EXPECT_NE(::access(options_.key_file.c_str(), F_OK), 0);
}

TEST_F(AccessTest, Create_SaysWhatToDo_WhenTheFileCannotBeWritten) {
  options_.key_file = directory_ + "/missing/key_file.json";
  const auto access = Access::Create(options_, failures_, clock_);
  ASSERT_FALSE(access.ok());
  EXPECT_THAT(access.status().message(), HasSubstr("--disable-token-auth"));
}

TEST_F(AccessTest, Allows_EachKeyForItsOwnListener) {
  const auto access = Make();
  const std::string inference = Bearer("inference"), management = Bearer("management");
  EXPECT_TRUE(Allows(*access, Surface::kInference, kInference, inference));
  EXPECT_FALSE(Allows(*access, Surface::kInference, kInference, management));
  EXPECT_TRUE(Allows(*access, Surface::kManagement, kManagement, management));
  EXPECT_FALSE(Allows(*access, Surface::kManagement, kManagement, inference));
  EXPECT_FALSE(Allows(*access, Surface::kManagement, kManagement, Bearer("API")));
  EXPECT_TRUE(Allows(*access, Surface::kMetrics, 4, std::nullopt));
}

TEST_F(AccessTest, Allows_TheStrongerKeyForInference_OnASharedListener) {
  const auto access = Make();
  const Surfaces both = kInference | kManagement;
  EXPECT_TRUE(Allows(*access, Surface::kInference, both, Bearer("inference")));
  EXPECT_TRUE(Allows(*access, Surface::kInference, both, Bearer("management")));
  EXPECT_TRUE(Allows(*access, Surface::kManagement, both, Bearer("management")));
  EXPECT_FALSE(Allows(*access, Surface::kManagement, both, Bearer("inference")));
}

TEST_F(AccessTest, Allows_NothingElse) {
  const auto access = Make();
  const std::string good = Bearer("inference");
  EXPECT_FALSE(Allows(*access, Surface::kInference, kInference, std::nullopt));
  for (const std::string& wrong :
       {std::string(), std::string("Bearer"), std::string("Bearer "), good.substr(7), good + "x",
        good.substr(0, good.size() - 1), "Basic " + good.substr(7), "Bearer  " + good.substr(7),
        std::string("Bearer null")}) {
    EXPECT_FALSE(Allows(*access, Surface::kInference, kInference, wrong)) << wrong;
  }
  // The scheme's spelling is free (RFC 9110, 11.1).
  EXPECT_TRUE(Allows(*access, Surface::kInference, kInference, "bearer " + good.substr(7)));
}

TEST_F(AccessTest, Allows_NoKeyThatHasExpired) {
  options_.token_lifetime = 30 * kSecond;
  const auto access = Make();
  const std::string key = Bearer("inference");
  clock_.Advance(30 * kSecond - 1);
  EXPECT_TRUE(Allows(*access, Surface::kInference, kInference, key));
  clock_.Advance(1);
  EXPECT_FALSE(Allows(*access, Surface::kInference, kInference, key));
}

TEST_F(AccessTest, Renew_ReplacesOneKey) {
  options_.token_lifetime = 30 * kSecond;
  const auto access = Make();
  const std::string old = Bearer("inference"), management = Bearer("management");
  clock_.Advance(20 * kSecond);
  ASSERT_TRUE(access->Renew("inference", Bearer("API"), kPeer).ok());
  const std::string renewed = Bearer("inference");
  EXPECT_NE(renewed, old);
  EXPECT_EQ(Bearer("management"), management);
  EXPECT_FALSE(Allows(*access, Surface::kInference, kInference, old));
  clock_.Advance(20 * kSecond);
  EXPECT_TRUE(Allows(*access, Surface::kInference, kInference, renewed));
  EXPECT_FALSE(Allows(*access, Surface::kManagement, kManagement, management));
  ASSERT_TRUE(access->Renew("management", Bearer("API"), kPeer).ok());
  EXPECT_TRUE(Allows(*access, Surface::kManagement, kManagement, Bearer("management")));
}

TEST_F(AccessTest, Renew_TakesTheApiKeyAlone) {
  const auto access = Make();
  const std::string before = FileText();
  EXPECT_FALSE(access->Renew("inference", Bearer("management"), kPeer).ok());
  EXPECT_FALSE(access->Renew("inference", std::nullopt, kPeer).ok());
  EXPECT_FALSE(access->Renew("API", Bearer("API"), kPeer).ok());
  EXPECT_FALSE(access->Renew("", Bearer("API"), kPeer).ok());
  EXPECT_EQ(FileText(), before);
}

TEST_F(AccessTest, WithoutTokens_EverybodyMayCall_AndThereIsNoFile) {
  options_.tokens = false;
  const auto access = Make();
  EXPECT_TRUE(Allows(*access, Surface::kManagement, kManagement, std::nullopt));
  EXPECT_NE(::access(options_.key_file.c_str(), F_OK), 0);
  EXPECT_FALSE(access->Renew("inference", "Bearer x", kPeer).ok());
}

TEST_F(AccessTest, WrongTokens_OfOneHostAreHeldBack_AndTheRightOneIsNot) {
  const auto access = Make();
  const std::string good = Bearer("inference");
  const auto check = [&](std::optional<std::string_view> key, std::uint64_t peer) {
    return access->Check(Surface::kInference, kInference, key, peer);
  };
  for (int i = 0; i < 20; ++i) {
    ASSERT_EQ(check(i % 2 == 0 ? std::optional<std::string_view>("Bearer x") : std::nullopt, 1),
              AccessVerdict::kWrongToken);
  }
  EXPECT_EQ(check("Bearer x", 1), AccessVerdict::kTooManyFailures);
  EXPECT_EQ(check(good, 1), AccessVerdict::kOpen);
  EXPECT_EQ(check("Bearer x", 2), AccessVerdict::kWrongToken);
  EXPECT_EQ(access->Renew("inference", "Bearer x", 1).code(), StatusCode::kResourceExhausted);
  clock_.Advance(kSecond);
  EXPECT_EQ(check("Bearer x", 1), AccessVerdict::kWrongToken);
}

}  // namespace
}  // namespace headrace::torchserve
