// The C interface of a Triton server, found at run time.
#ifndef HEADRACE_LOAD_TRITON_API_H_
#define HEADRACE_LOAD_TRITON_API_H_

#include <memory>
#include <string>

#include "base/result.h"
#include "triton_abi.h"

namespace headrace::load {

// Every entry that is called, without its prefix.
#define HEADRACE_TRITON_ENTRIES(X)          \
  X(ErrorCode)                              \
  X(ErrorMessage)                           \
  X(ErrorDelete)                            \
  X(ErrorNew)                               \
  X(MessageSerializeToJson)                 \
  X(MessageDelete)                          \
  X(MetricsFormatted)                       \
  X(MetricsDelete)                          \
  X(ParameterNew)                           \
  X(ParameterDelete)                        \
  X(ResponseAllocatorNew)                   \
  X(ResponseAllocatorDelete)                \
  X(InferenceRequestNew)                    \
  X(InferenceRequestDelete)                 \
  X(InferenceRequestCancel)                 \
  X(InferenceRequestSetFlags)               \
  X(InferenceRequestSetCorrelationId)       \
  X(InferenceRequestSetPriorityUInt64)      \
  X(InferenceRequestSetTimeoutMicroseconds) \
  X(InferenceRequestAddInput)               \
  X(InferenceRequestAppendInputData)        \
  X(InferenceRequestAddRequestedOutput)     \
  X(InferenceRequestSetReleaseCallback)     \
  X(InferenceRequestSetResponseCallback)    \
  X(InferenceRequestSetStringParameter)     \
  X(InferenceRequestSetIntParameter)        \
  X(InferenceRequestSetBoolParameter)       \
  X(InferenceRequestSetDoubleParameter)     \
  X(InferenceResponseDelete)                \
  X(InferenceResponseError)                 \
  X(InferenceResponseOutputCount)           \
  X(InferenceResponseOutput)                \
  X(ServerOptionsNew)                       \
  X(ServerOptionsDelete)                    \
  X(ServerOptionsSetServerId)               \
  X(ServerOptionsSetModelRepositoryPath)    \
  X(ServerOptionsSetModelControlMode)       \
  X(ServerOptionsSetLogInfo)                \
  X(ServerOptionsSetExitTimeout)            \
  X(ServerOptionsSetBackendDirectory)       \
  X(ServerNew)                              \
  X(ServerDelete)                           \
  X(ServerMetadata)                         \
  X(ServerModelIsReady)                     \
  X(ServerModelMetadata)                    \
  X(ServerModelStatistics)                  \
  X(ServerModelConfig)                      \
  X(ServerModelIndex)                       \
  X(ServerLoadModelWithParameters)          \
  X(ServerUnloadModel)                      \
  X(ServerMetrics)                          \
  X(ServerInferAsync)

// Pointers to the entries. Immutable; lives as long as the process: a library that has run a server
// cannot be taken out again.
struct TritonApi {
  // `library`: a path, or "" for the entries of this program. UNAVAILABLE names what is missing.
  static Result<std::shared_ptr<const TritonApi>> Load(const std::string& library);

#define HEADRACE_TRITON_MEMBER(name) decltype(&TRITONSERVER_##name) name = nullptr;
  HEADRACE_TRITON_ENTRIES(HEADRACE_TRITON_MEMBER)
#undef HEADRACE_TRITON_MEMBER

  // Takes the error. OK for null.
  Status Take(TRITONSERVER_Error* error) const;
  // Takes the message.
  Result<std::string> Text(TRITONSERVER_Message* message) const;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_TRITON_API_H_
