#include "plugin/plugin_backend.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "plugin/plugin_host.h"
#include "plugin/request_handle.h"
#include "plugin/testing/recording_sink.h"

namespace headrace::plugin {
namespace {

using ::testing::HasSubstr;
using testing::Record;
using testing::RecordingSink;

constexpr const char* kFourFloats = "0123456789abcdef";  // 16 bytes

class FaultyBackendTest : public ::testing::Test {
 protected:
  engine::LoadSpec Spec(std::string config_json = "{}") {
    engine::LoadSpec spec;
    spec.model_name = "m";
    spec.backend = "faulty";
    spec.model_directory = "/nonexistent/m";
    spec.config_json = std::move(config_json);
    return spec;
  }

  Result<std::unique_ptr<engine::LoadedModel>> Load(const engine::LoadSpec& spec) {
    auto backend = host_.Find(spec);
    EXPECT_TRUE(backend.ok()) << backend.status().ToString();
    return (*backend)->Load(spec);
  }

  void SetUp() override {
    auto model = Load(Spec());
    ASSERT_TRUE(model.ok()) << model.status().ToString();
    model_ = std::move(*model);
    auto instance = model_->CreateInstance({.name = "m_0"});
    ASSERT_TRUE(instance.ok()) << instance.status().ToString();
    instance_ = std::move(*instance);
  }

  std::unique_ptr<engine::InferRequest> Request(std::shared_ptr<Record> record,
                                                const std::string& fault = "") {
    auto request = std::make_unique<engine::InferRequest>(
        nullptr, std::make_unique<RecordingSink>(std::move(record), pool_));
    NamedTensor input{.name = "INPUT0", .tensor = {}};
    input.tensor.dtype = DataType::kFp32;
    input.tensor.shape = Shape{4};
    input.tensor.data = Buffer::Unowned(kFourFloats);
    request->inputs.push_back(std::move(input));
    request->wanted_outputs = {"OUTPUT0"};
    if (!fault.empty()) {
      request->parameters.push_back({"fault", fault});
    }
    return request;
  }

  // Executes a batch of `count` requests, the first of which names the fault.
  std::vector<std::shared_ptr<Record>> Execute(const std::string& fault, int count = 1) {
    std::vector<std::shared_ptr<Record>> records;
    engine::Batch batch;
    for (int i = 0; i < count; ++i) {
      records.push_back(std::make_shared<Record>());
      batch.requests.push_back(Request(records.back(), i == 0 ? fault : ""));
    }
    instance_->Execute(std::move(batch));
    return records;
  }

  void ExpectStillServes() {
    for (int i = 0; i < 20; ++i) {
      const auto records = Execute("", 3);
      for (const auto& record : records) {
        EXPECT_TRUE(record->status.ok()) << record->status.ToString();
        EXPECT_EQ(1, record->finish_count);
        EXPECT_EQ(kFourFloats, record->Output());
      }
    }
  }

  BlockPool pool_;
  PluginHost host_{{.backend_directory = HEADRACE_TEST_BACKENDS,
                    .backend_config = {},
                    .host_library_directory = HEADRACE_HOST_LIBRARY_DIRECTORY}};
  std::unique_ptr<engine::LoadedModel> model_;
  std::unique_ptr<engine::Instance> instance_;
};

TEST_F(FaultyBackendTest, Execute_WritesOutputsInPlace) {
  const auto records = Execute("", 2);
  for (const auto& record : records) {
    ASSERT_TRUE(record->status.ok()) << record->status.ToString();
    ASSERT_EQ(1u, record->responses.size());
    const NamedTensor& output = record->responses[0].outputs.at(0);
    EXPECT_EQ("OUTPUT0", output.name);
    EXPECT_EQ(Shape{4}, output.tensor.shape);
    EXPECT_EQ(kFourFloats, output.tensor.data.view());
    ASSERT_EQ(1u, record->allocated.size());
    EXPECT_EQ(record->allocated[0], output.tensor.data.data());
  }
  ExpectStillServes();
}

TEST_F(FaultyBackendTest, Execute_JoinsFragmentsInOrder) {
  auto record = std::make_shared<Record>();
  engine::Batch batch;
  batch.requests.push_back(Request(record));
  Tensor& tensor = batch.requests[0]->inputs[0].tensor;
  tensor.data = Buffer::Unowned("01234567");
  tensor.more_fragments = {Buffer::Unowned("89ab"), Buffer::Unowned("cdef")};
  instance_->Execute(std::move(batch));
  EXPECT_EQ(kFourFloats, record->Output());
}

TEST_F(FaultyBackendTest, Execute_LeavesOutUnwantedOutputs) {
  auto record = std::make_shared<Record>();
  engine::Batch batch;
  batch.requests.push_back(Request(record));
  batch.requests[0]->wanted_outputs = {"OUTPUT1"};
  instance_->Execute(std::move(batch));
  EXPECT_TRUE(record->status.ok());
  EXPECT_TRUE(record->responses.at(0).outputs.empty());
}

TEST_F(FaultyBackendTest, Execute_AnswersTheBatchWithTheBackendsError) {
  for (const auto& record : Execute("error", 3)) {
    EXPECT_EQ("INTERNAL: the model is broken", record->status.ToString());
    EXPECT_EQ(1, record->finish_count);
    EXPECT_TRUE(record->responses.empty());
  }
  ExpectStillServes();
}

TEST_F(FaultyBackendTest, Execute_TurnsAnExceptionIntoTheBatchsError) {
  for (const char* fault : {"throw", "throw_int"}) {
    for (const auto& record : Execute(fault, 2)) {
      EXPECT_EQ(StatusCode::kInternal, record->status.code());
      EXPECT_THAT(record->status.message(), HasSubstr("ModelInstanceExecute threw"));
      EXPECT_EQ(1, record->finish_count);
    }
  }
  ExpectStillServes();
}

TEST_F(FaultyBackendTest, Execute_KeepsAnswersGivenBeforeAnError) {
  const auto records = Execute("error_after_one_answer", 2);
  EXPECT_TRUE(records[0]->status.ok());
  EXPECT_EQ(1, records[0]->finish_count);
  EXPECT_EQ("INTERNAL: broken after the first answer", records[1]->status.ToString());
  ExpectStillServes();
}

TEST_F(FaultyBackendTest, Send_IsRefusedTheSecondTime) {
  const auto records = Execute("send_twice");
  EXPECT_TRUE(records[0]->status.ok());
  EXPECT_EQ(1u, records[0]->responses.size());
  EXPECT_EQ(1, records[0]->finish_count);
  ExpectStillServes();
}

TEST_F(FaultyBackendTest, Request_IsRefusedAfterItsRelease) {
  const auto records = Execute("use_after_release");
  EXPECT_TRUE(records[0]->status.ok());
  EXPECT_EQ(1, records[0]->finish_count);
  ExpectStillServes();
}

TEST_F(FaultyBackendTest, Release_WithoutAnAnswerBecomesTheClientsError) {
  for (const char* fault : {"never_send", "delete_response"}) {
    const auto records = Execute(fault);
    EXPECT_EQ(StatusCode::kInternal, records[0]->status.code());
    EXPECT_THAT(records[0]->status.message(), HasSubstr("without a final response"));
    EXPECT_EQ(1, records[0]->finish_count);
  }
  ExpectStillServes();
}

TEST_F(FaultyBackendTest, Instance_TakesBackWhatWasNeverReleased) {
  const auto records = Execute("never_release");
  EXPECT_TRUE(records[0]->status.ok());
  ExpectStillServes();
  instance_.reset();
  EXPECT_EQ(1, records[0]->finish_count);
}

TEST_F(FaultyBackendTest, Send_OfARefusedOutputBecomesTheClientsError) {
  const auto wrong = Execute("wrong_size");
  EXPECT_THAT(wrong[0]->status.ToString(), HasSubstr("needs 16 bytes; the backend asks for 12"));
  const auto huge = Execute("huge");
  EXPECT_THAT(huge[0]->status.ToString(), HasSubstr("needs 16 bytes"));
  const auto none = Execute("no_buffer");
  EXPECT_THAT(none[0]->status.ToString(), HasSubstr("no data for output 'OUTPUT0'"));
  EXPECT_TRUE(none[0]->responses.empty());
  ExpectStillServes();
}

TEST_F(FaultyBackendTest, Release_ForAnotherScheduleIsRefused) {
  EXPECT_TRUE(Execute("reschedule")[0]->status.ok());
}

TEST_F(FaultyBackendTest, Factory_SendsAfterTheReleaseAndEndsOnce) {
  const auto records = Execute("stream");
  ASSERT_EQ(20u, records[0]->responses.size());
  for (std::int64_t i = 0; i < 20; ++i) {
    const Parameter& parameter =
        records[0]->responses[static_cast<std::size_t>(i)].parameters.at(0);
    EXPECT_EQ("index", parameter.name);
    EXPECT_EQ(i, std::get<std::int64_t>(parameter.value));
  }
  EXPECT_TRUE(records[0]->status.ok());
  EXPECT_EQ(1, records[0]->finish_count);
  ExpectStillServes();
}

TEST_F(FaultyBackendTest, Load_FailsWithTheBackendsText) {
  EXPECT_EQ("INTERNAL: the model file is damaged",
            Load(Spec("{\"x\":\"init_error\"}")).status().ToString());
  EXPECT_THAT(Load(Spec("{\"x\":\"init_throw\"}")).status().message(),
              HasSubstr("thrown while loading"));
}

TEST_F(FaultyBackendTest, CreateInstance_FailsWithTheBackendsText) {
  auto model = Load(Spec("{\"x\":\"instance_error\"}"));
  ASSERT_TRUE(model.ok());
  EXPECT_TRUE((*model)->ParallelInstanceLoading());
  EXPECT_EQ("INTERNAL: no memory for an instance",
            (*model)->CreateInstance({.name = "m_0"}).status().ToString());
}

TEST_F(FaultyBackendTest, Load_AsksForAProposedConfiguration) {
  engine::LoadSpec spec = Spec("{\"x\":\"propose_config\"}");
  std::string proposed;
  spec.auto_complete = true;
  spec.complete_config = [&](const std::string& json) -> Result<std::string> {
    proposed = json;
    return std::string("{}");
  };
  EXPECT_TRUE(Load(spec).ok());
  EXPECT_EQ("{\"max_batch_size\":8}", proposed);
}

TEST_F(FaultyBackendTest, Load_FailsWhenTheProposedConfigurationIsRefused) {
  engine::LoadSpec spec = Spec("{\"x\":\"propose_config\"}");
  spec.auto_complete = true;
  spec.complete_config = [](const std::string&) -> Result<std::string> {
    return InvalidArgument("max_batch_size is fixed");
  };
  EXPECT_EQ("INVALID_ARGUMENT: max_batch_size is fixed", Load(spec).status().ToString());
}

TEST_F(FaultyBackendTest, Host_KeepsOneBackendPerLibrary) {
  auto again = host_.Find(Spec());
  ASSERT_TRUE(again.ok());
  EXPECT_EQ(again->get(), host_.Find(Spec())->get());
  ASSERT_EQ(1u, host_.LoadedBackends().size());
  EXPECT_EQ("faulty", host_.LoadedBackends()[0].name);
}

}  // namespace
}  // namespace headrace::plugin
