#include "bench/suite_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "bench/yaml_fields.h"

namespace headrace::bench {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class SuiteSpecTest : public ::testing::Test {
 protected:
  SuiteSpecTest() : folder_(::testing::TempDir() + "/suite_spec_" + std::to_string(getpid())) {
    std::filesystem::create_directories(folder_ + "/models_config");
    std::filesystem::create_directories(folder_ + "/repository");
  }
  ~SuiteSpecTest() override { std::filesystem::remove_all(folder_); }

  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  Result<SuiteSpec> Read(const std::string& text) { return ReadSuite(Write("suite.yaml", text)); }
  std::string Fault(const std::string& text) {
    const auto spec = Read(text);
    return spec.ok() ? "" : spec.status().message();
  }

  std::string folder_;
};

constexpr char kOwn[] = R"(suite: nightly
server: {repository: repository, arguments: [--log-verbose=1]}
seed: 7
defaults:
  duration: 250ms
  warmup: 0
models:
  - model: resnet18
    batch: [1, 8]
    instances: 2
    delay_us: [0, 500]
    device: cpu
    concurrency: [1, 16]
    rate: [50, 100.5]
    arrivals: gamma
    burstiness: 0.5
    sla: 100
    repeat: 3
    shapes: {images: [3, 224, 224]}
    config: {parameters: {threads: {string_value: "2"}}, priority: 3}
  - {model: resnet18, name: plain, duration: 2}
)";

TEST_F(SuiteSpecTest, OwnForm_IsReadWhole) {
  const auto spec = Read(kOwn);
  ASSERT_TRUE(spec.ok()) << spec.status().ToString();
  EXPECT_EQ(spec->form, SuiteSpec::Form::kOwn);
  EXPECT_EQ(spec->name, "nightly");
  EXPECT_EQ(spec->seed, 7u);
  EXPECT_THAT(spec->server.repositories, ElementsAre(EndsWith("/repository")));
  EXPECT_THAT(spec->server.arguments, ElementsAre("--log-verbose=1"));
  ASSERT_EQ(spec->models.size(), 2u);
  const SuiteModel& model = spec->models[0];
  EXPECT_EQ(model.name, "resnet18");
  EXPECT_THAT(model.max_batch_sizes, ElementsAre(1, 8));
  EXPECT_THAT(model.instances, ElementsAre(2));
  EXPECT_THAT(model.delays_us, ElementsAre(0, 500));
  EXPECT_THAT(model.devices, ElementsAre("cpu"));
  ASSERT_EQ(model.loads.size(), 4u);
  EXPECT_EQ(model.loads[1].kind, load::ArrivalSpec::Kind::kClosed);
  EXPECT_EQ(model.loads[1].concurrency, 16);
  EXPECT_EQ(model.loads[3].kind, load::ArrivalSpec::Kind::kGamma);
  EXPECT_EQ(model.loads[3].rate, 100.5);
  EXPECT_EQ(model.loads[3].burstiness, 0.5);
  EXPECT_EQ(model.loads[3].seed, 7u);
  EXPECT_EQ(model.sla, 100 * kMillisecond);
  EXPECT_EQ(model.repeat, 3);
  EXPECT_EQ(model.duration, 250 * kMillisecond);
  EXPECT_EQ(model.warmup_max, 0);
  EXPECT_THAT(model.shapes, ElementsAre("images:3,224,224"));
  EXPECT_EQ(model.merge_patch, R"({"parameters":{"threads":{"string_value":"2"}},"priority":3})");
  const SuiteModel& plain = spec->models[1];
  EXPECT_EQ(plain.name, "plain");
  EXPECT_EQ(plain.model, "resnet18");
  EXPECT_EQ(plain.duration, 2 * kSecond);
  EXPECT_THAT(plain.instances, IsEmpty());
  ASSERT_EQ(plain.loads.size(), 1u);
  EXPECT_EQ(plain.loads[0].concurrency, 1);
}

TEST_F(SuiteSpecTest, OwnForm_FaultsNameFileLineAndKey) {
  const std::string head = "server: {url: 'h:1'}\nmodels:\n  - model: m\n";
  for (const auto& [text, message] : {
           std::pair<std::string, std::string>{"models: []", "suite.yaml:1: server: is missing"},
           {"server: {}\nmodels: []", "suite.yaml:1: server: needs one of url, repository"},
           {"server: {url: a, repository: repository}\nmodels: [{model: m}]", "needs one of"},
           {"server: {repository: none}\nmodels: [{model: m}]",
            "suite.yaml:1: server.repository: there is no folder 'none'"},
           {"server: {url: a, arguments: [x]}\nmodels: [{model: m}]", "server.arguments: are for"},
           {"server: {url: a}\nmodels: []", "suite.yaml: models: there is none"},
           {"server: {url: a}\nmodels: {a: 1}", "models: must be a list of models"},
           {"server: {url: a}\nmodels: [{name: m}]", "suite.yaml:2: models[0].model: is missing"},
           {head + "    bach: 3", "suite.yaml:4: models[0].bach: there is no such key; there are"},
           {head + "    batch: [1, x]", "suite.yaml:4: models[0].batch: 'x' is no whole number"},
           {head + "    batch: [1, 1]", "suite.yaml:4: models[0].batch: '1' is there twice"},
           {head + "    batch: []", "suite.yaml:4: models[0].batch: has 0 values"},
           {head + "    instances: 0", "models[0].instances: '0' is no whole number from 1"},
           {head + "    rate: -1", "models[0].rate: '-1' is no number from"},
           {head + "    rate: 1e999", "models[0].rate: '1e999' is no number from"},
           {head + "    duration: 5 parsecs", "models[0].duration: '5 parsecs' is no time"},
           {head + "    duration: 1us", "models[0].duration: must be 10ms or more"},
           {head + "    arrivals: rain", "'rain' is none of poisson, constant and gamma"},
           {head + "    input: nothing", "'nothing' is neither random nor zero, nor a file"},
           {head + "    shapes: {x: [a]}", "models[0].shapes.x: must be a list of sizes"},
           {head + "    config: 3", "models[0].config: must be a map"},
           {head + "    url: m.mar", "models[0].url: is for the protocol torchserve"},
           {head + "  - model: m", "two models are called 'm'"},
           {"a: [", "suite.yaml:"},
           {"- 1", "this is no suite"},
           {"", "this is no suite"},
       }) {
    EXPECT_THAT(Fault(text), HasSubstr(message)) << text;
  }
  EXPECT_THAT(ReadSuite(folder_ + "/none.yaml").status().message(), HasSubstr("cannot be read"));
}

constexpr char kModelFile[] = R"(vgg11:
  eager_mode:
    benchmark_engine: "ab"
    url: https://example.com/vgg11.mar
    workers: [1, 4]
    batch_delay: 80
    batch_size: [1, 2, 4]
    requests: 1000
    concurrency: 16
    input: kitten.jpg
    backend_profiling: False
    exec_env: "local"
    processors:
      - "cpu"
      - gpus: "all"
  scripted_mode:
    benchmark_engine: locust
    exec_env: docker
    backend_profiling: true
    retry_attempts: 2
    timeout_ms: 5000
    handler_profiling: true
    url: vgg11.mar
    workers: 2
    batch_size: 8
    input: kitten.jpg
)";

TEST_F(SuiteSpecTest, TorchServeForm_IsReadWithItsModelFiles) {
  Write("kitten.jpg", "cat");
  Write("vgg11.mar", "archive");
  Write("models_config/vgg11.yaml", kModelFile);
  std::ofstream(folder_ + "/models_config/kitten.jpg") << "cat";
  const auto spec = Read(R"(ts_version: {release: "0.5.3"}
models: [vgg11.yaml]
hardware: cpu
metrics_cmd:
  - cmd: "aws cloudwatch put-metric-data"
  - --namespace: ["a", "b"]
  - --region: "us-east-2"
report_cmd:
  - cmd: "aws s3 cp --recursive"
  - source: '/tmp/ts_benchmark/'
  - dest: ["s3://x", today()]
)");
  ASSERT_TRUE(spec.ok()) << spec.status().ToString();
  EXPECT_EQ(spec->form, SuiteSpec::Form::kTorchServe);
  EXPECT_EQ(spec->metrics_command,
            "aws cloudwatch put-metric-data --namespace ab --region us-east-2");
  EXPECT_EQ(spec->report_command,
            "aws s3 cp --recursive /tmp/ts_benchmark/ s3://x/today()/version()");
  ASSERT_EQ(spec->models.size(), 2u);
  const SuiteModel& eager = spec->models[0];
  EXPECT_EQ(eager.name, "eager_mode_vgg11");
  EXPECT_EQ(eager.url, "https://example.com/vgg11.mar");
  EXPECT_THAT(eager.instances, ElementsAre(1, 4));
  EXPECT_THAT(eager.max_batch_sizes, ElementsAre(1, 2, 4));
  EXPECT_THAT(eager.delays_us, ElementsAre(80'000));
  EXPECT_THAT(eager.devices, ElementsAre("cpu"));
  EXPECT_EQ(eager.request_count, 1000u);
  EXPECT_EQ(eager.warmup_request_count, 100u);
  EXPECT_EQ(eager.loads[0].concurrency, 16);
  EXPECT_FALSE(eager.handler_profiling);
  const SuiteModel& scripted = spec->models[1];
  EXPECT_EQ(scripted.attempts, 3);
  EXPECT_EQ(scripted.request_timeout, 5 * kSecond);
  EXPECT_TRUE(scripted.handler_profiling);
  EXPECT_EQ(scripted.loads[0].concurrency, 10);
  EXPECT_EQ(scripted.request_count, 100u);
  EXPECT_THAT(scripted.url, HasSubstr("vgg11.mar"));
  EXPECT_THAT(
      spec->warnings,
      AllOf(Contains(AllOf(HasSubstr("suite.yaml:1: ts_version"), HasSubstr("release 0.5.3"))),
            Contains(AllOf(HasSubstr("vgg11.yaml:6:"), HasSubstr("batch_delay: acts here"))),
            Contains(HasSubstr("benchmark_engine: 'locust' is not used")),
            Contains(HasSubstr("exec_env: 'docker' is not acted on")),
            Contains(HasSubstr("backend_profiling: is not acted on"))));
}

TEST_F(SuiteSpecTest, TorchServeForm_TakesTheProcessorsOfItsHardware) {
  Write("kitten.jpg", "cat");
  std::ofstream(folder_ + "/models_config/kitten.jpg") << "cat";
  Write("models_config/vgg11.yaml", kModelFile);
  const auto spec = Read("models: [vgg11.yaml]\nhardware: gpu\n");
  ASSERT_TRUE(spec.ok()) << spec.status().ToString();
  EXPECT_THAT(spec->models[0].devices, ElementsAre("gpu"));
}

TEST_F(SuiteSpecTest, TorchServeForm_AModelFileAloneIsASuite) {
  Write("kitten.jpg", "cat");
  const auto spec = Read(kModelFile);
  ASSERT_TRUE(spec.ok()) << spec.status().ToString();
  EXPECT_EQ(spec->models.size(), 2u);
}

TEST_F(SuiteSpecTest, TorchServeForm_FaultsNameTheModelFile) {
  EXPECT_THAT(Fault("models: [none.yaml]"),
              HasSubstr("suite.yaml:1: models: there is no model file 'none.yaml'"));
  Write("models_config/m.yaml", "m:\n  eager:\n    url: u\n    workers: many\n");
  EXPECT_THAT(Fault("models: [m.yaml]"),
              AllOf(HasSubstr("m.yaml:4: m.eager.workers: 'many' is no whole number")));
  Write("models_config/m.yaml", "m:\n  eager:\n    url: u\n    workers: 1\n    batch_size: 1\n");
  EXPECT_THAT(Fault("models: [m.yaml]"), HasSubstr("m.yaml:3: m.eager.input: is missing"));
  Write("models_config/m.yaml", "m: {eager: {url: u, workers: 1, batch_size: 1, input: cat}}\n");
  EXPECT_THAT(Fault("models: [m.yaml]"), HasSubstr("there is no file 'cat'"));
  EXPECT_THAT(Fault("models: [m.yaml]\nhardware: abacus"), HasSubstr("hardware: 'abacus' is none"));
  EXPECT_THAT(Fault("models: [m.yaml]\nmetrics_cmd: x"), HasSubstr("metrics_cmd: must be a list"));
}

TEST(ParseDurationTest, TakesUnits) {
  EXPECT_EQ(*ParseDuration("100ms", kSecond), 100 * kMillisecond);
  EXPECT_EQ(*ParseDuration("1.5s", kSecond), 1500 * kMillisecond);
  EXPECT_EQ(*ParseDuration("2m", kSecond), 120 * kSecond);
  EXPECT_EQ(*ParseDuration("1h", kSecond), 3600 * kSecond);
  EXPECT_EQ(*ParseDuration("250us", kSecond), 250 * kMicrosecond);
  EXPECT_EQ(*ParseDuration("3", kMillisecond), 3 * kMillisecond);
  for (const char* wrong : {"", "s", "-1s", "1 s", "1x", "1e3", "..", "1e99s"}) {
    EXPECT_FALSE(ParseDuration(wrong, kSecond).ok()) << wrong;
  }
}

}  // namespace
}  // namespace headrace::bench
