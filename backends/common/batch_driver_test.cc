#include "common/batch_driver.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "common/testing/fake_host.h"

namespace headrace::backend {
namespace {

using testing::BytesOf;
using ::testing::ElementsAre;
using testing::FloatsOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr MemoryPlace kGpu1{TRITONSERVER_MEMORY_GPU, 1};

// y = x, of one input and one output. As a device, its memory is the host's under another name.
class CopyRun final : public RuntimeRun {
 public:
  explicit CopyRun(bool on_device) : on_device_(on_device) {}

  bool TakesParts() const override { return on_device_; }
  Error BindInput(std::size_t, std::span<const std::byte> bytes,
                  std::span<const std::int64_t> shape) override {
    value_.assign(bytes.begin(), bytes.end());
    shape_.assign(shape.begin(), shape.end());
    return {};
  }
  Error BindInputParts(std::size_t, std::span<const InputPart> parts, std::size_t byte_size,
                       std::span<const std::int64_t> shape) override {
    value_.clear();
    for (const InputPart& part : parts) {
      places.push_back(part.place.type);
      value_.insert(value_.end(), part.bytes.begin(), part.bytes.end());
    }
    EXPECT_EQ(value_.size(), byte_size);
    shape_.assign(shape.begin(), shape.end());
    return {};
  }
  bool CanBindOutput(std::size_t) const override { return false; }
  bool BindOutput(std::size_t, std::span<std::byte>, std::span<const std::int64_t>) override {
    return false;
  }
  Error Run(const std::vector<bool>&) override { return {}; }
  Error ReadOutput(std::size_t, RuntimeOutput* output) override {
    output->dtype = TRITONSERVER_TYPE_FP32;
    output->shape = shape_;
    output->bytes = value_;
    if (on_device_) {
      output->place = kGpu1;
    }
    return {};
  }
  Error CopyOutput(std::size_t, std::size_t offset, std::span<std::byte> destination,
                   const MemoryPlace& place) override {
    if (copies_fail) {
      return Internal("the device fell off");
    }
    copied_to.push_back(place.type);
    waiting_.push_back({offset, destination});
    return {};
  }
  Error FinishOutputs() override {
    for (const auto& [offset, destination] : waiting_) {
      std::memcpy(destination.data(), value_.data() + offset, destination.size());
    }
    waiting_.clear();
    return {};
  }
  void Clear() override { ++clear_count; }

  bool copies_fail = false;
  std::vector<TRITONSERVER_MemoryType> places;     // of the parts
  std::vector<TRITONSERVER_MemoryType> copied_to;  // of the outputs
  int clear_count = 0;

 private:
  const bool on_device_;
  std::vector<std::byte> value_;
  std::vector<std::int64_t> shape_;
  std::vector<std::pair<std::size_t, std::span<std::byte>>> waiting_;
};

TensorConfig Pair(const std::string& name) {
  TensorConfig tensor;
  tensor.name = name;
  tensor.dtype = TRITONSERVER_TYPE_FP32;
  tensor.dims = {2};
  return tensor;
}

class BatchDriverTest : public ::testing::Test {
 protected:
  BatchDriverTest() {
    tensors_.inputs.push_back({"x", TRITONSERVER_TYPE_FP32, {-1, 2}});
    tensors_.outputs.push_back({"y", TRITONSERVER_TYPE_FP32, {-1, 2}});
    config_.max_batch_size = 8;
    config_.inputs.push_back(Pair("x"));
    config_.outputs.push_back(Pair("y"));
  }

  // A request of one buffer for each list.
  TRITONBACKEND_Request& Add(const std::vector<std::pair<std::vector<float>, MemoryPlace>>& parts) {
    TRITONBACKEND_Request& request = requests_.emplace_back();
    TRITONBACKEND_Input& input = request.inputs.emplace_back();
    input.name = "x";
    std::size_t count = 0;
    for (const auto& [values, place] : parts) {
      input.buffers.push_back({BytesOf(values), place});
      count += values.size();
    }
    input.shape = {static_cast<std::int64_t>(count / 2), 2};
    request.wanted = {"y"};
    return request;
  }

  void Execute(RuntimeRun& run) {
    std::vector<TRITONBACKEND_Request*> requests;
    for (TRITONBACKEND_Request& request : requests_) {
      requests.push_back(&request);
    }
    BatchMemory memory;
    BatchDriver driver(tensors_, config_);
    RequestBatch batch(memory, nullptr, requests);
    if (Error error = driver.Execute(batch, run); !error.ok()) {
      batch.FailAll(error);
    }
    batch.Send();
    for (const TRITONBACKEND_Request& request : requests_) {
      EXPECT_EQ(request.answer_count, 1);
      EXPECT_EQ(request.release_count, 1);
    }
  }

  ModelTensors tensors_;
  ModelConfig config_;
  std::deque<TRITONBACKEND_Request> requests_;
};

TEST_F(BatchDriverTest, HostRuntimeGetsTheBatchAsOneBuffer) {
  TRITONBACKEND_Request& first = Add({{{1, 2}, {}}});
  TRITONBACKEND_Request& second = Add({{{3, 4}, {}}, {{5, 6}, {}}});
  CopyRun run(/*on_device=*/false);
  Execute(run);
  EXPECT_THAT(run.places, IsEmpty());
  EXPECT_THAT(FloatsOf(first.outputs.at(0).bytes), ElementsAre(1, 2));
  EXPECT_THAT(FloatsOf(second.outputs.at(0).bytes), ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(second.outputs.at(0).shape, ElementsAre(2, 2));
  EXPECT_EQ(run.clear_count, 1);
}

TEST_F(BatchDriverTest, HostRuntimeRefusesDeviceMemory) {
  TRITONBACKEND_Request& request = Add({{{1, 2}, kGpu1}});
  CopyRun run(/*on_device=*/false);
  Execute(run);
  ASSERT_TRUE(request.error);
  EXPECT_THAT(*request.error, HasSubstr("input 'x' is in GPU memory"));
}

TEST_F(BatchDriverTest, DeviceRuntimeGetsBuffersWhereTheyAre) {
  Add({{{1, 2}, kGpu1}});
  Add({{{}, {}}, {{3, 4}, {}}, {{5, 6}, {TRITONSERVER_MEMORY_CPU_PINNED, 0}}});
  CopyRun run(/*on_device=*/true);
  Execute(run);
  EXPECT_THAT(run.places, ElementsAre(TRITONSERVER_MEMORY_GPU, TRITONSERVER_MEMORY_CPU,
                                      TRITONSERVER_MEMORY_CPU_PINNED));
}

TEST_F(BatchDriverTest, DeviceOutputsGoWhereTheServerWantsThem) {
  TRITONBACKEND_Request& stays = Add({{{1, 2}, {}}});
  TRITONBACKEND_Request& leaves = Add({{{3, 4, 5, 6}, {}}});
  leaves.output_place = MemoryPlace{};
  CopyRun run(/*on_device=*/true);
  Execute(run);
  EXPECT_THAT(run.copied_to, ElementsAre(TRITONSERVER_MEMORY_GPU, TRITONSERVER_MEMORY_CPU));
  EXPECT_EQ(leaves.outputs.at(0).preferred.type, TRITONSERVER_MEMORY_GPU);
  EXPECT_EQ(leaves.outputs.at(0).preferred.id, 1);
  EXPECT_THAT(FloatsOf(stays.outputs.at(0).bytes), ElementsAre(1, 2));
  EXPECT_THAT(FloatsOf(leaves.outputs.at(0).bytes), ElementsAre(3, 4, 5, 6));
  EXPECT_THAT(leaves.outputs.at(0).shape, ElementsAre(2, 2));
}

TEST_F(BatchDriverTest, DeviceOutputsOfAModelWithoutBatches) {
  config_.max_batch_size = 0;
  tensors_.inputs[0].shape = tensors_.outputs[0].shape = {-1, 2};
  TRITONBACKEND_Request& request = Add({{{1, 2, 3, 4}, kGpu1}});
  CopyRun run(/*on_device=*/true);
  Execute(run);
  EXPECT_THAT(FloatsOf(request.outputs.at(0).bytes), ElementsAre(1, 2, 3, 4));
}

TEST_F(BatchDriverTest, OutputThatIsNotWantedIsNotCopied) {
  Add({{{1, 2}, {}}}).wanted.clear();
  TRITONBACKEND_Request& other = Add({{{3, 4}, {}}});
  CopyRun run(/*on_device=*/true);
  Execute(run);
  EXPECT_EQ(run.copied_to.size(), 1u);
  EXPECT_THAT(FloatsOf(other.outputs.at(0).bytes), ElementsAre(3, 4));
}

TEST_F(BatchDriverTest, CopyThatFailsFailsItsRequest) {
  TRITONBACKEND_Request& request = Add({{{1, 2}, {}}});
  CopyRun run(/*on_device=*/true);
  run.copies_fail = true;
  Execute(run);
  ASSERT_TRUE(request.error);
  EXPECT_THAT(*request.error, HasSubstr("the device fell off"));
}

// Sums what it is given: y = [sum of x, elements of x, values of the batch input] per request; and
// f = x as it came. Notes the shapes.
class RaggedRun final : public RuntimeRun {
 public:
  Error BindInput(std::size_t index, std::span<const std::byte> bytes,
                  std::span<const std::int64_t> shape) override {
    bound.resize(std::max(bound.size(), index + 1));
    shapes.resize(bound.size());
    bound[index].assign(bytes.begin(), bytes.end());
    shapes[index].assign(shape.begin(), shape.end());
    return {};
  }
  Error OmitInput(std::size_t index) override {
    omitted.push_back(index);
    return needs_all ? RuntimeRun::OmitInput(index) : Error();
  }
  void BeginBatch(std::int64_t row_count) override { rows = row_count; }
  bool CanBindOutput(std::size_t) const override { return true; }
  bool BindOutput(std::size_t, std::span<std::byte>, std::span<const std::int64_t>) override {
    return false;
  }
  Error Run(const std::vector<bool>&) override { return {}; }
  Error ReadOutput(std::size_t, RuntimeOutput* output) override {
    output->dtype = TRITONSERVER_TYPE_FP32;
    output->shape = shapes[0];
    output->bytes = bound[0];
    if (short_answer) {
      output->bytes = output->bytes.first(4);
      output->shape = {1};
    }
    return {};
  }
  void Clear() override {}

  bool needs_all = false;
  bool short_answer = false;
  std::int64_t rows = 0;
  std::vector<std::vector<std::byte>> bound;
  std::vector<std::vector<std::int64_t>> shapes;
  std::vector<std::size_t> omitted;
};

class RaggedDriverTest : public BatchDriverTest {
 protected:
  RaggedDriverTest() {
    tensors_.inputs = {{"x", TRITONSERVER_TYPE_FP32, {-1}}, {"ends", TRITONSERVER_TYPE_FP32, {-1}}};
    tensors_.outputs = {{"y", TRITONSERVER_TYPE_FP32, {-1}}};
    config_.inputs[0].dims = config_.outputs[0].dims = {-1};
    config_.inputs[0].allow_ragged_batch = true;
    config_.batch_inputs.push_back({.kind = BatchInputConfig::Kind::kAccumulatedElementCount,
                                    .dtype = TRITONSERVER_TYPE_FP32,
                                    .targets = {"ends"},
                                    .source = "x"});
    config_.batch_outputs.push_back({.targets = {"y"}, .source = "x"});
  }
  TRITONBACKEND_Request& AddShaped(const std::vector<float>& values, std::int64_t rows) {
    TRITONBACKEND_Request& request = Add({{values, {}}});
    request.inputs[0].shape = {rows, static_cast<std::int64_t>(values.size()) / rows};
    return request;
  }
};

TEST_F(RaggedDriverTest, JoinsRequestsOfDifferentShapeInOneDimension) {
  TRITONBACKEND_Request& first = AddShaped({1, 2, 3}, 1);
  TRITONBACKEND_Request& second = AddShaped({4, 5, 6, 7}, 2);
  RaggedRun run;
  Execute(run);
  EXPECT_EQ(run.rows, 3);
  EXPECT_THAT(run.shapes[0], ElementsAre(7));
  EXPECT_THAT(FloatsOf(run.bound[0]), ElementsAre(1, 2, 3, 4, 5, 6, 7));
  EXPECT_THAT(run.shapes[1], ElementsAre(2));
  EXPECT_THAT(FloatsOf(run.bound[1]), ElementsAre(3, 7));
  EXPECT_THAT(first.outputs.at(0).shape, ElementsAre(1, 3));
  EXPECT_THAT(FloatsOf(first.outputs.at(0).bytes), ElementsAre(1, 2, 3));
  EXPECT_THAT(second.outputs.at(0).shape, ElementsAre(2, 2));
  EXPECT_THAT(FloatsOf(second.outputs.at(0).bytes), ElementsAre(4, 5, 6, 7));
}

TEST_F(RaggedDriverTest, OneRequestIsFlatToo) {
  TRITONBACKEND_Request& request = AddShaped({1, 2}, 1);
  RaggedRun run;
  Execute(run);
  EXPECT_THAT(run.shapes[0], ElementsAre(2));
  EXPECT_THAT(request.outputs.at(0).shape, ElementsAre(1, 2));
}

TEST_F(RaggedDriverTest, AnswerThatDoesNotFillTheBatchFailsIt) {
  TRITONBACKEND_Request& request = AddShaped({1, 2}, 1);
  RaggedRun run;
  run.short_answer = true;
  Execute(run);
  ASSERT_TRUE(request.error);
  EXPECT_THAT(*request.error, HasSubstr("output 'y' has 1 elements, fewer than the batch takes"));
}

TEST_F(RaggedDriverTest, OptionalInputMayBeMissing) {
  tensors_.inputs.push_back({"mask", TRITONSERVER_TYPE_FP32, {-1, 2}});
  config_.inputs.push_back(Pair("mask"));
  config_.inputs.back().optional = true;
  TRITONBACKEND_Request& request = AddShaped({1, 2}, 1);
  RaggedRun run;
  Execute(run);
  EXPECT_THAT(run.omitted, ElementsAre(2));
  EXPECT_FALSE(request.error);
}

TEST_F(RaggedDriverTest, ModelMayNeedAnOptionalInput) {
  tensors_.inputs.push_back({"mask", TRITONSERVER_TYPE_FP32, {-1, 2}});
  config_.inputs.push_back(Pair("mask"));
  config_.inputs.back().optional = true;
  TRITONBACKEND_Request& request = AddShaped({1, 2}, 1);
  RaggedRun run;
  run.needs_all = true;
  Execute(run);
  ASSERT_TRUE(request.error);
  EXPECT_THAT(*request.error, HasSubstr("input 'mask' is missing: the model has no default"));
}

TEST_F(BatchDriverTest, AStateGoesToItsSequences_AndAnOutputOnlyToWhoWantsIt) {
  config_.sequence.state_outputs.push_back({"y", TRITONSERVER_TYPE_FP32, {2}});
  for (const bool on_device : {false, true}) {
    requests_.clear();
    TRITONBACKEND_Request& first = Add({{{1, 2}, {}}});
    TRITONBACKEND_Request& second = Add({{{3, 4}, {}}});
    second.wanted.clear();
    CopyRun run(on_device);
    Execute(run);
    for (const TRITONBACKEND_Request* request : {&first, &second}) {
      ASSERT_EQ(request->states.size(), 1u);
      EXPECT_EQ(request->states[0].name, "y");
      EXPECT_THAT(request->states[0].shape, ElementsAre(1, 2));
      EXPECT_EQ(request->states[0].update_count, 1);
    }
    EXPECT_THAT(FloatsOf(first.states[0].bytes), ElementsAre(1, 2));
    EXPECT_THAT(FloatsOf(second.states[0].bytes), ElementsAre(3, 4));
    EXPECT_THAT(FloatsOf(first.outputs.at(0).bytes), ElementsAre(1, 2));
    EXPECT_TRUE(second.outputs.empty());
  }
}

TEST_F(BatchDriverTest, AStateOfAModelWithoutBatches_IsTheWholeOutput) {
  config_.max_batch_size = 0;
  config_.outputs.clear();
  config_.sequence.state_outputs.push_back({"y", TRITONSERVER_TYPE_FP32, {-1, 2}});
  TRITONBACKEND_Request& request = Add({{{1, 2, 3, 4}, {}}});
  request.wanted.clear();
  CopyRun run(/*on_device=*/false);
  Execute(run);
  ASSERT_EQ(request.states.size(), 1u);
  EXPECT_THAT(request.states[0].shape, ElementsAre(2, 2));
  EXPECT_THAT(FloatsOf(request.states[0].bytes), ElementsAre(1, 2, 3, 4));
  EXPECT_TRUE(request.outputs.empty());
}

TEST(SequenceConfigTest, ReadsControlsAndStates) {
  ModelConfig config;
  ASSERT_TRUE(ModelConfig::Parse(R"({"sequence_batching": {
      "control_input": [
        {"name": "START", "control": [{"kind": "CONTROL_SEQUENCE_START", "fp32_false_true": [0, 1]}]},
        {"name": "ID", "control": [{"kind": "CONTROL_SEQUENCE_CORRID", "data_type": "TYPE_UINT64"}]}],
      "state": [{"input_name": "i", "output_name": "o", "data_type": "TYPE_FP16", "dims": ["2", -1]}]
    }})",
                                 &config)
                  .ok());
  ASSERT_EQ(config.sequence.inputs.size(), 3u);
  EXPECT_EQ(config.sequence.inputs[0].dtype, TRITONSERVER_TYPE_FP32);
  EXPECT_EQ(config.sequence.inputs[1].dtype, TRITONSERVER_TYPE_UINT64);
  EXPECT_THAT(config.sequence.inputs[1].dims, ElementsAre(1));
  EXPECT_EQ(config.sequence.inputs[2].dtype, TRITONSERVER_TYPE_FP16);
  EXPECT_THAT(config.sequence.inputs[2].dims, ElementsAre(2, -1));
  EXPECT_TRUE(config.sequence.HasInput("i"));
  EXPECT_TRUE(config.sequence.HasStateOutput("o"));
  EXPECT_FALSE(config.sequence.HasStateOutput("i"));
}

}  // namespace
}  // namespace headrace::backend
