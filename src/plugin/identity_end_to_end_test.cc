// The engine, the host and the real identity backend together.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "engine/model.h"
#include "plugin/plugin_host.h"
#include "plugin/testing/recording_sink.h"

namespace headrace::plugin {
namespace {

using testing::Record;
using testing::RecordingSink;

constexpr const char* kConfig = R"({
  "name": "id", "backend": "identity", "max_batch_size": 8,
  "input": [{"name": "INPUT0", "data_type": "TYPE_INT32", "dims": ["-1"]}],
  "output": [{"name": "OUTPUT0", "data_type": "TYPE_INT32", "dims": ["-1"]}]})";

// A recording sink whose end can be waited for.
class WaitedSink final : public engine::ResponseSink {
 public:
  struct End {
    std::mutex mutex;  // guards count
    std::condition_variable changed;
    int count = 0;
  };
  WaitedSink(std::shared_ptr<Record> record, BlockPool& pool, End& end)
      : inner_(std::move(record), pool), end_(end) {}
  Result<MutableBuffer> AllocateOutput(std::string_view name, std::size_t byte_size) override {
    return inner_.AllocateOutput(name, byte_size);
  }
  void Send(engine::InferResponse response) override { inner_.Send(std::move(response)); }
  void Finish(Status status) override {
    inner_.Finish(std::move(status));
    std::lock_guard lock(end_.mutex);
    ++end_.count;
    end_.changed.notify_all();
  }
  bool Cancelled() const override { return inner_.Cancelled(); }

 private:
  RecordingSink inner_;
  End& end_;
};

class IdentityTest : public ::testing::Test {
 protected:
  Result<std::unique_ptr<engine::LoadedModel>> Load(const std::string& config) {
    engine::LoadSpec spec;
    spec.model_name = "id";
    spec.backend = "identity";
    spec.model_directory = "/nonexistent/id";
    spec.config_json = config;
    auto backend = host_.Find(spec);
    if (!backend.ok()) {
      return backend.status();
    }
    return (*backend)->Load(spec);
  }

  std::shared_ptr<engine::Model> Start() {
    auto loaded = Load(kConfig);
    EXPECT_TRUE(loaded.ok()) << loaded.status().ToString();
    engine::ModelOptions options;
    options.name = "id";
    options.signature.batch_size_max = 8;
    options.signature.inputs.push_back(
        {.name = "INPUT0", .dtype = DataType::kInt32, .dims = Shape{-1}});
    options.signature.outputs.push_back(
        {.name = "OUTPUT0", .dtype = DataType::kInt32, .dims = Shape{-1}});
    options.batching = {.dynamic = true, .batch_size_max = 8};
    options.placements.push_back({.name = "id_0"});
    auto model = engine::Model::Start(std::move(options), std::move(*loaded), Clock::Real());
    EXPECT_TRUE(model.ok()) << model.status().ToString();
    return *model;
  }

  BlockPool pool_;
  PluginHost host_{{.backend_directory = HEADRACE_BUILT_BACKENDS,
                    .backend_config = {},
                    .host_library_directory = HEADRACE_HOST_LIBRARY_DIRECTORY}};
};

TEST_F(IdentityTest, EveryRequestGetsItsOwnBytesBack) {
  constexpr int kCount = 200;
  WaitedSink::End end;
  const std::shared_ptr<engine::Model> model = Start();
  std::vector<std::shared_ptr<Record>> records;
  for (int i = 0; i < kCount; ++i) {
    records.push_back(std::make_shared<Record>());
    auto request = std::make_unique<engine::InferRequest>(
        model, std::make_unique<WaitedSink>(records.back(), pool_, end));
    NamedTensor input{.name = "INPUT0", .tensor = {}};
    input.tensor.dtype = DataType::kInt32;
    input.tensor.shape = Shape{1, 1 + i % 3};
    input.tensor.data = Buffer::FromString(std::string(4u * (1 + i % 3), static_cast<char>(i)));
    request->inputs.push_back(std::move(input));
    model->Submit(std::move(request));
  }
  {
    std::unique_lock lock(end.mutex);
    end.changed.wait(lock, [&] { return end.count == kCount; });
  }
  for (int i = 0; i < kCount; ++i) {
    ASSERT_TRUE(records[i]->status.ok()) << records[i]->status.ToString();
    EXPECT_EQ(std::string(4u * (1 + i % 3), static_cast<char>(i)), records[i]->Output());
    EXPECT_EQ((Shape{1, 1 + i % 3}), records[i]->responses[0].outputs[0].tensor.shape);
  }
  ASSERT_TRUE(model->Drain(kSecond * 30));
  const engine::StatisticsSnapshot statistics = model->statistics().Read();
  EXPECT_EQ(static_cast<std::uint64_t>(kCount), statistics.success.count);
  EXPECT_EQ(static_cast<std::uint64_t>(kCount), statistics.inference_count);
  EXPECT_EQ(static_cast<std::uint64_t>(kCount), statistics.compute_infer.count);
  EXPECT_GE(statistics.execution_count, static_cast<std::uint64_t>(kCount) / 8);
}

TEST_F(IdentityTest, Load_RefusesPairsThatDoNotMatch) {
  const auto load = [&](std::string_view from, std::string_view to) {
    std::string config = kConfig;
    config.replace(config.rfind(from), from.size(), to);
    return Load(config).status().message();
  };
  EXPECT_THAT(load("TYPE_INT32", "TYPE_FP32"), ::testing::HasSubstr("different datatypes"));
  EXPECT_THAT(load("\"-1\"", "3"), ::testing::HasSubstr("different shapes"));
  EXPECT_THAT(load("OUTPUT0", "OUTPUT1"), ::testing::HasSubstr("has no input 'INPUT1'"));
  EXPECT_THAT(load("OUTPUT0", "RESULT"), ::testing::HasSubstr("OUTPUT<index> pattern"));
}

TEST_F(IdentityTest, Load_RefusesParametersThatAreNoNumbers) {
  std::string config = kConfig;
  config.pop_back();
  config += R"(, "parameters": {"execute_delay_ms": {"string_value": "fast"}}})";
  EXPECT_EQ("parameter 'execute_delay_ms' has the value 'fast', which is not an integer",
            Load(config).status().message());
}

}  // namespace
}  // namespace headrace::plugin
