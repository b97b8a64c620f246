#include "engine/statistics.h"

#include <gtest/gtest.h>

namespace headrace::engine {
namespace {

constexpr ExecutionTimes kTimes{
    .exec_start = 100, .compute_start = 110, .compute_end = 140, .exec_end = 145};

TEST(ModelStatisticsTest, CountsEachRequestByItsOutcome) {
  ModelStatistics statistics;
  for (int i = 0; i < 3; ++i) {
    statistics.RecordReceived();
  }
  statistics.RecordSuccess(50);
  statistics.RecordFailure(FailureReason::kRejected, 7);
  statistics.RecordFailure(FailureReason::kBackend, 8);
  const StatisticsSnapshot read = statistics.Read();
  EXPECT_EQ(read.received, 3u);
  EXPECT_EQ(read.success.count, 1u);
  EXPECT_EQ(read.success.ns, 50u);
  EXPECT_EQ(statistics.duration_histogram().count(), 1u);
  EXPECT_EQ(read.fail.count, 2u);
  EXPECT_EQ(read.fail.ns, 15u);
  EXPECT_EQ(read.failures_by_reason, (std::array<std::uint64_t, 4>{1, 0, 1, 0}));
}

TEST(ModelStatisticsTest, AddsTheStagesOfSuccessfulRequestsOnly) {
  ModelStatistics statistics;
  statistics.RecordRequestExecution(true, 20, kTimes, 4);
  statistics.RecordRequestExecution(false, 20, kTimes, 4);
  const StatisticsSnapshot read = statistics.Read();
  EXPECT_EQ(read.inference_count, 4u);
  EXPECT_EQ(read.queue.count, 1u);
  EXPECT_EQ(read.queue.ns, 20u);
  EXPECT_EQ(read.compute_input.ns, 10u);
  EXPECT_EQ(read.compute_infer.ns, 30u);
  EXPECT_EQ(read.compute_output.ns, 5u);
  EXPECT_GT(read.last_inference_ms, 1'600'000'000'000u);
}

TEST(ModelStatisticsTest, KeepsExecutionsByBatchSize_AlsoLargeOnes) {
  ModelStatistics statistics;
  statistics.RecordBatchExecution(1, kTimes);
  statistics.RecordBatchExecution(64, kTimes);
  statistics.RecordBatchExecution(65, kTimes);
  statistics.RecordBatchExecution(65, kTimes);
  const StatisticsSnapshot read = statistics.Read();
  EXPECT_EQ(read.execution_count, 4u);
  ASSERT_EQ(read.batches.size(), 3u);
  EXPECT_EQ(read.batches.at(1).compute_infer.count, 1u);
  EXPECT_EQ(read.batches.at(64).compute_output.ns, 5u);
  EXPECT_EQ(read.batches.at(65).compute_input.count, 2u);
  EXPECT_EQ(read.batches.at(65).compute_infer.ns, 60u);
}

TEST(ModelStatisticsTest, CountsInvertedStampsAsNothing) {
  ModelStatistics statistics;
  statistics.RecordRequestExecution(
      true, -5, {.exec_start = 9, .compute_start = 3, .compute_end = 2, .exec_end = 1}, 1);
  statistics.RecordBatchExecution(
      1, {.exec_start = 9, .compute_start = 3, .compute_end = 2, .exec_end = 1});
  const StatisticsSnapshot read = statistics.Read();
  EXPECT_EQ(read.queue.ns + read.compute_input.ns + read.compute_infer.ns + read.compute_output.ns,
            0u);
  EXPECT_EQ(read.batches.at(1).compute_infer.ns, 0u);
}

TEST(ModelStatisticsTest, FillsTheHistograms) {
  ModelStatistics statistics;
  statistics.RecordBatchFormed(4, 1000);
  statistics.RecordSend(77);
  statistics.RecordBatchExecution(4, kTimes);
  EXPECT_EQ(statistics.batch_size_histogram().sum(), 4u);
  EXPECT_EQ(statistics.batch_wait_histogram().sum(), 1000u);
  EXPECT_EQ(statistics.send_histogram().count(), 1u);
  EXPECT_EQ(statistics.execute_histogram().sum(), 45u);
}

TEST(ModelStatisticsTest, CountsResponsesByTheirIndexAndOutcome) {
  ModelStatistics statistics;
  const ResponseTimes with_outputs{.start = 100, .output_start = 130, .end = 150};
  const ResponseTimes without{.start = 100, .output_start = 0, .end = 107};
  statistics.RecordResponse(0, with_outputs, ResponseOutcome::kSuccess);
  statistics.RecordResponse(0, with_outputs, ResponseOutcome::kSuccess);
  statistics.RecordResponse(0, with_outputs, ResponseOutcome::kFailure);
  statistics.RecordResponse(1, without, ResponseOutcome::kSuccess);
  statistics.RecordResponse(2, without, ResponseOutcome::kFailure);
  statistics.RecordResponse(2, without, ResponseOutcome::kCancelled);
  const auto responses = statistics.Read().responses;
  ASSERT_EQ(responses.size(), 3u);
  const ResponseStatistics& first = responses.at(0);
  EXPECT_EQ(first.compute_infer.count, 3u);
  EXPECT_EQ(first.compute_infer.ns, 90u);
  EXPECT_EQ(first.compute_output.ns, 60u);
  EXPECT_EQ(first.success.count, 2u);
  EXPECT_EQ(first.success.ns, 100u);
  EXPECT_EQ(first.fail.ns, 50u);
  EXPECT_EQ(responses.at(1).empty_response.count, 1u);
  EXPECT_EQ(responses.at(1).empty_response.ns, 7u);
  EXPECT_EQ(responses.at(1).compute_infer.ns, 7u);
  EXPECT_EQ(responses.at(1).success.count, 0u);
  EXPECT_EQ(responses.at(2).fail.count, 1u);
  EXPECT_EQ(responses.at(2).compute_infer.ns, 7u);
  EXPECT_EQ(responses.at(2).compute_output.count, 0u);
  EXPECT_EQ(responses.at(2).cancel.ns, 7u);
}

TEST(ModelStatisticsTest, LeavesOutResponsesBeyondTheLimit) {
  ModelStatistics statistics;
  for (std::uint64_t i = 0; i < ModelStatistics::kResponseIndexCountMax + 10; ++i) {
    statistics.RecordResponse(i, {.start = 1, .output_start = 0, .end = 2},
                              ResponseOutcome::kSuccess);
  }
  EXPECT_EQ(statistics.Read().responses.size(), ModelStatistics::kResponseIndexCountMax);
}

}  // namespace
}  // namespace headrace::engine
