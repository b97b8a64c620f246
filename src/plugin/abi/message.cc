// Entries of family "message", "buffer_attributes", "parameter", "log".
#include <simdjson.h>

#include "base/log.h"
#include "plugin/values.h"

using headrace::InvalidArgument;
using headrace::plugin::Answer;
using headrace::plugin::RefuseCall;
using headrace::plugin::ToTriton;

extern "C" {

TRITONSERVER_Error* TRITONSERVER_MessageNewFromSerializedJson(TRITONSERVER_Message** message,
                                                              const char* base, size_t byte_size) {
  return Answer([&]() -> TRITONSERVER_Error* {
    simdjson::dom::parser parser;
    if (const auto error = parser.parse(base, byte_size).error()) {
      return ToTriton(
          InvalidArgument("the message is not JSON: {}", simdjson::error_message(error)));
    }
    *message = new TRITONSERVER_Message{std::string(base, byte_size)};
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_MessageDelete(TRITONSERVER_Message* message) {
  delete message;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_MessageSerializeToJson(TRITONSERVER_Message* message,
                                                        const char** base, size_t* byte_size) {
  *base = message->json.c_str();
  *byte_size = message->json.size();
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_BufferAttributesNew(TRITONSERVER_BufferAttributes** attributes) {
  return Answer([&]() -> TRITONSERVER_Error* {
    *attributes = new TRITONSERVER_BufferAttributes();
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_BufferAttributesDelete(TRITONSERVER_BufferAttributes* attributes) {
  delete attributes;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_BufferAttributesSetMemoryTypeId(
    TRITONSERVER_BufferAttributes* attributes, int64_t memory_type_id) {
  attributes->memory_type_id = memory_type_id;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_BufferAttributesSetMemoryType(
    TRITONSERVER_BufferAttributes* attributes, TRITONSERVER_MemoryType memory_type) {
  attributes->memory_type = memory_type;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_BufferAttributesSetCudaIpcHandle(
    TRITONSERVER_BufferAttributes* attributes, void* cuda_ipc_handle) {
  attributes->cuda_ipc_handle = cuda_ipc_handle;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_BufferAttributesSetByteSize(
    TRITONSERVER_BufferAttributes* attributes, size_t byte_size) {
  attributes->byte_size = byte_size;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_BufferAttributesMemoryTypeId(
    TRITONSERVER_BufferAttributes* attributes, int64_t* memory_type_id) {
  *memory_type_id = attributes->memory_type_id;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_BufferAttributesMemoryType(
    TRITONSERVER_BufferAttributes* attributes, TRITONSERVER_MemoryType* memory_type) {
  *memory_type = attributes->memory_type;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_BufferAttributesCudaIpcHandle(
    TRITONSERVER_BufferAttributes* attributes, void** cuda_ipc_handle) {
  *cuda_ipc_handle = attributes->cuda_ipc_handle;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_BufferAttributesByteSize(TRITONSERVER_BufferAttributes* attributes,
                                                          size_t* byte_size) {
  *byte_size = attributes->byte_size;
  return nullptr;
}

TRITONSERVER_Parameter* TRITONSERVER_ParameterNew(const char* name, TRITONSERVER_ParameterType type,
                                                  const void* value) {
  switch (type) {
    case TRITONSERVER_PARAMETER_STRING:
      return new TRITONSERVER_Parameter{name, type, std::string(static_cast<const char*>(value))};
    case TRITONSERVER_PARAMETER_INT:
      return new TRITONSERVER_Parameter{name, type, *static_cast<const std::int64_t*>(value)};
    case TRITONSERVER_PARAMETER_BOOL:
      return new TRITONSERVER_Parameter{name, type, *static_cast<const bool*>(value)};
    case TRITONSERVER_PARAMETER_DOUBLE:
      return new TRITONSERVER_Parameter{name, type, *static_cast<const double*>(value)};
    default:
      return nullptr;  // BYTES needs a size
  }
}

TRITONSERVER_Parameter* TRITONSERVER_ParameterBytesNew(const char* name, const void* byte_ptr,
                                                       const uint64_t size) {
  return new TRITONSERVER_Parameter{name, TRITONSERVER_PARAMETER_BYTES, std::string(), byte_ptr,
                                    size};
}

void TRITONSERVER_ParameterDelete(TRITONSERVER_Parameter* parameter) { delete parameter; }

bool TRITONSERVER_LogIsEnabled(TRITONSERVER_LogLevel level) {
  switch (level) {
    case TRITONSERVER_LOG_INFO:
      return headrace::LogEnabled(headrace::LogLevel::kInfo);
    case TRITONSERVER_LOG_WARN:
      return headrace::LogEnabled(headrace::LogLevel::kWarning);
    case TRITONSERVER_LOG_ERROR:
      return headrace::LogEnabled(headrace::LogLevel::kError);
    case TRITONSERVER_LOG_VERBOSE:
      return headrace::LogEnabled(headrace::LogLevel::kVerbose);
    default:
      return false;
  }
}

TRITONSERVER_Error* TRITONSERVER_LogMessage(TRITONSERVER_LogLevel level, const char* filename,
                                            const int line, const char* msg) {
  if (level < TRITONSERVER_LOG_INFO || level > TRITONSERVER_LOG_VERBOSE) {
    return RefuseCall("the log has no such level");
  }
  if (TRITONSERVER_LogIsEnabled(level)) {
    constexpr headrace::LogLevel kLevels[] = {
        headrace::LogLevel::kInfo, headrace::LogLevel::kWarning, headrace::LogLevel::kError,
        headrace::LogLevel::kVerbose};
    headrace::LogMessage(kLevels[level], filename, line, msg);
  }
  return nullptr;
}

}  // extern "C"
