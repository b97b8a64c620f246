#include "repository/variant_manifest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repository/testing/variant_manifests.h"

namespace headrace::repository {
namespace {

using ::testing::HasSubstr;
using testing_support::Replaced;
using testing_support::VariantText;

std::string Document(const std::string& variants) {
  return testing_support::ManifestText("best", {{"model.onnx", "model"}}, variants);
}

std::string FaultOf(const std::string& json) {
  const auto manifest = ParseVariantManifest(json);
  return manifest.ok() ? "no fault" : manifest.status().message();
}

TEST(VariantManifestTest, Parse_ReadsAllThatChoosingNeeds) {
  const auto manifest = ParseVariantManifest(Document(VariantText("openvino-int8")));
  ASSERT_TRUE(manifest.ok()) << manifest.status().message();
  EXPECT_EQ(manifest->applied, "best");
  ASSERT_EQ(manifest->source_files.size(), 1U);
  EXPECT_EQ(manifest->source_files[0].path, "model.onnx");
  EXPECT_EQ(manifest->source_files[0].byte_size, 5U);
  ASSERT_EQ(manifest->variants.size(), 1U);
  const Variant& variant = manifest->variants[0];
  EXPECT_EQ(variant.name, "openvino-int8");
  EXPECT_EQ(variant.backend, "fake");
  EXPECT_EQ(variant.file, "model.xml");
  EXPECT_EQ(variant.parameters.at("NUM_STREAMS"), "1");
  EXPECT_EQ(variant.instance_count, 2);
  EXPECT_EQ(variant.graph_level, std::nullopt);
  EXPECT_EQ(variant.architecture, "x86_64");
  EXPECT_EQ(variant.instruction_sets, std::vector<std::string>({"avx512_vnni"}));
  EXPECT_EQ(variant.runtimes.at("openvino"), "2026.4.1");
  EXPECT_TRUE(variant.accepted);
  EXPECT_EQ(variant.items_per_s, 200);
  EXPECT_EQ(variant.speed_up_low, 3.5);
}

TEST(VariantManifestTest, Parse_RefusesWhatIsNoManifest) {
  EXPECT_THAT(FaultOf(""), HasSubstr("variants/manifest.json: it is no JSON object"));
  EXPECT_THAT(FaultOf("[]"), HasSubstr("it is no JSON object"));
  EXPECT_THAT(FaultOf("{}"), HasSubstr("'schema_version' is not 1"));
  EXPECT_THAT(FaultOf(R"({"schema_version": 2})"), HasSubstr("run headrace optimize again"));
  EXPECT_THAT(FaultOf(R"({"schema_version": 1})"), HasSubstr("'source' must be an object"));
  EXPECT_THAT(FaultOf(std::string(200, '[')), HasSubstr("it is no JSON object"));
  EXPECT_THAT(FaultOf(testing_support::ManifestText("", {}, "")),
              HasSubstr("'source.files' is empty"));
}

TEST(VariantManifestTest, Parse_RefusesPathsThatLeaveTheFolder) {
  for (const char* path :
       {"../model.xml", "/etc/passwd", "a/../../b", "./model.xml", "", "a//b/"}) {
    const std::string text = Replaced(VariantText("v"), "\"path\": \"model.xml\"",
                                      std::string("\"path\": \"") + path + "\"");
    EXPECT_THAT(FaultOf(Document(text)), HasSubstr("is no path below the directory")) << path;
  }
}

TEST(VariantManifestTest, Parse_RefusesNamesThatAreNoFoldersOrMeanSomethingElse) {
  for (const char* name : {"", "..", "a/b", "best", "off", "applied", "-v", "v\\n"}) {
    EXPECT_THAT(FaultOf(Document(VariantText(name))), HasSubstr("is no name of a variant")) << name;
  }
  EXPECT_THAT(FaultOf(Document(VariantText("v") + "," + VariantText("v"))),
              HasSubstr("there are two variants 'v'"));
}

TEST(VariantManifestTest, Parse_RefusesMembersOfTheWrongKind) {
  const auto fault_with = [](const std::string& from, const std::string& to) {
    return FaultOf(Document(Replaced(VariantText("v"), from, to)));
  };
  EXPECT_THAT(fault_with("\"backend\": \"fake\"", "\"backend\": \"../x\""), HasSubstr("backend"));
  EXPECT_THAT(fault_with("\"backend\": \"fake\"", "\"backend\": 3"), HasSubstr("'backend' must"));
  EXPECT_THAT(fault_with("\"file\": \"model.xml\"", "\"file\": \"other.xml\""),
              HasSubstr("variant 'v': "));
  EXPECT_THAT(fault_with("\"instances\": 2", "\"instances\": 0"), HasSubstr("'instances' must"));
  EXPECT_THAT(fault_with("\"instances\": 2", "\"instances\": 5000"), HasSubstr("from 1 to 1024"));
  EXPECT_THAT(fault_with("\"accepted\": true", "\"accepted\": 1"), HasSubstr("accuracy.accepted"));
  EXPECT_THAT(fault_with("\"items_per_s\": 200", "\"items_per_s\": -1"),
              HasSubstr("'items_per_s' must"));
  EXPECT_THAT(fault_with("\"instruction_sets\": [\"avx512_vnni\"]", "\"instruction_sets\": [1]"),
              HasSubstr("must be names"));
  EXPECT_THAT(fault_with("{\"NUM_STREAMS\": \"1\"}", "{\"NUM_STREAMS\": 1}"),
              HasSubstr("'parameters' must hold"));
  EXPECT_THAT(fault_with("\"byte_size\": 2", "\"byte_size\": -2"), HasSubstr("is no size"));
  EXPECT_THAT(fault_with("\"sha256\": \"", "\"sha256\": \"G"), HasSubstr("is no SHA-256"));
}

TEST(VariantManifestTest, Parse_LimitsWhatItHolds) {
  std::string many = VariantText("v0");
  for (std::size_t i = 1; i <= kVariantCountMax; ++i) {
    many += "," + VariantText("v" + std::to_string(i));
  }
  EXPECT_THAT(FaultOf(Document(many)), HasSubstr("'variants' has 65 entries, the limit is 64"));
  EXPECT_THAT(FaultOf(std::string(kVariantManifestByteSizeMax + 1, ' ')), HasSubstr("more than"));
}

}  // namespace
}  // namespace headrace::repository
