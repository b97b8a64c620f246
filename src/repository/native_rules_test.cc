#include "repository/native_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "repository/protobuf_messages.h"
#include "repository/testing/temporary_repository.h"

namespace headrace::repository {
namespace {

using testing::HasSubstr;

class NativeRulesTest : public testing::Test {
 protected:
  NativeRulesTest() {
    config_.mutable_input()->Add()->set_name("data");
    config_.mutable_output()->Add()->set_name("body");
    Manifest(R"("handler": "image_classifier", "serializedFile": "a.pt")");
    files_.File("m/1/a.pt", "weights");
  }

  void Manifest(const std::string& members) {
    files_.File("m/1/MAR-INF/MANIFEST.json", R"({"model": {"modelName": "m", )" + members + "}}");
  }
  void Set(const std::string& parameter, const std::string& value) {
    (*config_.mutable_parameters())[parameter].set_string_value(value);
  }
  Result<NativeFacts> Judge() { return JudgeNative(files_.path("m/1"), 1, config_); }
  // Why not, or "native", or the failure.
  std::string Verdict() {
    const auto facts = Judge();
    return !facts.ok()              ? facts.status().message()
           : facts->why_not.empty() ? "native"
                                    : facts->why_not;
  }

  TemporaryRepository files_;
  inference::ModelConfig config_;
};

TEST_F(NativeRulesTest, Judge_TakesADefaultHandlerOverTorchScript) {
  const auto facts = Judge();
  ASSERT_TRUE(facts.ok());
  EXPECT_EQ(facts->why_not, "");
  EXPECT_EQ(facts->handler, "image_classifier");
  EXPECT_EQ(facts->weights_file, "a.pt");
  EXPECT_EQ(facts->class_count_max, 5);
}

TEST_F(NativeRulesTest, Judge_LeavesCodeToPython) {
  files_.File("m/1/more/helper.py", "");
  EXPECT_THAT(Verdict(), HasSubstr("code of its own ('helper.py')"));
}

TEST_F(NativeRulesTest, Judge_LooksAtTheManifest) {
  Manifest(R"("handler": "mine.py", "serializedFile": "a.pt")");
  EXPECT_THAT(Verdict(), HasSubstr("'mine.py' is no handler that is built in"));
  Manifest(R"("handler": "image_classifier", "serializedFile": "a.pt", "modelFile": "a.pt")");
  EXPECT_THAT(Verdict(), HasSubstr("'modelFile'"));
  Manifest(R"("handler": "image_classifier")");
  EXPECT_THAT(Verdict(), HasSubstr("neither TorchScript"));
}

TEST_F(NativeRulesTest, Judge_TellsCompiledPackagesFromExportedPrograms) {
  Manifest(R"("handler": "image_segmenter", "serializedFile": "a.pt2")");
  files_.File("m/1/a.pt2", "a/models/model.json");
  EXPECT_THAT(Verdict(), HasSubstr("exported program"));
  files_.File("m/1/a.pt2", "a/data/aotinductor/model/x.wrapper.so");
  EXPECT_EQ(Verdict(), "native");
}

TEST_F(NativeRulesTest, Judge_ReadsTheSettings) {
  const auto with = [this](const std::string& json) {
    Set("model_config.1", json);
    return Verdict();
  };
  EXPECT_THAT(with(R"({"native": false})"), HasSubstr("'native: false'"));
  EXPECT_THAT(with(R"({"native": "no"})"), HasSubstr("must be true or false"));
  EXPECT_THAT(with(R"({"handler": {"profile": true}})"), HasSubstr("profiled"));
  EXPECT_THAT(with(R"({"handler": {"topk": 0}})"), HasSubstr("topk"));
  EXPECT_THAT(with(R"({"pt2": "inductor"})"), HasSubstr("compiled"));
  EXPECT_THAT(with(R"({"pt2": {"compile": {"enable": true}}})"), HasSubstr("compiled"));
  EXPECT_EQ(with(R"({"pt2": {"compile": {"enable": false}}})"), "native");
  EXPECT_EQ(with(R"({"handler": {"topk": 7}})"), "native");
  EXPECT_EQ(Judge()->class_count_max, 7);
}

TEST_F(NativeRulesTest, Judge_TakesTextsOneByOne) {
  Manifest(R"("handler": "text_classifier", "serializedFile": "a.pt")");
  EXPECT_EQ(Verdict(), "native");
  EXPECT_EQ(Judge()->vocabulary_file, "source_vocab.pt");
  config_.set_max_batch_size(2);
  EXPECT_THAT(Verdict(), HasSubstr("'batchSize'"));
}

TEST_F(NativeRulesTest, Judge_LeavesToPythonWhatOnlyWorkersDo) {
  Set("service_envelope", "body");
  EXPECT_THAT(Verdict(), HasSubstr("'service_envelope'"));
  Set("service_envelope", "");
  EXPECT_EQ(Verdict(), "native");
  Set("rank_count", "2");
  EXPECT_THAT(Verdict(), HasSubstr("'rank_count'"));
  Set("rank_count", "1");
  Set("native", "false");
  EXPECT_THAT(Verdict(), HasSubstr("parameter 'native'"));
  Set("native", "true");
  config_.mutable_model_warmup()->Add();
  EXPECT_THAT(Verdict(), HasSubstr("warm-up"));
}

}  // namespace
}  // namespace headrace::repository
