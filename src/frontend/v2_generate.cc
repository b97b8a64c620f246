// The generate extension (contracts, Triton 1.10).
#include <string>
#include <utility>

#include "frontend/generate_request.h"
#include "frontend/generate_stream.h"
#include "frontend/infer_sink.h"
#include "frontend/replies.h"
#include "frontend/v2_handlers.h"
#include "protocol/generate_json.h"

namespace headrace::frontend {
namespace {

constexpr std::string_view kOneResponse =
    "generate expects model to produce exactly 1 response, use generate stream for model that "
    "generates various number of responses";

class GenerateReply final : public SingleReply {
 public:
  GenerateReply(net::HttpExchangeRef exchange, engine::ModelHandle model, InferReplyPlan plan,
                const Services& services)
      : SingleReply(std::move(model), std::move(plan), services, "HTTP"),
        exchange_(std::move(exchange)) {}

 protected:
  bool Cancelled() const override { return exchange_->cancelled(); }

  void Answer() override {
    Result<std::string> json = Build();
    if (json.ok()) {
      ReplyJson(*exchange_, *std::move(json));
    } else {
      exchange_->Respond(BuildInferError(json.status()));
    }
  }

 private:
  Result<std::string> Build() const {
    HEADRACE_RETURN_IF_ERROR(Outcome(kOneResponse));
    HEADRACE_ASSIGN_OR_RETURN(const ShapedReply shaped,
                              ShapeReply(model(), plan(), response(), services().shared_memory));
    return protocol::EncodeGenerateResponse(shaped.message);
  }

  const net::HttpExchangeRef exchange_;
};

}  // namespace

void ServeGenerate(Call& call) {
  std::optional<PreparedGenerate> prepared = PrepareGenerate(call);
  if (!prepared) {
    return;
  }
  auto reply = std::make_unique<GenerateReply>(call.exchange, prepared->model,
                                               std::move(prepared->plan), call.services);
  auto sink =
      std::make_unique<HttpReplySink>(std::move(call.exchange), std::move(reply), call.services);
  SubmitInfer(std::move(prepared->model), std::move(prepared->submission), std::move(sink));
}

void ServeGenerateStream(Call& call) {
  std::optional<PreparedGenerate> prepared = PrepareGenerate(call);
  if (prepared) {
    GenerateStream::Start(std::move(call.exchange), *std::move(prepared), call.services);
  }
}

}  // namespace headrace::frontend
