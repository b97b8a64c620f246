#include "engine/request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/model.h"
#include "engine/testing/fake_backend.h"

namespace headrace::engine {
namespace {

using testing::Answer;
using testing::FakeSink;

TEST(InferRequestTest, EndsOnce) {
  auto answer = std::make_shared<Answer>();
  {
    InferRequest request(nullptr, std::make_unique<FakeSink>(answer));
    request.Finish(OkStatus());
    request.Finish(Internal("again"));
  }
  EXPECT_EQ(answer->ends(), 1);
  EXPECT_TRUE(answer->Wait().ok());
}

TEST(InferRequestTest, EndsWithInternal_WhenDestroyedUnanswered) {
  auto answer = std::make_shared<Answer>();
  {
    InferRequest request(nullptr, std::make_unique<FakeSink>(answer));
    request.id = "42";
  }
  EXPECT_EQ(answer->ends(), 1);
  EXPECT_EQ(answer->Wait().code(), StatusCode::kInternal);
  EXPECT_THAT(answer->Wait().message(), ::testing::StartsWith("[request id: 42] "));
}

TEST(InferRequestTest, CountsNothing_WhenItWasNeverSubmitted) {
  auto model =
      Model::Start(testing::SmallModel(), std::make_unique<testing::FakeModel>(), Clock::Real())
          .value();
  testing::SmallRequest(model, std::make_shared<Answer>())->Finish(InvalidArgument("unreadable"));
  EXPECT_EQ(model->statistics().Read().received, 0u);
  EXPECT_EQ(model->statistics().Read().fail.count, 0u);
}

TEST(InferRequestTest, TalksToTheWrappedSink) {
  class Doubling final : public ResponseSink {
   public:
    explicit Doubling(std::unique_ptr<ResponseSink> inner) : inner_(std::move(inner)) {}
    Result<MutableBuffer> AllocateOutput(std::string_view name, std::size_t size) override {
      return inner_->AllocateOutput(name, size);
    }
    void Send(InferResponse) override {
      inner_->Send({});
      inner_->Send({});
    }
    void Finish(Status status) override { inner_->Finish(std::move(status)); }
    bool Cancelled() const override { return inner_->Cancelled(); }

   private:
    std::unique_ptr<ResponseSink> inner_;
  };
  auto answer = std::make_shared<Answer>();
  InferRequest request(nullptr, std::make_unique<FakeSink>(answer));
  request.WrapSink([](std::unique_ptr<ResponseSink> sink) {
    return std::make_unique<Doubling>(std::move(sink));
  });
  request.Send({});
  request.Finish(OkStatus());
  EXPECT_EQ(answer->responses(), 2);
}

}  // namespace
}  // namespace headrace::engine
