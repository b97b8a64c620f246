// The classes of operations that a policy can allow or deny (reliability D3, contracts
// Triton 1.13).
#ifndef HEADRACE_FRONTEND_OPERATION_CLASS_H_
#define HEADRACE_FRONTEND_OPERATION_CLASS_H_

#include <cstdint>
#include <string_view>

namespace headrace::frontend {

// Every route has exactly one; authorisation is decided on it and on nothing else.
enum class OperationClass : std::uint8_t {
  kHealth,
  kMetadata,
  kInference,
  kSharedMemory,
  kModelConfig,
  kModelRepository,
  kStatistics,
  kTrace,
  kLogging,
  kMetrics,
};

// The name in options and messages: "health", "shared-memory", ...
constexpr std::string_view OperationClassName(OperationClass operation) {
  switch (operation) {
    case OperationClass::kHealth:
      return "health";
    case OperationClass::kMetadata:
      return "metadata";
    case OperationClass::kInference:
      return "inference";
    case OperationClass::kSharedMemory:
      return "shared-memory";
    case OperationClass::kModelConfig:
      return "model-config";
    case OperationClass::kModelRepository:
      return "model-repository";
    case OperationClass::kStatistics:
      return "statistics";
    case OperationClass::kTrace:
      return "trace";
    case OperationClass::kLogging:
      return "logging";
    case OperationClass::kMetrics:
      return "metrics";
  }
  return "unknown";
}

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_OPERATION_CLASS_H_
