#include "torchserve/management_documents.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "torchserve/management_parameters.h"
#include "torchserve/store_errors.h"

namespace headrace::torchserve {
namespace {

using store::Progress;
using store::StoreFault;
using testing::HasSubstr;
using testing::Not;

TEST(StoreErrorsTest, Faults_HaveTheirStatusAndType) {
  struct Row {
    StoreFault fault;
    int code;
    std::string_view type;
  };
  for (const Row& row : {Row{StoreFault::kBadRequest, 400, "BadRequestException"},
                         Row{StoreFault::kInvalidModel, 400, "InvalidModelException"},
                         Row{StoreFault::kModel, 400, "ModelException"},
                         Row{StoreFault::kDownload, 400, "DownloadArchiveException"},
                         Row{StoreFault::kVersionInUse, 403, "InvalidModelVersionException"},
                         Row{StoreFault::kModelNotFound, 404, "ModelNotFoundException"},
                         Row{StoreFault::kVersionNotFound, 404, "ModelVersionNotFoundException"},
                         Row{StoreFault::kWorkflowNotFound, 404, "WorkflowNotFoundException"},
                         Row{StoreFault::kTimeout, 408, "RequestTimeoutException"},
                         Row{StoreFault::kConflict, 409, "ConflictStatusException"},
                         Row{StoreFault::kInternal, 500, "InternalServerException"},
                         Row{StoreFault::kUnavailable, 503, "ServiceUnavailableException"},
                         Row{StoreFault::kOutOfMemory, 507, "InternalServerException"}}) {
    const frontend::TorchServeError error = ErrorOf(store::StoreError{row.fault, "why"});
    EXPECT_EQ(error.code, row.code) << row.type;
    EXPECT_EQ(error.type, row.type);
    EXPECT_EQ(error.message, "why");
  }
}

TEST(StoreErrorsTest, Answer_IsTheStatusOrTheError) {
  StoreAnswer answer = AnswerOf({.error = {}, .progress = Progress::kUnderWay, .text = "a \"b\""});
  EXPECT_EQ(answer.status, 206);
  EXPECT_EQ(answer.json, "{\n  \"status\": \"a \\\"b\\\"\"\n}\n");
  EXPECT_EQ(AnswerOf({.error = {}, .progress = Progress::kAccepted}).status, 202);
  answer = AnswerOf({.error = {StoreFault::kConflict, "twice"}});
  EXPECT_EQ(answer.status, 409);
  EXPECT_EQ(answer.json,
            "{\n  \"code\": 409,\n  \"type\": \"ConflictStatusException\",\n  \"message\": "
            "\"twice\"\n}\n");
}

TEST(ManagementDocumentsTest, Description_HasTheFieldsInTheirOrder) {
  store::ModelFacts facts;
  facts.name = "m";
  facts.version = "1.0";
  facts.url = "m.mar";
  facts.runtime = "python";
  facts.queue_depth = 30;
  facts.workers.push_back({.id = "9000",
                           .process_id = 7,
                           .started_unix_ms = 1'727'697'600'123,
                           .ready = true,
                           .reason = "",
                           .memory_byte_size = 4096});
  EXPECT_EQ(DescriptionJson({facts}), R"([
  {
    "modelName": "m",
    "modelVersion": "1.0",
    "modelUrl": "m.mar",
    "runtime": "python",
    "minWorkers": 0,
    "maxWorkers": 0,
    "batchSize": 1,
    "maxBatchDelay": 100,
    "responseTimeout": 120,
    "startupTimeout": 120,
    "maxRetryTimeoutInSec": 300,
    "clientTimeoutInMills": 0,
    "parallelType": "",
    "parallelLevel": 0,
    "deviceType": "cpu",
    "continuousBatching": false,
    "useJobTicket": false,
    "useVenv": false,
    "stateful": false,
    "sequenceMaxIdleMSec": 0,
    "sequenceTimeoutMSec": 0,
    "maxNumSequence": 0,
    "maxSequenceJobQueueSize": 0,
    "loadedAtStartup": false,
    "workers": [
      {
        "id": "9000",
        "startTime": "2024-09-30T12:00:00.123Z",
        "status": "READY",
        "memoryUsage": 4096,
        "pid": 7,
        "gpu": false,
        "gpuUsage": "N/A"
      }
    ],
    "jobQueueStatus": {
      "remainingCapacity": 70,
      "pendingRequests": 30
    }
  }
]
)");
  facts.device_ids = {1};
  facts.load_error = "no";
  facts.workers.front().ready = false;
  const std::string more = DescriptionJson({facts, facts}, R"({"a":1})");
  EXPECT_THAT(more, HasSubstr("\"deviceIds\": [\n      1\n    ]"));
  EXPECT_THAT(more, HasSubstr("\"status\": \"UNLOADING\""));
  EXPECT_THAT(more, HasSubstr("\"loadError\": \"no\""));
  const std::size_t first = more.find("customizedMetadata");
  EXPECT_NE(first, std::string::npos);
  EXPECT_EQ(more.find("customizedMetadata", first + 1), std::string::npos);
}

TEST(ManagementDocumentsTest, List_IsCutIntoPages) {
  std::vector<store::ModelFacts> models(3);
  for (std::size_t i = 0; i < models.size(); ++i) {
    models[i].name = "m" + std::to_string(i);
  }
  EXPECT_THAT(ModelListJson(models, 100, 0), Not(HasSubstr("nextPageToken")));
  const std::string page = ModelListJson(models, 2, 0);
  EXPECT_THAT(page, HasSubstr("\"nextPageToken\": \"2\""));
  EXPECT_THAT(page, HasSubstr("m1"));
  EXPECT_THAT(page, Not(HasSubstr("m2")));
  EXPECT_THAT(ModelListJson(models, 2, 2), Not(HasSubstr("nextPageToken")));
  EXPECT_THAT(ModelListJson(models, 3, 0), HasSubstr("\"nextPageToken\": \"3\""));
  EXPECT_EQ(ModelListJson(models, 2, 9), "{\n  \"models\": []\n}\n");
  EXPECT_THAT(ModelListJson(models, -1, -1), HasSubstr("m2"));
  EXPECT_THAT(ModelListJson(models, 101, INT64_MAX), Not(HasSubstr("m0")));
}

TEST(ManagementParametersTest, Values_CountAsTorchServeTakesThem) {
  const ManagementParameters parameters({{"url", "m.mar"},
                                         {"url", "n.mar"},
                                         {"batch_size", "8"},
                                         {"batch_delay", "5"},
                                         {"initial_workers", "many"},
                                         {"response_timeout", "-1"},
                                         {"synchronous", "TRUE"},
                                         {"s3_sse_kms", "yes"}});
  const auto registration = RegistrationOf(parameters);
  ASSERT_TRUE(registration.ok());
  EXPECT_EQ(registration->url, "m.mar");
  EXPECT_EQ(registration->settings.batch_size, 8);
  EXPECT_EQ(registration->settings.batch_delay_ms, 5);
  EXPECT_FALSE(registration->settings.worker_count_min);
  EXPECT_EQ(registration->settings.response_timeout_s, -1);
  EXPECT_TRUE(registration->synchronous);
  EXPECT_FALSE(registration->s3_sse_kms);
  EXPECT_EQ(RegistrationOf(ManagementParameters({})).status().message(),
            "Parameter url is required.");
}

}  // namespace
}  // namespace headrace::torchserve
