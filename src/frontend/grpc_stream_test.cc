// ModelStreamInfer, without a transport.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "frontend/grpc_fixture.h"

namespace headrace::frontend {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

FrontEndOptions SmallLimits() {
  FrontEndOptions options;
  options.grpc_stream_request_count_max = 4;
  options.grpc_stream_unsent_byte_size_max = std::uint64_t{2} << 20;
  return options;
}

class GrpcStreamTest : public GrpcFixture {
 protected:
  GrpcStreamTest() : GrpcFixture(SmallLimits()) {}

  ~GrpcStreamTest() override { Release(); }

  // Serves a model that keeps its requests until the test ends them.
  void ServeHeld(const std::string& name) {
    engine::ModelOptions options = IdentityOptions(name);
    options.batching.batch_size_max = 1;
    Serve(std::move(options), [this](engine::Batch batch) {
      std::lock_guard lock(mutex_);
      if (released_) {
        ExecuteIdentity(std::move(batch));
        return;
      }
      for (auto& request : batch.requests) {
        held_[request->id] = std::move(request);
      }
      changed_.notify_all();
    });
  }
  // A decoupled model that sends `count` responses of `byte_size`, and then ends.
  void ServeDecoupled(const std::string& name, std::size_t count, std::size_t byte_size,
                      bool marks_last) {
    engine::ModelOptions options = IdentityOptions(name);
    options.decoupled = true;
    Serve(std::move(options), [=, this](engine::Batch batch) {
      for (auto& request : batch.requests) {
        for (std::size_t i = 0; i < count && !request->Cancelled(); ++i) {
          engine::InferResponse response;
          Tensor tensor;
          tensor.dtype = DataType::kFp32;
          tensor.shape = Shape{static_cast<std::int64_t>(byte_size / 4)};
          tensor.data = Buffer::FromString(std::string(byte_size, 'x'));
          response.outputs.push_back({"OUTPUT0", std::move(tensor)});
          response.final = marks_last && i + 1 == count;
          request->Send(std::move(response));
          ++sent_;
        }
        request->Finish(OkStatus());
      }
    });
  }

  // Waits until the held model has the request, and ends it.
  void EndHeld(const std::string& id, Status status = OkStatus()) {
    std::unique_ptr<engine::InferRequest> request;
    {
      std::unique_lock lock(mutex_);
      ASSERT_TRUE(
          changed_.wait_for(lock, std::chrono::seconds(20), [&] { return held_.contains(id); }));
      request = std::move(held_[id]);
      held_.erase(id);
    }
    if (status.ok()) {
      engine::Batch batch;
      batch.requests.push_back(std::move(request));
      ExecuteIdentity(std::move(batch));
    } else {
      request->Finish(std::move(status));
    }
  }
  void Release() {
    std::map<std::string, std::unique_ptr<engine::InferRequest>> held;
    std::lock_guard lock(mutex_);
    released_ = true;
    held.swap(held_);
  }
  bool HeldIsCancelled(const std::string& id) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, std::chrono::seconds(20), [&] { return held_.contains(id); });
    return held_.at(id)->Cancelled();
  }

  static inference::ModelStreamInferResponse Parse(const std::string& bytes) {
    inference::ModelStreamInferResponse response;
    EXPECT_TRUE(response.ParseFromString(bytes));
    return response;
  }
  static std::vector<std::string> Ids(const std::vector<std::string>& messages) {
    std::vector<std::string> ids;
    for (const std::string& message : messages) {
      ids.push_back(Parse(message).infer_response().id());
    }
    return ids;
  }
  static bool IsFinal(const inference::ModelStreamInferResponse& response) {
    return response.infer_response().parameters().at("triton_final_response").bool_param();
  }

  std::atomic<std::size_t> sent_{0};

 private:
  std::mutex mutex_;  // guards held_ and released_
  std::condition_variable changed_;
  std::map<std::string, std::unique_ptr<engine::InferRequest>> held_;
  bool released_ = false;
};

TEST_F(GrpcStreamTest, OrdinaryRequests_AreAnsweredInTheirOrder) {
  ServeHeld("m");
  const auto stream = Open("ModelStreamInfer");
  for (const char* id : {"1", "2", "3"}) {
    Send(stream, InferRequest("m", id));
  }
  HalfClose(stream);
  EndHeld("3");
  EndHeld("2");
  EXPECT_FALSE(stream->ended());
  EndHeld("1");
  EXPECT_TRUE(stream->WaitStatus().ok());
  const std::vector<std::string> messages = stream->WaitMessages(3);
  EXPECT_THAT(Ids(messages), ElementsAre("1", "2", "3"));
  EXPECT_TRUE(IsFinal(Parse(messages[0])));
  EXPECT_EQ(Parse(messages[0]).infer_response().raw_output_contents_size(), 1);
}

TEST_F(GrpcStreamTest, Failures_AreMessages_AndTheStreamGoesOn) {
  ServeHeld("m");
  const auto stream = Open("ModelStreamInfer");
  Send(stream, InferRequest("unknown", "a"));
  Send(stream, InferRequest("m", "b"));
  auto wrong = InferRequest("m", "c");
  wrong.mutable_inputs(0)->set_datatype("INT32");
  Send(stream, wrong);
  Send(stream, InferRequest("m", "d"));
  EndHeld("b", Unavailable("busy"));
  EndHeld("d");
  const std::vector<std::string> messages = stream->WaitMessages(4);
  EXPECT_THAT(Ids(messages), ElementsAre("a", "b", "c", "d"));
  EXPECT_THAT(Parse(messages[0]).error_message(), HasSubstr("unknown model: 'unknown'"));
  EXPECT_EQ(Parse(messages[1]).error_message(), "busy");
  EXPECT_THAT(Parse(messages[2]).error_message(), HasSubstr("data-type is 'INT32'"));
  EXPECT_EQ(Parse(messages[3]).error_message(), "");
  EXPECT_FALSE(stream->ended());
  HalfClose(stream);
  EXPECT_TRUE(stream->WaitStatus().ok());
}

TEST_F(GrpcStreamTest, BytesThatAreNoRequest_AreAMessageToo) {
  const auto stream = Open("ModelStreamInfer");
  Send(stream, "\xff\xff\xff");
  EXPECT_THAT(Parse(stream->WaitMessages(1).at(0)).error_message(), HasSubstr("unable to parse"));
  HalfClose(stream);
  EXPECT_TRUE(stream->WaitStatus().ok());
}

TEST_F(GrpcStreamTest, StrictStream_EndsWithTheFirstFailure) {
  ServeHeld("m");
  const auto stream = Open("ModelStreamInfer", nullptr, {{"triton_grpc_error", "true"}});
  Send(stream, InferRequest("m", "a"));
  EXPECT_FALSE(HeldIsCancelled("a"));
  auto wrong = InferRequest("d", "b");
  ServeDecoupled("d", 1, 4, true);
  wrong.mutable_inputs(0)->set_datatype("INT32");
  Send(stream, wrong);
  const Status status = stream->WaitStatus();
  EXPECT_EQ(status.code(), StatusCode::kInvalidArgument);
  EXPECT_TRUE(HeldIsCancelled("a"));
  EXPECT_TRUE(stream->WaitMessages(0).empty());
}

TEST_F(GrpcStreamTest, Decoupled_EveryResponseSaysWhetherItIsTheLast) {
  ServeDecoupled("d", 3, 8, true);
  const auto stream = Open("ModelStreamInfer");
  Send(stream, InferRequest("d", "x"));
  HalfClose(stream);
  EXPECT_TRUE(stream->WaitStatus().ok());
  const std::vector<std::string> messages = stream->WaitMessages(3);
  ASSERT_EQ(messages.size(), 3u);
  EXPECT_FALSE(IsFinal(Parse(messages[0])));
  EXPECT_FALSE(IsFinal(Parse(messages[1])));
  EXPECT_TRUE(IsFinal(Parse(messages[2])));
}

TEST_F(GrpcStreamTest, Decoupled_OneResponseAloneMayHaveAnySize) {
  constexpr std::size_t kByteSize = std::size_t{3} << 20;  // the limit is 2 MiB
  ServeDecoupled("d", 1, kByteSize, true);
  const auto stream = Open("ModelStreamInfer");
  Send(stream, InferRequest("d", "x"));
  HalfClose(stream);
  EXPECT_TRUE(stream->WaitStatus().ok());
  const std::vector<std::string> messages = stream->WaitMessages(1);
  ASSERT_EQ(messages.size(), 1u);
  EXPECT_EQ(Parse(messages[0]).error_message(), "");
  EXPECT_GT(messages[0].size(), kByteSize);
}

TEST_F(GrpcStreamTest, Decoupled_EmptyFinalResponse_OnlyWhereAskedFor) {
  ServeDecoupled("d", 1, 8, false);
  const auto stream = Open("ModelStreamInfer");
  Send(stream, InferRequest("d", "x"));
  HalfClose(stream);
  EXPECT_TRUE(stream->WaitStatus().ok());
  EXPECT_EQ(stream->WaitMessages(0).size(), 1u);

  const auto asking = Open("ModelStreamInfer");
  auto request = InferRequest("d", "y");
  (*request.mutable_parameters())["triton_enable_empty_final_response"].set_bool_param(true);
  Send(asking, request);
  HalfClose(asking);
  EXPECT_TRUE(asking->WaitStatus().ok());
  const std::vector<std::string> messages = asking->WaitMessages(2);
  ASSERT_EQ(messages.size(), 2u);
  EXPECT_FALSE(IsFinal(Parse(messages[0])));
  const auto last = Parse(messages[1]);
  EXPECT_TRUE(IsFinal(last));
  EXPECT_EQ(last.infer_response().id(), "y");
  EXPECT_EQ(last.infer_response().model_name(), "d");
  EXPECT_EQ(last.infer_response().outputs_size(), 0);
}

TEST_F(GrpcStreamTest, ManyInFlight_PauseTheReading) {
  ServeHeld("m");
  const auto stream = Open("ModelStreamInfer");
  for (const char* id : {"1", "2", "3"}) {
    Send(stream, InferRequest("m", id));
  }
  Send(stream, InferRequest("m", "4"));
  EXPECT_TRUE(stream->WaitPaused(true));
  EndHeld("1");
  EXPECT_TRUE(stream->WaitPaused(false));
}

TEST_F(GrpcStreamTest, ClientThatDoesNotRead_PausesTheReading) {
  Serve(IdentityOptions("m"));
  const auto stream = Open("ModelStreamInfer");
  stream->StopTaking();
  Send(stream, InferRequest("m", "1", std::vector<float>(400'000)));
  EXPECT_TRUE(stream->WaitPaused(true));
  Drained(stream);
  EXPECT_TRUE(stream->WaitPaused(false));
  HalfClose(stream);
  EXPECT_TRUE(stream->WaitStatus().ok());
}

TEST_F(GrpcStreamTest, DecoupledModel_IsGivenUp_WhenNobodyReads) {
  ServeDecoupled("d", 1'000'000, 64 * 1024, false);
  const auto stream = Open("ModelStreamInfer");
  stream->StopTaking();
  Send(stream, InferRequest("d", "x"));
  HalfClose(stream);
  EXPECT_TRUE(stream->WaitStatus().ok());
  const std::vector<std::string> messages = stream->WaitMessages(0);
  EXPECT_LT(sent_, 10'000u);
  EXPECT_LE(messages.size(), 2 * 33u + 2);
  const auto last = Parse(messages.back());
  EXPECT_THAT(last.error_message(), HasSubstr("were not read"));
  EXPECT_EQ(last.infer_response().id(), "x");
}

TEST_F(GrpcStreamTest, Cancel_ReachesAllRequests) {
  ServeHeld("m");
  const auto stream = Open("ModelStreamInfer");
  Send(stream, InferRequest("m", "1"));
  Send(stream, InferRequest("m", "2"));
  // One that still waits in the queue would be dropped there.
  EXPECT_FALSE(HeldIsCancelled("1"));
  EXPECT_FALSE(HeldIsCancelled("2"));
  Cancel(stream);
  EXPECT_TRUE(HeldIsCancelled("1"));
  EXPECT_TRUE(HeldIsCancelled("2"));
  EndHeld("1");
  EndHeld("2");
  OnLoop([] {});
  EXPECT_TRUE(stream->WaitMessages(0).empty());
}

TEST_F(GrpcStreamTest, Draining_RefusesFurtherRequests_AndEndsThoseInFlight) {
  ServeHeld("m");
  const auto stream = Open("ModelStreamInfer");
  Send(stream, InferRequest("m", "1"));
  front_end_.SetDraining();
  Send(stream, InferRequest("m", "2"));
  EndHeld("1");
  const std::vector<std::string> messages = stream->WaitMessages(2);
  EXPECT_EQ(Parse(messages[0]).error_message(), "");
  EXPECT_THAT(Parse(messages[1]).error_message(), HasSubstr("shutting down"));
}

}  // namespace
}  // namespace headrace::frontend
