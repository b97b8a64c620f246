// The handlers behind the v2 routes, one file per endpoint family. Each answers its call now or
// later, exactly once, and does not block.
#ifndef HEADRACE_FRONTEND_V2_HANDLERS_H_
#define HEADRACE_FRONTEND_V2_HANDLERS_H_

namespace headrace::frontend {

struct Call;

// v2_health.cc: status only (contracts, Triton 1.2, 5.5).
void ServeLive(Call& call);
void ServeReady(Call& call);
void ServeModelReady(Call& call);

// v2_metadata.cc (contracts, Triton 1.3, 1.4).
void ServeServerMetadata(Call& call);
void ServeModelMetadata(Call& call);

// v2_config.cc (contracts, Triton 1.5).
void ServeModelConfig(Call& call);

// v2_statistics.cc (contracts, Triton 6.2).
void ServeModelStatistics(Call& call);
void ServeAllStatistics(Call& call);

// v2_infer.cc (contracts, Triton 1.6 to 1.9).
void ServeInfer(Call& call);

// v2_repository.cc (contracts, Triton 1.11).
void ServeRepositoryIndex(Call& call);
void ServeModelLoad(Call& call);
void ServeModelUnload(Call& call);

// v2_shared_memory.cc (contracts, Triton 1.11).
void ServeSystemSharedMemoryStatus(Call& call);
void ServeSystemSharedMemoryRegister(Call& call);
void ServeSystemSharedMemoryUnregister(Call& call);
void ServeCudaSharedMemoryStatus(Call& call);
void ServeCudaSharedMemoryRegister(Call& call);
void ServeCudaSharedMemoryUnregister(Call& call);

// v2_settings.cc (contracts, Triton 1.11).
void ServeTraceSetting(Call& call);
void ServeLogSettings(Call& call);

// v2_profile.cc (docs/profile.md).
void ServeProfile(Call& call);

// v2_generate.cc (contracts, Triton 1.10).
void ServeGenerate(Call& call);

// v2_unavailable.cc: endpoints of features that this server does not have; each says what is
// missing.
void ServeGenerateStream(Call& call);

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_V2_HANDLERS_H_
