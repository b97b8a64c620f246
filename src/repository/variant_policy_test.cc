#include "repository/variant_policy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "repository/protobuf_messages.h"
#include "repository/variant_config.h"
#include "repository/variant_machine.h"

namespace headrace::repository {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

Variant Named(const std::string& name, double items_per_s) {
  Variant variant;
  variant.name = name;
  variant.backend = "openvino";
  variant.file = "model.xml";
  variant.accepted = true;
  variant.items_per_s = items_per_s;
  variant.speed_up_low = 2;
  return variant;
}

MachineFacts Machine() {
  return {.architecture = "x86_64",
          .instruction_sets = {"avx2", "avx512f"},
          .runtimes = {{"torch", "2.15.0"}}};
}

std::vector<std::string> NamesOf(const VariantChoice& choice) {
  std::vector<std::string> names;
  for (const Variant* variant : choice.candidates) {
    names.push_back(variant->name);
  }
  return names;
}

TEST(ChooseVariantsTest, TakesTheFastestFirst) {
  const VariantManifest manifest{
      "best", {}, {Named("slow", 10), Named("fast", 30), Named("middle", 20)}};
  const VariantChoice choice = ChooseVariants(manifest, kVariantsApplied, Machine());
  EXPECT_THAT(NamesOf(choice), ElementsAre("fast", "middle", "slow"));
  EXPECT_THAT(choice.reasons, IsEmpty());
}

TEST(ChooseVariantsTest, TakesNoneThatWasNotApplied) {
  const VariantManifest manifest{"", {}, {Named("fast", 30)}};
  EXPECT_THAT(NamesOf(ChooseVariants(manifest, kVariantsApplied, Machine())), IsEmpty());
  EXPECT_THAT(NamesOf(ChooseVariants(manifest, kVariantsOff, Machine())), IsEmpty());
  EXPECT_THAT(NamesOf(ChooseVariants(manifest, kVariantsBest, Machine())), ElementsAre("fast"));
  EXPECT_THAT(ChooseVariants(manifest, kVariantsApplied, Machine()).reasons, IsEmpty());
}

TEST(ChooseVariantsTest, TakesTheOneThatIsNamed) {
  const VariantManifest manifest{"slow", {}, {Named("slow", 10), Named("fast", 30)}};
  EXPECT_THAT(NamesOf(ChooseVariants(manifest, kVariantsApplied, Machine())), ElementsAre("slow"));
  EXPECT_THAT(NamesOf(ChooseVariants(manifest, "fast", Machine())), ElementsAre("fast"));
  const VariantChoice unknown = ChooseVariants(manifest, "other", Machine());
  EXPECT_THAT(NamesOf(unknown), IsEmpty());
  EXPECT_THAT(unknown.reasons, ElementsAre("there is no variant 'other'"));
}

TEST(ChooseVariantsTest, LeavesOutWhatTheMachineCannotRun) {
  Variant other_processor = Named("arm", 90);
  other_processor.architecture = "aarch64";
  Variant other_set = Named("vnni", 80);
  other_set.instruction_sets = {"avx2", "avx512_vnni"};
  Variant other_release = Named("compiled", 70);
  other_release.runtimes = {{"torch", "2.14.0"}};
  Variant no_runtime = Named("missing", 60);
  no_runtime.runtimes = {{"tensorrt", "10"}};
  const VariantManifest manifest{
      "best", {}, {other_processor, other_set, other_release, no_runtime, Named("plain", 20)}};
  const VariantChoice choice = ChooseVariants(manifest, kVariantsApplied, Machine());
  EXPECT_THAT(NamesOf(choice), ElementsAre("plain"));
  EXPECT_THAT(choice.reasons,
              ElementsAre("variant 'arm' is not used: it is for aarch64, this machine is x86_64",
                          "variant 'vnni' is not used: it needs the instruction set avx512_vnni, "
                          "which this processor lacks",
                          "variant 'compiled' is not used: it needs torch 2.14.0, this build has "
                          "2.15.0",
                          "variant 'missing' is not used: it needs tensorrt 10, which this build "
                          "is without"));
}

TEST(ChooseVariantsTest, BestTakesOnlyWhatIsAccurateAndSurelyFaster) {
  Variant wrong = Named("wrong", 90);
  wrong.accepted = false;
  Variant unsure = Named("unsure", 80);
  unsure.speed_up_low = 1;
  const VariantManifest manifest{"best", {}, {wrong, unsure}};
  const VariantChoice choice = ChooseVariants(manifest, kVariantsBest, Machine());
  EXPECT_THAT(NamesOf(choice), IsEmpty());
  EXPECT_THAT(choice.reasons,
              ElementsAre(HasSubstr("answers were not accepted"), HasSubstr("not surely faster")));
  EXPECT_THAT(NamesOf(ChooseVariants(manifest, "wrong", Machine())), ElementsAre("wrong"));
}

TEST(VariantMachineTest, ReadsTheFirstProcessorsFlags) {
  EXPECT_THAT(InstructionSetsIn("processor\t: 0\nflags\t\t: fpu avx2\n\nflags\t\t: other\n"),
              ElementsAre("avx2", "fpu"));
  EXPECT_THAT(InstructionSetsIn("Features\t: asimd bf16\n"), ElementsAre("asimd", "bf16"));
  EXPECT_THAT(InstructionSetsIn(""), IsEmpty());
  EXPECT_EQ(RuntimesIn("a=1.0,b=2,").at("b"), "2");
  EXPECT_FALSE(ThisMachine().architecture.empty());
}

TEST(PutVariantInForceTest, ChangesWhatExecutesAndLeavesTheRest) {
  inference::ModelConfig config;
  config.set_name("m");
  config.set_backend("pytorch");
  config.set_platform("pytorch_libtorch");
  config.set_max_batch_size(8);
  config.add_input()->set_name("x");
  config.add_instance_group()->set_count(1);
  (*config.mutable_parameters())["INTRA_OP_THREAD_COUNT"].set_string_value("2");
  Variant variant = Named("openvino-int8", 1);
  variant.parameters = {{"NUM_STREAMS", "1"}};
  variant.instance_count = 2;
  PutVariantInForce(variant, config);
  EXPECT_EQ(config.backend(), "openvino");
  EXPECT_EQ(config.platform(), "");
  EXPECT_EQ(config.default_model_filename(), "variants/openvino-int8/model.xml");
  EXPECT_EQ(config.parameters_size(), 2);
  EXPECT_EQ(config.parameters().at("NUM_STREAMS").string_value(), "1");
  // Two threads in each of the two instances that the variant wants.
  EXPECT_EQ(config.parameters().at("INFERENCE_NUM_THREADS").string_value(), "4");
  EXPECT_EQ(config.instance_group(0).count(), 2);
  EXPECT_EQ(config.max_batch_size(), 8);
  EXPECT_EQ(config.input(0).name(), "x");
}

TEST(PutVariantInForceTest, KeepsFileAndParametersOfTheSameBackend) {
  inference::ModelConfig config;
  config.set_backend("pytorch");
  config.set_default_model_filename("model.pt");
  (*config.mutable_parameters())["INTRA_OP_THREAD_COUNT"].set_string_value("2");
  Variant variant = Named("fuse", 1);
  variant.backend = "pytorch";
  variant.file = "";
  variant.parameters = {{"OPTIMIZE_FOR_INFERENCE", "true"}};
  PutVariantInForce(variant, config);
  EXPECT_EQ(config.default_model_filename(), "model.pt");
  EXPECT_EQ(config.parameters_size(), 2);
}

TEST(WhyNoVariantsTest, RefusesWhatVariantsAreNotMadeFor) {
  inference::ModelConfig config;
  config.add_instance_group()->set_kind(inference::ModelInstanceGroup::KIND_CPU);
  EXPECT_EQ(WhyNoVariants(config), "");
  config.add_instance_group()->set_kind(inference::ModelInstanceGroup::KIND_GPU);
  EXPECT_THAT(WhyNoVariants(config), HasSubstr("GPU"));
  inference::ModelConfig with_runtime;
  with_runtime.set_runtime("lib.so");
  EXPECT_THAT(WhyNoVariants(with_runtime), HasSubstr("runtime"));
}

}  // namespace
}  // namespace headrace::repository
