// Shared memory regions over gRPC.
#include <string>

#include "frontend/grpc_handlers.h"
#include "frontend/grpc_unary.h"

namespace headrace::frontend {
namespace {

void AddRegion(const SharedMemoryRegion& region,
               inference::SystemSharedMemoryStatusResponse& response) {
  auto& shown = (*response.mutable_regions())[region.name];
  shown.set_name(region.name);
  shown.set_key(region.key);
  shown.set_offset(region.offset);
  shown.set_byte_size(region.byte_size);
}

Result<inference::SystemSharedMemoryStatusResponse> SystemStatus(
    GrpcContext& context, const inference::SystemSharedMemoryStatusRequest& request) {
  inference::SystemSharedMemoryStatusResponse response;
  if (request.name().empty()) {
    for (const SharedMemoryRegion& region : context.services.shared_memory.List()) {
      AddRegion(region, response);
    }
    return response;
  }
  HEADRACE_ASSIGN_OR_RETURN(const SharedMemoryRegion region,
                            context.services.shared_memory.Find(request.name()));
  AddRegion(region, response);
  return response;
}

Result<inference::SystemSharedMemoryRegisterResponse> SystemRegister(
    GrpcContext& context, const inference::SystemSharedMemoryRegisterRequest& request) {
  HEADRACE_RETURN_IF_ERROR(context.services.shared_memory.CheckAllowed());
  HEADRACE_RETURN_IF_ERROR(context.services.shared_memory.Register(
      {request.name(), request.key(), request.offset(), request.byte_size()}));
  return inference::SystemSharedMemoryRegisterResponse();
}

Result<inference::SystemSharedMemoryUnregisterResponse> SystemUnregister(
    GrpcContext& context, const inference::SystemSharedMemoryUnregisterRequest& request) {
  SharedMemoryRegions& regions = context.services.shared_memory;
  HEADRACE_RETURN_IF_ERROR(request.name().empty() ? regions.UnregisterAll()
                                                  : regions.Unregister(request.name()));
  return inference::SystemSharedMemoryUnregisterResponse();
}

Result<inference::CudaSharedMemoryStatusResponse> CudaStatus(
    GrpcContext&, const inference::CudaSharedMemoryStatusRequest& request) {
  if (!request.name().empty()) {
    return NotFound("Unable to find cuda shared memory region: '{}'", request.name());
  }
  return inference::CudaSharedMemoryStatusResponse();
}

Result<inference::CudaSharedMemoryRegisterResponse> CudaRegister(
    GrpcContext& context, const inference::CudaSharedMemoryRegisterRequest& request) {
  return context.services.shared_memory.RefuseCuda(request.name());
}

// Nothing is registered, and unregistering what is not there succeeds.
Result<inference::CudaSharedMemoryUnregisterResponse> CudaUnregister(
    GrpcContext& context, const inference::CudaSharedMemoryUnregisterRequest&) {
  HEADRACE_RETURN_IF_ERROR(context.services.shared_memory.CheckAllowed());
  return inference::CudaSharedMemoryUnregisterResponse();
}

}  // namespace

void GrpcSystemSharedMemoryStatus(GrpcContext& context) {
  ServeUnary<inference::SystemSharedMemoryStatusRequest,
             inference::SystemSharedMemoryStatusResponse, SystemStatus>(context);
}

void GrpcSystemSharedMemoryRegister(GrpcContext& context) {
  ServeUnary<inference::SystemSharedMemoryRegisterRequest,
             inference::SystemSharedMemoryRegisterResponse, SystemRegister>(context);
}

void GrpcSystemSharedMemoryUnregister(GrpcContext& context) {
  ServeUnary<inference::SystemSharedMemoryUnregisterRequest,
             inference::SystemSharedMemoryUnregisterResponse, SystemUnregister>(context);
}

void GrpcCudaSharedMemoryStatus(GrpcContext& context) {
  ServeUnary<inference::CudaSharedMemoryStatusRequest, inference::CudaSharedMemoryStatusResponse,
             CudaStatus>(context);
}

void GrpcCudaSharedMemoryRegister(GrpcContext& context) {
  ServeUnary<inference::CudaSharedMemoryRegisterRequest,
             inference::CudaSharedMemoryRegisterResponse, CudaRegister>(context);
}

void GrpcCudaSharedMemoryUnregister(GrpcContext& context) {
  ServeUnary<inference::CudaSharedMemoryUnregisterRequest,
             inference::CudaSharedMemoryUnregisterResponse, CudaUnregister>(context);
}

}  // namespace headrace::frontend
