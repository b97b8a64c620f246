#include "load/grpc_plan.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "load/tls_options.h"

namespace headrace::load {
namespace {

// grpc-timeout: eight digits at most, and a unit.
std::string TimeoutText(Nanos timeout) {
  constexpr Nanos kValueMax = 99'999'999;
  if (timeout / kMillisecond <= kValueMax) {
    return fmt::format("{}m", std::max<Nanos>(timeout / kMillisecond, 1));
  }
  return fmt::format("{}S", std::min(timeout / kSecond, kValueMax));
}

std::uint8_t* Bytes(const std::string& text) {
  return reinterpret_cast<std::uint8_t*>(const_cast<char*>(text.data()));
}

// Fields that are ours to write, or that HTTP/2 forbids.
bool IsReserved(std::string_view name) {
  return name.starts_with(":") || name == "te" || name == "content-type" || name == "host" ||
         name == "connection" || name == "content-length" || name == "transfer-encoding" ||
         name == "grpc-timeout" || name == "grpc-encoding" || name == "grpc-accept-encoding";
}

}  // namespace

Result<H2Endpoint> MakeH2Endpoint(const TargetSpec& target) {
  H2Endpoint endpoint;
  endpoint.name = AddressText(target);
  HEADRACE_ASSIGN_OR_RETURN(endpoint.addresses, ResolveTarget(target));
  if (target.tls.enabled) {
    net::TlsClientOptions options = TlsOptionsOf(target.tls);
    options.server_name = target.unix_socket.empty() ? target.host : "localhost";
    options.protocols = {"h2"};
    HEADRACE_ASSIGN_OR_RETURN(endpoint.tls, net::TlsClientContext::Create(std::move(options)));
  }
  return endpoint;
}

GrpcCallFields::GrpcCallFields(const TargetSpec& target, const std::string& authority,
                               std::string_view method, Nanos timeout) {
  texts_ = {{":method", "POST"},
            {":scheme", target.tls.enabled ? "https" : "http"},
            {":path", fmt::format("/inference.GRPCInferenceService/{}", method)},
            {":authority", authority},
            {"te", "trailers"},
            {"content-type", "application/grpc"},
            {"user-agent", "headrace-bench"}};
  if (timeout != kNever) {
    texts_.emplace_back("grpc-timeout", TimeoutText(timeout));
  }
  if (!target.grpc_compression.empty()) {
    texts_.emplace_back("grpc-encoding", target.grpc_compression);
    texts_.emplace_back("grpc-accept-encoding", net::kGrpcAcceptEncoding);
  }
  for (const auto& [name, value] : target.headers) {
    texts_.emplace_back(LowerCase(name), value);
  }
  for (const auto& [name, value] : texts_) {
    fields_.push_back({Bytes(name), Bytes(value), name.size(), value.size(),
                       NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE});
  }
}

GrpcPlan::GrpcPlan(const TargetSpec& spec, const Workload& work)
    : target(spec),
      workload(work),
      fields(target, target.unix_socket.empty() ? AddressText(target) : "localhost",
             target.streaming ? "ModelStreamInfer" : "ModelInfer",
             target.streaming ? kNever : target.request_timeout) {}

Result<std::unique_ptr<const GrpcPlan>> GrpcPlan::Make(
    const TargetSpec& target, const Workload& workload,
    std::unique_ptr<SharedMemory> shared_memory) {
  for (const auto& [name, value] : target.headers) {
    const std::string lower = LowerCase(name);
    if (IsReserved(lower) || !IsHeaderName(lower) || !net::IsAsciiValue(value)) {
      return InvalidArgument("header '{}' cannot be sent as gRPC metadata", name);
    }
  }
  const auto encoding = net::ParseGrpcEncoding(target.grpc_compression);
  if (!encoding) {
    return InvalidArgument("gRPC compression '{}' is not known: gzip or deflate",
                           target.grpc_compression);
  }
  auto plan = std::make_unique<GrpcPlan>(target, workload);
  HEADRACE_ASSIGN_OR_RETURN(plan->endpoint, MakeH2Endpoint(target));
  plan->encoding = *encoding;
  plan->shared_memory = std::move(shared_memory);
  const InferMessage::Options options{.streaming = target.streaming,
                                      .encoding = *encoding,
                                      .shared_memory = plan->shared_memory.get()};
  for (std::size_t item = 0; item < workload.items.size(); ++item) {
    std::vector<InferMessage>& messages = plan->messages.emplace_back();
    for (std::size_t content = 0; content < workload.items[item].contents.size(); ++content) {
      HEADRACE_ASSIGN_OR_RETURN(InferMessage message,
                                InferMessage::Encode(workload, item, content, options));
      messages.push_back(std::move(message));
    }
  }
  return std::unique_ptr<const GrpcPlan>(std::move(plan));
}

}  // namespace headrace::load
