// What becomes of requests whose execution fails, when the caller wants them back
// (engine::Batch::failed).
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "engine/failed_requests.h"
#include "plugin/plugin_host.h"
#include "plugin/testing/recording_sink.h"

namespace headrace::plugin {
namespace {

using testing::Record;
using testing::RecordingSink;

class FailedExecutionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    engine::LoadSpec spec;
    spec.model_name = "m";
    spec.backend = "faulty";
    spec.model_directory = "/nonexistent/m";
    spec.config_json = "{}";
    auto backend = host_.Find(spec);
    ASSERT_TRUE(backend.ok()) << backend.status().ToString();
    model_ = (*backend)->Load(spec).value();
    instance_ = model_->CreateInstance({.name = "m_0"}).value();
  }

  std::unique_ptr<engine::InferRequest> Request(const std::string& fault) {
    records_.push_back(std::make_shared<Record>());
    auto request = std::make_unique<engine::InferRequest>(
        nullptr, std::make_unique<RecordingSink>(records_.back(), pool_));
    NamedTensor input{.name = "INPUT0", .tensor = {}};
    input.tensor.dtype = DataType::kFp32;
    input.tensor.shape = Shape{4};
    input.tensor.data = Buffer::Unowned("0123456789abcdef");
    request->inputs.push_back(std::move(input));
    request->wanted_outputs = {"OUTPUT0"};
    if (!fault.empty()) {
      request->parameters.push_back({"fault", fault});
    }
    return request;
  }

  // Executes a batch of `count` requests, the first of which names the fault; what came back.
  std::vector<engine::FailedRequests::Failed> Execute(const std::string& fault, int count) {
    records_.clear();
    engine::FailedRequests failed;
    engine::Batch batch{.requests = {}, .formed = 0, .failed = &failed};
    for (int i = 0; i < count; ++i) {
      batch.requests.push_back(Request(i == 0 ? fault : ""));
    }
    instance_->Execute(std::move(batch));
    return failed.TakeAll();
  }

  int EndCount() const {
    int ends = 0;
    for (const auto& record : records_) {
      EXPECT_LE(record->finish_count, 1);
      ends += record->finish_count;
    }
    return ends;
  }

  BlockPool pool_;
  PluginHost host_{{.backend_directory = HEADRACE_TEST_BACKENDS,
                    .backend_config = {},
                    .host_library_directory = HEADRACE_HOST_LIBRARY_DIRECTORY}};
  std::unique_ptr<engine::LoadedModel> model_;
  std::unique_ptr<engine::Instance> instance_;
  std::vector<std::shared_ptr<Record>> records_;
};

TEST_F(FailedExecutionTest, GivesBackEveryRequest_WhenTheExecutionFails) {
  for (const char* fault : {"error", "throw", "error_to_each"}) {
    auto failed = Execute(fault, 3);
    ASSERT_EQ(failed.size(), 3U) << fault;
    EXPECT_EQ(EndCount(), 0) << fault;
    for (auto& each : failed) {
      EXPECT_FALSE(each.error.ok());
      EXPECT_EQ(each.request->inputs.at(0).tensor.data.view(), "0123456789abcdef");
      each.request->Finish(each.error);
    }
  }
}

TEST_F(FailedExecutionTest, ARequestThatCameBack_CanBeExecutedAgain) {
  auto failed = Execute("error_to_each", 2);
  ASSERT_EQ(failed.size(), 2U);
  engine::Batch again{.requests = {}, .formed = 0};
  for (auto& each : failed) {
    each.request->parameters.clear();
    again.requests.push_back(std::move(each.request));
  }
  instance_->Execute(std::move(again));
  for (const auto& record : records_) {
    EXPECT_TRUE(record->status.ok()) << record->status.ToString();
    EXPECT_EQ(record->finish_count, 1);
    EXPECT_EQ(record->Output(), "0123456789abcdef");
  }
}

TEST_F(FailedExecutionTest, GivesBackOnlyWhatFailed) {
  auto one = Execute("error_to_one", 3);
  ASSERT_EQ(one.size(), 1U);
  EXPECT_EQ(EndCount(), 2);
  one[0].request->Finish(one[0].error);
  auto rest = Execute("error_after_one_answer", 3);
  EXPECT_EQ(rest.size(), 2U);
  EXPECT_EQ(EndCount(), 1);
  for (auto& each : rest) {
    each.request->Finish(each.error);
  }
}

TEST_F(FailedExecutionTest, EndsWhatTheBackendStillHolds_WhenTheExecutionReturns) {
  EXPECT_EQ(Execute("error_and_keep", 2).size(), 0U);
  EXPECT_EQ(EndCount(), 2);
  for (const auto& record : records_) {
    EXPECT_EQ(record->status.message(), "it does not compute");
  }
}

TEST_F(FailedExecutionTest, IncompleteStatisticsOfAResponseAreRefused) {
  EXPECT_EQ(Execute("report_response", 1).size(), 0U);
  EXPECT_TRUE(records_[0]->status.ok()) << records_[0]->status.ToString();
}

}  // namespace
}  // namespace headrace::plugin
