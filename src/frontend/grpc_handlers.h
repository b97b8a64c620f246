// The handlers behind the methods of the gRPC services, one file per family. Each answers its call
// now or later, exactly once, and does not block.
#ifndef HEADRACE_FRONTEND_GRPC_HANDLERS_H_
#define HEADRACE_FRONTEND_GRPC_HANDLERS_H_

namespace headrace::frontend {

struct GrpcContext;

// grpc_information.cc (contracts, Triton 2.1).
void GrpcServerLive(GrpcContext& context);
void GrpcServerReady(GrpcContext& context);
void GrpcModelReady(GrpcContext& context);
void GrpcServerMetadata(GrpcContext& context);
void GrpcModelMetadata(GrpcContext& context);
void GrpcModelConfig(GrpcContext& context);

// grpc_statistics.cc.
void GrpcModelStatistics(GrpcContext& context);

// grpc_infer.cc (contracts, Triton 2.3).
void GrpcModelInfer(GrpcContext& context);

// grpc_repository.cc (contracts, Triton 2.5).
void GrpcRepositoryIndex(GrpcContext& context);
void GrpcRepositoryModelLoad(GrpcContext& context);
void GrpcRepositoryModelUnload(GrpcContext& context);

// grpc_shared_memory.cc.
void GrpcSystemSharedMemoryStatus(GrpcContext& context);
void GrpcSystemSharedMemoryRegister(GrpcContext& context);
void GrpcSystemSharedMemoryUnregister(GrpcContext& context);
void GrpcCudaSharedMemoryStatus(GrpcContext& context);
void GrpcCudaSharedMemoryRegister(GrpcContext& context);
void GrpcCudaSharedMemoryUnregister(GrpcContext& context);

// grpc_settings.cc (contracts, Triton 2.5).
void GrpcTraceSetting(GrpcContext& context);
void GrpcLogSettings(GrpcContext& context);

// grpc_health.cc.
void GrpcHealthCheck(GrpcContext& context);
void GrpcHealthWatch(GrpcContext& context);

// Methods with a stream of requests: each message comes here by itself. grpc_stream.cc (contracts,
// Triton 2.4), grpc_reflection.cc.
void GrpcModelStreamInfer(GrpcContext& context);
void GrpcReflection(GrpcContext& context);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_GRPC_HANDLERS_H_
