#include "torchserve/customized_description.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <memory>
#include <utility>
#include <vector>

#include "engine/model.h"
#include "engine/request.h"
#include "engine/response_sink.h"
#include "frontend/prediction_answer.h"
#include "frontend/prediction_request.h"

namespace headrace::torchserve {
namespace {

constexpr std::size_t kDepthMax = 64;

// The object that the handler has answered with.
std::string ObjectOf(const std::string& body) {
  simdjson::dom::parser parser;
  simdjson::dom::object object;
  if (parser.allocate(body.size(), kDepthMax) != simdjson::SUCCESS ||
      parser.parse(body).get(object) != simdjson::SUCCESS) {
    return "{}";
  }
  return body;
}

class DescribeSink final : public engine::ResponseSink {
 public:
  DescribeSink(BlockPool& pool, std::function<void(CustomizedDescription)> done)
      : pool_(pool), done_(std::move(done)) {}

  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t byte_size) override {
    return pool_.Allocate(byte_size);
  }
  void Send(engine::InferResponse response) override {
    for (const Buffer& part : frontend::PredictionBody(response)) {
      body_.append(part.view());
    }
    status_ = frontend::StatusParameter(response.parameters);
  }
  void Finish(Status status) override {
    CustomizedDescription description;
    if (!status.ok()) {
      description.error = frontend::ErrorOf(status, status_);
    } else {
      description.json = ObjectOf(body_);
    }
    done_(std::move(description));
  }
  bool Cancelled() const override { return false; }

 private:
  BlockPool& pool_;
  const std::function<void(CustomizedDescription)> done_;
  std::string body_;
  int status_ = 0;
};

}  // namespace

void DescribeByHandler(const store::ModelFacts& facts, BlockPool& pool,
                       std::function<void(CustomizedDescription)> done) {
  if (facts.model == nullptr || !facts.model->CanServe()) {
    done({.error =
              frontend::TorchServeError{
                  .code = 503,
                  .type = "ServiceUnavailableException",
                  .message = fmt::format("Model \"{}\" has no worker to serve describe request. "
                                         "Please use scale workers API to add workers.",
                                         facts.name)},
          .json = {}});
    return;
  }
  auto request = std::make_unique<engine::InferRequest>(
      facts.model, std::make_unique<DescribeSink>(pool, std::move(done)));
  request->id = frontend::NewRequestId();
  NamedTensor& input = request->inputs.emplace_back();
  input.name = "data";
  input.tensor.dtype = DataType::kUint8;
  input.tensor.shape = Shape({1, 0});
  request->parameters.push_back({"parts", std::string("[]")});  // the handler's row is empty
  request->parameters.push_back({"headers", std::string(R"({"describe":"True"})")});
  request->parameters.push_back({"request_id", request->id});
  if (facts.model->options().sequences) {
    request->correlation_id_text = request->id;
    request->sequence_flags = 3;  // the first of its sequence, and the last
  }
  facts.model->Submit(std::move(request));
}

}  // namespace headrace::torchserve
