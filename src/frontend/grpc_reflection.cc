// Server reflection: tools ask for services and for the files that define them.
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "frontend/grpc_handlers.h"
#include "frontend/grpc_session.h"
#include "frontend/grpc_unary.h"

namespace headrace::frontend {
namespace {

using google::protobuf::DescriptorPool;
using google::protobuf::FileDescriptor;
using grpc::reflection::v1::ServerReflectionRequest;
using grpc::reflection::v1::ServerReflectionResponse;

const FileDescriptor* const* Files() {
  static const FileDescriptor* const files[] = {
      inference::ModelInferRequest::descriptor()->file(),
      grpc::health::v1::HealthCheckRequest::descriptor()->file(),
      ServerReflectionRequest::descriptor()->file(), nullptr};
  return files;
}

// `file` and what it imports, each once.
void AddFile(const FileDescriptor& file, std::set<std::string>& added,
             grpc::reflection::v1::FileDescriptorResponse& response) {
  if (!added.insert(file.name()).second) {
    return;
  }
  google::protobuf::FileDescriptorProto proto;
  file.CopyTo(&proto);
  proto.SerializeToString(response.add_file_descriptor_proto());
  for (int i = 0; i < file.dependency_count(); ++i) {
    AddFile(*file.dependency(i), added, response);
  }
}

void AnswerFile(const FileDescriptor* file, std::string_view what,
                ServerReflectionResponse& response) {
  if (file == nullptr) {
    auto& error = *response.mutable_error_response();
    error.set_error_code(static_cast<int>(StatusCode::kNotFound));
    error.set_error_message("not found: " + std::string(what.substr(0, 128)));
    return;
  }
  std::set<std::string> added;
  AddFile(*file, added, *response.mutable_file_descriptor_response());
}

// Only what is behind the services: the pool holds more than they show.
const FileDescriptor* OwnFile(const FileDescriptor* file) {
  if (file == nullptr) {
    return nullptr;
  }
  for (const FileDescriptor* const* own = Files(); *own != nullptr; ++own) {
    if (*own == file) {
      return file;
    }
    for (int i = 0; i < (*own)->dependency_count(); ++i) {
      if ((*own)->dependency(i) == file) {
        return file;
      }
    }
  }
  return nullptr;
}

ServerReflectionResponse Answer(const ServerReflectionRequest& request) {
  ServerReflectionResponse response;
  response.set_valid_host(request.host());
  *response.mutable_original_request() = request;
  const DescriptorPool& pool = *DescriptorPool::generated_pool();
  switch (request.message_request_case()) {
    case ServerReflectionRequest::kListServices:
      for (const FileDescriptor* const* file = Files(); *file != nullptr; ++file) {
        for (int i = 0; i < (*file)->service_count(); ++i) {
          response.mutable_list_services_response()->add_service()->set_name(
              (*file)->service(i)->full_name());
        }
      }
      break;
    case ServerReflectionRequest::kFileByFilename:
      AnswerFile(OwnFile(pool.FindFileByName(request.file_by_filename())),
                 request.file_by_filename(), response);
      break;
    case ServerReflectionRequest::kFileContainingSymbol:
      AnswerFile(OwnFile(pool.FindFileContainingSymbol(request.file_containing_symbol())),
                 request.file_containing_symbol(), response);
      break;
    default: {
      // There are no extensions in these files.
      auto& error = *response.mutable_error_response();
      error.set_error_code(static_cast<int>(StatusCode::kUnimplemented));
      error.set_error_message("these services have no extensions");
    }
  }
  return response;
}

// A tool that asks and does not read is not worth memory.
constexpr std::uint64_t kUnsentByteSizeMax = std::uint64_t{1} << 20;

class Session final : public GrpcSession {
 public:
  explicit Session(net::GrpcCall& call) : call_(call) {}
  void OnHalfClose() override { call_.Finish(OkStatus()); }

 private:
  net::GrpcCall& call_;  // which owns this
};

}  // namespace

void GrpcReflection(GrpcContext& context) {
  net::GrpcCall& call = *context.call;
  if (call.state == nullptr) {
    GrpcSession::Attach(call, std::make_shared<Session>(call));
  }
  ServerReflectionRequest request;
  Status status = ParseGrpcMessage(context.message, request);
  if (status.ok() && call.unsent_byte_size() > kUnsentByteSizeMax) {
    status = ResourceExhausted("the answers of this stream are not read");
  }
  if (!status.ok()) {
    call.Finish(std::move(status));
    return;
  }
  call.Send(EncodeGrpcMessage(Answer(request)));
}

}  // namespace headrace::frontend
