// Implicit state and rescheduling as a backend meets them: the entries over a real sequence
// scheduler.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "engine/sequence_scheduler.h"
#include "plugin/request_handle.h"
#include "plugin/testing/recording_sink.h"

namespace headrace::plugin {
namespace {

using ::testing::HasSubstr;
using testing::Record;
using testing::RecordingSink;

constexpr std::uint32_t kStart = 1, kEnd = 2;

class SequenceStateTest : public ::testing::Test {
 protected:
  SequenceStateTest() { Make(/*iterative=*/false); }
  ~SequenceStateTest() override { scheduler_->Close(); }

  void Make(bool iterative) {
    engine::SequenceOptions options{.slot_count = 1, .batch_size_max = 1};
    options.iterative = iterative;
    options.states.push_back({.input = "IN",
                              .output = "OUT",
                              .dtype = DataType::kInt64,
                              .dims = Shape{-1},
                              .initial_dims = Shape{1},
                              .initial_data = Buffer::FromString(std::string(8, '\0'))});
    scheduler_ = std::make_unique<engine::SequenceScheduler>(options, engine::QueueLimits(), "m",
                                                             Clock::Real());
    seat_ = scheduler_->AddSeat();
  }

  std::shared_ptr<Record> Push(std::uint32_t flags) {
    auto record = std::make_shared<Record>();
    auto request = std::make_unique<engine::InferRequest>(
        nullptr, std::make_unique<RecordingSink>(record, blocks_));
    request->correlation_id = 7;
    request->sequence_flags = flags;
    scheduler_->Push(std::move(request));
    return record;
  }
  // The handle of the request that executes next.
  TRITONBACKEND_Request* Next() {
    engine::Batch batch = scheduler_->PopBatch(seat_, nullptr).value();
    std::vector<TRITONBACKEND_Request*> handles;
    handles_->Begin(batch.requests, handles);
    return handles.at(0);
  }
  std::vector<std::int64_t> StateOf(TRITONBACKEND_Request* request) {
    TRITONBACKEND_Input* input = nullptr;
    EXPECT_EQ(nullptr, TRITONBACKEND_RequestInput(request, "IN", &input));
    const void* bytes = nullptr;
    std::uint64_t byte_size = 0;
    TRITONSERVER_MemoryType type;
    std::int64_t id = 0;
    EXPECT_EQ(nullptr, TRITONBACKEND_InputBuffer(input, 0, &bytes, &byte_size, &type, &id));
    std::vector<std::int64_t> values(byte_size / 8);
    std::memcpy(values.data(), bytes, byte_size);
    return values;
  }
  // "" or the refusal.
  std::string Write(TRITONBACKEND_Request* request, const char* name,
                    std::vector<std::int64_t> values, std::int64_t extent) {
    TRITONBACKEND_State* state = nullptr;
    const std::int64_t shape[] = {1, extent};
    if (auto* error =
            TRITONBACKEND_StateNew(&state, request, name, TRITONSERVER_TYPE_INT64, shape, 2)) {
      return Text(error);
    }
    void* buffer = nullptr;
    TRITONSERVER_MemoryType type = TRITONSERVER_MEMORY_GPU;
    std::int64_t id = 3;
    EXPECT_EQ(nullptr, TRITONBACKEND_StateBuffer(state, &buffer, values.size() * 8, &type, &id));
    EXPECT_EQ(type, TRITONSERVER_MEMORY_CPU);
    std::memcpy(buffer, values.data(), values.size() * 8);
    TRITONSERVER_BufferAttributes* attributes = nullptr;
    EXPECT_EQ(nullptr, TRITONBACKEND_StateBufferAttributes(state, &attributes));
    EXPECT_EQ(attributes->byte_size, values.size() * 8);
    return Text(TRITONBACKEND_StateUpdate(state));
  }
  static std::string Text(TRITONSERVER_Error* error) {
    const std::string text = error == nullptr ? "" : TRITONSERVER_ErrorMessage(error);
    TRITONSERVER_ErrorDelete(error);
    return text;
  }
  void Answer(TRITONBACKEND_Request* request) {
    TRITONBACKEND_Response* response = nullptr;
    EXPECT_EQ(nullptr, TRITONBACKEND_ResponseNew(&response, request));
    EXPECT_EQ(nullptr,
              TRITONBACKEND_ResponseSend(response, TRITONSERVER_RESPONSE_COMPLETE_FINAL, nullptr));
    EXPECT_EQ(nullptr, TRITONBACKEND_RequestRelease(request, TRITONSERVER_REQUEST_RELEASE_ALL));
  }

  BlockPool blocks_;
  std::shared_ptr<RequestPool> handles_ = std::make_shared<RequestPool>();
  std::unique_ptr<engine::SequenceScheduler> scheduler_;
  std::size_t seat_ = 0;
};

TEST_F(SequenceStateTest, TheNextStepFindsWhatThisOneWrote) {
  Push(kStart);
  TRITONBACKEND_Request* request = Next();
  EXPECT_EQ(StateOf(request), std::vector<std::int64_t>{0});
  EXPECT_EQ(Write(request, "OUT", {4, 5}, 2), "");
  Answer(request);
  Push(0);
  request = Next();
  EXPECT_EQ(StateOf(request), (std::vector<std::int64_t>{4, 5}));
  // Nothing is written: the state stays.
  Answer(request);
  Push(kEnd);
  request = Next();
  EXPECT_EQ(StateOf(request), (std::vector<std::int64_t>{4, 5}));
  Answer(request);
  Push(kStart | kEnd);
  request = Next();
  EXPECT_EQ(StateOf(request), std::vector<std::int64_t>{0});
  Answer(request);
}

TEST_F(SequenceStateTest, RefusesWhatIsNoStateOfTheModel) {
  Push(kStart);
  TRITONBACKEND_Request* request = Next();
  EXPECT_THAT(Write(request, "IN", {1}, 1), HasSubstr("no state with the output 'IN'"));
  EXPECT_THAT(Write(request, "OUT", {1}, 2), HasSubstr("was given 8 bytes"));
  TRITONBACKEND_State* state = nullptr;
  const std::int64_t shape[] = {1, 1};
  EXPECT_EQ(nullptr,
            TRITONBACKEND_StateNew(&state, request, "OUT", TRITONSERVER_TYPE_FP32, shape, 2));
  void* buffer = nullptr;
  TRITONSERVER_MemoryType type;
  std::int64_t id = 0;
  EXPECT_EQ(nullptr, TRITONBACKEND_StateBuffer(state, &buffer, 4, &type, &id));
  EXPECT_THAT(Text(TRITONBACKEND_StateUpdate(state)), HasSubstr("configuration says INT64"));
  Answer(request);
}

TEST_F(SequenceStateTest, ARequestOutsideOfASequence_HasNoState) {
  auto record = std::make_shared<Record>();
  std::vector<std::unique_ptr<engine::InferRequest>> requests;
  requests.push_back(std::make_unique<engine::InferRequest>(
      nullptr, std::make_unique<RecordingSink>(record, blocks_)));
  std::vector<TRITONBACKEND_Request*> handles;
  handles_->Begin(requests, handles);
  EXPECT_THAT(Write(handles[0], "OUT", {1}, 1), HasSubstr("no state with the output 'OUT'"));
  EXPECT_THAT(
      Text(TRITONBACKEND_RequestRelease(handles[0], TRITONSERVER_REQUEST_RELEASE_RESCHEDULE)),
      HasSubstr("iterative_sequence"));
  Answer(handles[0]);
}

TEST_F(SequenceStateTest, ARescheduledRequest_ComesAgainAndKeepsItsState) {
  Make(/*iterative=*/true);
  const auto record = Push(kStart | kEnd);
  for (std::int64_t i = 0; i < 3; ++i) {
    TRITONBACKEND_Request* request = Next();
    EXPECT_EQ(StateOf(request), std::vector<std::int64_t>{i});
    std::uint32_t flags = 0;
    EXPECT_EQ(nullptr, TRITONBACKEND_RequestFlags(request, &flags));
    EXPECT_EQ(flags, i == 0 ? kStart | kEnd : kEnd);
    EXPECT_EQ(Write(request, "OUT", {i + 1}, 1), "");
    if (i == 2) {
      Answer(request);
      break;
    }
    TRITONBACKEND_Response* response = nullptr;
    EXPECT_EQ(nullptr, TRITONBACKEND_ResponseNew(&response, request));
    EXPECT_EQ(nullptr, TRITONBACKEND_ResponseSend(response, 0, nullptr));
    EXPECT_EQ(nullptr,
              TRITONBACKEND_RequestRelease(request, TRITONSERVER_REQUEST_RELEASE_RESCHEDULE));
    EXPECT_EQ(record->finish_count, 0);
  }
  EXPECT_EQ(record->responses.size(), 3u);
  EXPECT_EQ(record->finish_count, 1);
  EXPECT_EQ(scheduler_->sequence_figures()->live, 0u);
}

TEST_F(SequenceStateTest, Cancellation_IsTold) {
  const auto record = Push(kStart);
  TRITONBACKEND_Request* request = Next();
  TRITONBACKEND_ResponseFactory* factory = nullptr;
  EXPECT_EQ(nullptr, TRITONBACKEND_ResponseFactoryNew(&factory, request));
  bool cancelled = true;
  EXPECT_EQ(nullptr, TRITONBACKEND_RequestIsCancelled(request, &cancelled));
  EXPECT_FALSE(cancelled);
  record->cancelled = true;
  EXPECT_EQ(nullptr, TRITONBACKEND_RequestIsCancelled(request, &cancelled));
  EXPECT_TRUE(cancelled);
  cancelled = false;
  EXPECT_EQ(nullptr, TRITONBACKEND_ResponseFactoryIsCancelled(factory, &cancelled));
  EXPECT_TRUE(cancelled);
  EXPECT_EQ(nullptr, TRITONBACKEND_ResponseFactoryDelete(factory));
  Answer(request);
}

}  // namespace
}  // namespace headrace::plugin
