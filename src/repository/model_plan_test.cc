#include "repository/model_plan.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repository/config_text.h"
#include "repository/protobuf_messages.h"
#include "repository/testing/temporary_repository.h"

namespace headrace::repository {
namespace {

using testing::ElementsAre;
using testing::StartsWith;

class ModelPlanTest : public testing::Test {
 protected:
  Result<ModelPlan> Plan(const std::string& name, const std::string* override_json = nullptr) {
    return PlanModel({{name, files_.path(name), files_.path()},
                      override_json == nullptr ? std::nullopt : std::optional(*override_json),
                      nullptr},
                     options_);
  }
  std::string Error(const std::string& name) {
    const auto plan = Plan(name);
    return plan.ok() ? "planned" : plan.status().message();
  }

  TemporaryRepository files_;
  PlanOptions options_;
};

TEST_F(ModelPlanTest, Plan_ReadsConfigurationAndVersions) {
  files_.Model("m", "backend: \"identity\" version_policy { specific { versions: [ 1, 3, 4 ] } }");
  files_.Directory("m/3");
  files_.Directory("m/007");
  const auto plan = Plan("m");
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_THAT(plan->versions, ElementsAre(1, 3));
  EXPECT_EQ(plan->config->name(), "m");
  EXPECT_EQ(plan->config->instance_group(0).name(), "m");
  EXPECT_THAT(plan->warnings,
              ElementsAre(StartsWith("'007' is ignored"),
                          "version 4 is named by the version policy but does not exist"));
}

TEST_F(ModelPlanTest, Plan_WorksWithoutFile_UnlessCompletionIsOff) {
  files_.File("m/1/model.onnx", "");
  EXPECT_EQ(Plan("m")->config->backend(), "onnxruntime");
  options_.auto_complete_config = false;
  EXPECT_EQ(Error("m"), "config.pbtxt is missing, and completion of configurations is disabled");
}

TEST_F(ModelPlanTest, Plan_PrefersTheNamedConfiguration_WhereThereIsOne) {
  files_.Model("a", "backend: \"one\"");
  files_.Model("b", "backend: \"one\"");
  files_.File("a/configs/fast.pbtxt", "backend: \"two\"");
  options_.model_config_name = "fast";
  EXPECT_EQ(Plan("a")->config->backend(), "two");
  EXPECT_EQ(Plan("b")->config->backend(), "one");
}

TEST_F(ModelPlanTest, Plan_NamesFileLineAndField) {
  files_.Model("syntax", "backend: \"b\"\nmax_batch_size: x");
  EXPECT_THAT(Error("syntax"), StartsWith("config.pbtxt:2:17: "));
  files_.Model("unknown", "backend: \"b\"\nfoo: 1");
  EXPECT_THAT(Error("unknown"), StartsWith("config.pbtxt:2:"));
  files_.Directory("directory/config.pbtxt");
  files_.Directory("directory/1");
  EXPECT_EQ(Error("directory"), "'config.pbtxt' is not a regular file");
  files_.Model("refused", "backend: \"b\" instance_group { secondary_devices { } }");
  EXPECT_EQ(Error("refused"),
            "field 'instance_group.secondary_devices' is not supported: no such device is known");
  files_.Model("labels", "backend: \"b\" output { name: \"o\" label_filename: \"../x\" }");
  EXPECT_THAT(Error("labels"),
              StartsWith("label file of output 'o': '../x' must be a path inside"));
  files_.Model("warm",
               "backend: \"b\" model_warmup { inputs { key: \"i\" value { input_data_file: "
               "\"/x/../../y\" } } }");
  EXPECT_THAT(Error("warm"), StartsWith("warm-up file of input 'i': "));
  files_.Model("large", std::string(kConfigByteSizeMax + 1, ' '));
  EXPECT_EQ(Error("large"), "'config.pbtxt' has 16777217 bytes, the limit is 16777216");
  files_.File("link/1/x", "");
  files_.Link("link/config.pbtxt", "/etc/hostname");
  EXPECT_EQ(Error("link"), "link 'config.pbtxt' leads outside of the model repository");
}

TEST_F(ModelPlanTest, Plan_NeedsAVersion) {
  files_.File("m/config.pbtxt", "backend: \"b\"");
  files_.Directory("m/01");
  EXPECT_EQ(Error("m"),
            "at least one version must be available under the version policy of model 'm'");
}

TEST_F(ModelPlanTest, Plan_OverrideReplacesTheFile) {
  files_.Model("m", "backend: \"one\" max_batch_size: 8");
  const std::string json = R"({"backend":"two"})";
  const auto plan = Plan("m", &json);
  ASSERT_TRUE(plan.ok()) << plan.status().message();
  EXPECT_EQ(plan->config->backend(), "two");
  EXPECT_EQ(plan->config->max_batch_size(), 0);
  EXPECT_NE(plan->settings_fingerprint, Plan("m")->settings_fingerprint);
  const std::string unknown = R"({"foo":1})";
  EXPECT_EQ(Plan("m", &unknown).status().message(),
            "Invalid config override: foo: Cannot find field.");
}

TEST_F(ModelPlanTest, Plan_WarnsOnlyOfWhatIsWritten) {
  files_.Model("m", "backend: \"b\"");
  EXPECT_TRUE(Plan("m")->warnings.empty());
  files_.Model("n", "backend: \"b\" response_cache { enable: true }");
  EXPECT_THAT(Plan("n")->warnings, ElementsAre(StartsWith("field 'response_cache.enable' ")));
}

}  // namespace
}  // namespace headrace::repository
