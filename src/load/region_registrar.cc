// Registers shared memory by the calls of the target's protocol (contracts, Triton 1.11, 2.1).
#include <utility>

#include "load/grpc_unary.h"
#include "load/http_client.h"
#include "load/shared_memory.h"
#include "protocol/json_writer.h"
#include "protocol/proto_writer.h"

namespace headrace::load {
namespace {

class GrpcRegistrar final : public RegionRegistrar {
 public:
  explicit GrpcRegistrar(const TargetSpec& target) : grpc_(target) {}

  Status Register(const std::string& region, const std::string& key,
                  std::size_t byte_size) override {
    std::string message;
    protocol::ProtoWriter writer(message);
    writer.Bytes(1, region);
    writer.Bytes(2, key);
    writer.Varint(4, byte_size);
    return grpc_.Call("/inference.GRPCInferenceService/SystemSharedMemoryRegister", message)
        .status();
  }
  Status Unregister(const std::string& region) override {
    std::string message;
    protocol::ProtoWriter writer(message);
    writer.Bytes(1, region);
    return grpc_.Call("/inference.GRPCInferenceService/SystemSharedMemoryUnregister", message)
        .status();
  }

 private:
  const GrpcUnary grpc_;
};

class HttpRegistrar final : public RegionRegistrar {
 public:
  explicit HttpRegistrar(const TargetSpec& target) : http_(ClientOf(target)) {}

  Status Register(const std::string& region, const std::string& key,
                  std::size_t byte_size) override {
    std::string body;
    protocol::JsonWriter json(body);
    json.BeginObject();
    json.Key("key").String(key);
    json.Key("byte_size").Uint(byte_size);
    json.EndObject();
    return Post(region + "/register", body);
  }
  Status Unregister(const std::string& region) override {
    return Post(region + "/unregister", "");
  }

 private:
  Status Post(const std::string& what, std::string_view body) {
    HttpCall call;
    call.method = "POST";
    call.path = "/v2/systemsharedmemory/region/" + what;
    call.body = body;
    HEADRACE_ASSIGN_OR_RETURN(const HttpReply reply, http_.Call(call));
    return reply.ok() ? OkStatus() : ReplyError(call.method, http_.Url(call.path), reply);
  }

  HttpClient http_;
};

}  // namespace

std::unique_ptr<RegionRegistrar> MakeRegionRegistrar(const TargetSpec& target) {
  if (target.protocol == Protocol::kV2Grpc) {
    return std::make_unique<GrpcRegistrar>(target);
  }
  return std::make_unique<HttpRegistrar>(target);
}

Result<std::unique_ptr<SharedMemory>> MakeSharedMemory(const TargetSpec& target,
                                                       const Workload& workload) {
  if (target.shared_memory == TargetSpec::SharedMemory::kNone) {
    return std::unique_ptr<SharedMemory>();
  }
  if (target.protocol != Protocol::kV2Grpc && target.protocol != Protocol::kV2Http) {
    return InvalidArgument("shared memory is a part of the v2 protocol over HTTP and gRPC only");
  }
  return SharedMemory::Create(workload, target.output_shared_memory_byte_size,
                              MakeRegionRegistrar(target));
}

}  // namespace headrace::load
