#include "frontend/infer_sink.h"

#include <charconv>
#include <utility>

#include "frontend/call.h"
#include "frontend/replies.h"
#include "protocol/classification.h"
#include "protocol/v2_json.h"

namespace headrace::frontend {
namespace {

using protocol::V2RequestedOutput;

const V2RequestedOutput* FindRequested(const std::vector<V2RequestedOutput>& outputs,
                                       std::string_view name) {
  for (const V2RequestedOutput& output : outputs) {
    if (output.name == name) {
      return &output;
    }
  }
  return nullptr;
}

Result<Tensor> ClassifyOutput(const engine::Model& model, const NamedTensor& output,
                              std::uint64_t count) {
  const engine::TensorSpec* spec = model.signature().FindOutput(output.name);
  return protocol::Classify(
      output.tensor, count, model.signature().batch_size_max > 0,
      spec != nullptr ? std::span<const std::string>(spec->labels) : std::span<const std::string>(),
      output.name);
}

// Chooses the outputs that were asked for. `classified` holds the tensors that replace scores and
// must live as long as the message.
Status FillOutputs(const engine::Model& model, const InferReplyPlan& plan,
                   const engine::InferResponse& response, const SharedMemoryRegions& shared_memory,
                   std::vector<Tensor>& classified, protocol::V2InferResponse& message) {
  message.outputs.reserve(response.outputs.size());
  classified.reserve(response.outputs.size());  // no element moves below
  for (const NamedTensor& output : response.outputs) {
    const V2RequestedOutput* requested = FindRequested(plan.outputs, output.name);
    if (requested == nullptr && !plan.outputs.empty()) {
      continue;
    }
    protocol::V2OutputTensor shown{
        .name = output.name, .tensor = &output.tensor, .binary = plan.binary_output_default};
    if (requested != nullptr) {
      shown.binary = requested->binary_data.value_or(plan.binary_output_default);
      if (requested->classification_count > 0) {
        HEADRACE_ASSIGN_OR_RETURN(Tensor classes,
                                  ClassifyOutput(model, output, requested->classification_count));
        classified.push_back(std::move(classes));
        shown.tensor = &classified.back();
      }
      if (const auto& memory = requested->shared_memory) {
        HEADRACE_RETURN_IF_ERROR(shared_memory.Write(
            memory->region, memory->offset, memory->byte_size, output.name, output.tensor));
        shown.elsewhere = true;
      }
    }
    message.outputs.push_back(shown);
  }
  return OkStatus();
}

// "Inference-Header-Content-Length: N\r\n"
void AppendJsonByteSize(std::string& headers, std::uint64_t json_byte_size) {
  char digits[20];
  const auto [end, error] = std::to_chars(digits, digits + sizeof(digits), json_byte_size);
  headers.reserve(80);
  headers.append("Inference-Header-Content-Length: ").append(digits, end).append("\r\n");
}

// An answer that cannot be compressed goes out as it is.
void Compress(protocol::ContentCoding coding, BlockPool& pool, net::HttpResponse& response) {
  Result<Buffer> compressed = protocol::Deflate(response.body, coding, pool);
  if (!compressed.ok()) {
    return;
  }
  response.body.clear();
  response.body.push_back(*std::move(compressed));
  response.extra_headers.append(coding == protocol::ContentCoding::kGzip
                                    ? "Content-Encoding: gzip\r\n"
                                    : "Content-Encoding: deflate\r\n");
}

}  // namespace

net::HttpResponse BuildInferError(const Status& status) {
  // Memory that ran out inside the server is not the client's fault: it may come again (reliability
  // D22).
  Refusal refusal = status.code() == StatusCode::kResourceExhausted
                        ? RefusalOf(Status(StatusCode::kUnavailable, status.message()))
                        : RefusalOf(status);
  net::HttpResponse response;
  response.status = refusal.status;
  response.content_type = kJsonType;
  response.extra_headers = std::move(refusal.headers);
  response.body.push_back(Buffer::FromString(std::move(refusal.json)));
  return response;
}

net::HttpResponse BuildInferResponse(const engine::Model& model, const InferReplyPlan& plan,
                                     const engine::InferResponse& response,
                                     const Services& services) {
  protocol::V2InferResponse message;
  message.model_name = model.name();
  message.model_version = model.version();
  message.id = plan.id;
  message.parameters = &response.parameters;
  std::vector<Tensor> classified;
  if (Status status =
          FillOutputs(model, plan, response, services.shared_memory, classified, message);
      !status.ok()) {
    return BuildInferError(status);
  }
  Result<protocol::V2EncodedResponse> encoded = protocol::EncodeInferResponse(message);
  if (!encoded.ok()) {
    return BuildInferError(encoded.status());
  }
  net::HttpResponse answer;
  answer.content_type = kJsonType;
  answer.body = std::move(encoded->body);
  if (encoded->json_byte_size) {
    answer.content_type = kBinaryType;
    AppendJsonByteSize(answer.extra_headers, *encoded->json_byte_size);
  }
  if (plan.response_coding != protocol::ContentCoding::kIdentity) {
    Compress(plan.response_coding, services.pool, answer);
  }
  return answer;
}

class HttpInferSink::ReplyTask final : public net::LoopTask {
 public:
  ReplyTask(net::HttpExchangeRef exchange, engine::ModelHandle model, InferReplyPlan plan,
            const Services& services)
      : exchange_(std::move(exchange)),
        model_(std::move(model)),
        plan_(std::move(plan)),
        services_(services) {}

  void AddResponse(engine::InferResponse response) {
    if (response_count_++ == 0) {
      response_ = std::move(response);
    }
  }

  void SetOutcome(Status status) {
    status_ = std::move(status);
    finished_ = services_.clock.Now();
  }

  void Run() override {
    if (exchange_->cancelled()) {
      return;  // nobody listens: spare the work
    }
    if (plan_.trace != nullptr) {
      plan_.trace->ReportCustom("INFER_RESPONSE_COMPLETE", finished_);
      plan_.trace->ReportCustom("HTTP_SEND_START", services_.clock.Now());
    }
    exchange_->Respond(Answer());
    const Nanos sent = services_.clock.Now();
    if (plan_.trace != nullptr) {
      plan_.trace->ReportCustom("HTTP_SEND_END", sent);
    }
    model_->statistics().RecordSend(sent - finished_);
  }

 private:
  net::HttpResponse Answer() const {
    if (!status_.ok()) {
      return BuildInferError(status_);
    }
    if (!response_.error.ok()) {
      return BuildInferError(response_.error);
    }
    if (response_count_ != 1) {
      return BuildInferError(Internal("model '{}' gave {} responses where one is expected",
                                      model_->name(), response_count_));
    }
    return BuildInferResponse(*model_, plan_, response_, services_);
  }

  net::HttpExchangeRef exchange_;
  engine::ModelHandle model_;
  InferReplyPlan plan_;
  const Services& services_;
  engine::InferResponse response_;
  std::size_t response_count_ = 0;
  Status status_;
  Nanos finished_ = 0;
};

HttpInferSink::HttpInferSink(net::HttpExchangeRef exchange, engine::ModelHandle model,
                             InferReplyPlan plan, const Services& services)
    : exchange_(exchange),
      services_(services),
      reply_(std::make_unique<ReplyTask>(std::move(exchange), std::move(model), std::move(plan),
                                         services)) {}

HttpInferSink::~HttpInferSink() {
  if (reply_ != nullptr) {
    Finish(Internal("the request was dropped without an answer"));
  }
}

Result<MutableBuffer> HttpInferSink::AllocateOutput(std::string_view, std::size_t byte_size) {
  return services_.pool.Allocate(byte_size);
}

void HttpInferSink::Send(engine::InferResponse response) {
  if (reply_ != nullptr) {
    reply_->AddResponse(std::move(response));
  }
}

void HttpInferSink::Finish(Status status) {
  if (reply_ == nullptr) {
    return;
  }
  reply_->SetOutcome(std::move(status));
  exchange_->loop().Post(std::move(reply_));
}

}  // namespace headrace::frontend
