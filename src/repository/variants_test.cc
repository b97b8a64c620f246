#include "repository/variants.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "repository/file_digest.h"
#include "repository/testing/manager_fixture.h"
#include "repository/testing/variant_manifests.h"

namespace headrace::repository {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using testing_support::ManifestText;
using testing_support::VariantText;

constexpr char kFileOfVariant[] = "variants/v/model.xml";

// A model of the fake backend with a variant "v".
class VariantsTest : public ModelManagerTest {
 protected:
  VariantsTest() {
    files_.File("m/config.pbtxt", kConfig);
    files_.File("m/1/model.onnx", "model");
    files_.File("m/1/variants/v/model.xml", "IR");
    options_.variants.machine = {.architecture = "x86_64",
                                 .instruction_sets = {"avx512_vnni"},
                                 .runtimes = {{"openvino", "2026.4.1"}}};
    WriteManifest("best");
  }

  void WriteManifest(const std::string& applied) {
    files_.File("m/1/variants/manifest.json",
                ManifestText(applied, {{"model.onnx", "model"}}, VariantText("v")));
  }

  // The configuration in force after a start.
  std::string Served() {
    Start(ControlMode::kNone);
    EXPECT_TRUE(start_.ok()) << start_.message();
    EXPECT_TRUE(Infer("m").ok());
    return provider_.last_final_config();
  }
};

TEST_F(VariantsTest, AnAppliedVariantServes) {
  const std::string config = Served();
  EXPECT_THAT(config, HasSubstr(kFileOfVariant));
  EXPECT_THAT(config, HasSubstr("NUM_STREAMS"));
}

TEST_F(VariantsTest, OneThatWasNotAppliedDoesNot) {
  WriteManifest("");
  EXPECT_THAT(Served(), Not(HasSubstr(kFileOfVariant)));
}

TEST_F(VariantsTest, TheServersWishWins) {
  WriteManifest("");
  options_.variants.wish = kVariantsBest;
  EXPECT_THAT(Served(), HasSubstr(kFileOfVariant));
}

TEST_F(VariantsTest, TheModelsOwnWishWinsOverTheServers) {
  files_.File("m/config.pbtxt",
              std::string(kConfig) +
                  R"( parameters { key: "model_variants" value: { string_value: "off" } })");
  options_.variants.wish = kVariantsBest;
  const std::string config = Served();
  EXPECT_THAT(config, Not(HasSubstr(kFileOfVariant)));
  EXPECT_THAT(config, Not(HasSubstr("model_variants")));  // no backend knows it
}

TEST_F(VariantsTest, TheOriginalServesOnAnotherMachine) {
  options_.variants.machine.instruction_sets = {"avx2"};
  EXPECT_THAT(Served(), Not(HasSubstr(kFileOfVariant)));
}

TEST_F(VariantsTest, TheOriginalServesWhenItHasChanged) {
  files_.File("m/1/model.onnx", "MODEL");
  EXPECT_THAT(Served(), Not(HasSubstr(kFileOfVariant)));
}

TEST_F(VariantsTest, TheOriginalServesWhenTheVariantIsDamaged) {
  files_.File("m/1/variants/v/model.xml", "xx");
  EXPECT_THAT(Served(), Not(HasSubstr(kFileOfVariant)));
}

TEST_F(VariantsTest, TheOriginalServesWhenTheManifestIsNoManifest) {
  files_.File("m/1/variants/manifest.json", "{");
  EXPECT_THAT(Served(), Not(HasSubstr(kFileOfVariant)));
}

TEST_F(VariantsTest, TheOriginalServesWhenTheVariantsFolderLeadsOutOfTheRepository) {
  TemporaryRepository elsewhere;
  elsewhere.File("model.xml", "IR");
  std::filesystem::remove_all(files_.path("m/1/variants/v"));
  std::filesystem::create_directory_symlink(elsewhere.path(), files_.path("m/1/variants/v"));
  options_.variants.links_may_leave = false;
  Start(ControlMode::kNone);  // such a link is a fault of the whole model
  EXPECT_THAT(provider_.last_final_config(), Not(HasSubstr(kFileOfVariant)));
}

TEST_F(VariantsTest, TheOriginalServesWhenTheVariantCannotBeLoaded) {
  provider_.fail_times = 1;
  EXPECT_THAT(Served(), Not(HasSubstr(kFileOfVariant)));
}

TEST(FileDigestTest, TellsFilesThatDiffer) {
  TemporaryRepository files;
  files.File("a", "content");
  const auto digest = FileSha256(files.path("a"));
  ASSERT_TRUE(digest.ok());
  EXPECT_EQ(*digest, testing_support::Sha256("content"));
  const auto check = [&](ListedFile file) {
    return CheckListedFiles(files.path(), files.path(), {std::move(file)});
  };
  EXPECT_TRUE(check({"a", 7, *digest}).ok());
  EXPECT_THAT(check({"a", 8, *digest}).message(), HasSubstr("has 7 bytes, not 8"));
  EXPECT_THAT(check({"a", 7, std::string(64, '0')}).message(), HasSubstr("another content"));
  EXPECT_THAT(check({"b", 7, *digest}).message(), HasSubstr("'b' is missing"));
  EXPECT_FALSE(FileSha256(files.path()).ok());
}

}  // namespace
}  // namespace headrace::repository
