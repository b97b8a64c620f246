#include "load/triton_api.h"

#include <dlfcn.h>

namespace headrace::load {
namespace {

StatusCode CodeOf(TRITONSERVER_Error_Code code) {
  switch (code) {
    case TRITONSERVER_ERROR_INTERNAL:
      return StatusCode::kInternal;
    case TRITONSERVER_ERROR_NOT_FOUND:
      return StatusCode::kNotFound;
    case TRITONSERVER_ERROR_INVALID_ARG:
      return StatusCode::kInvalidArgument;
    case TRITONSERVER_ERROR_UNAVAILABLE:
      return StatusCode::kUnavailable;
    case TRITONSERVER_ERROR_UNSUPPORTED:
      return StatusCode::kUnimplemented;
    case TRITONSERVER_ERROR_ALREADY_EXISTS:
      return StatusCode::kAlreadyExists;
    case TRITONSERVER_ERROR_CANCELLED:
      return StatusCode::kCancelled;
    default:
      return StatusCode::kUnknown;
  }
}

}  // namespace

Result<std::shared_ptr<const TritonApi>> TritonApi::Load(const std::string& library) {
  void* handle = RTLD_DEFAULT;
  if (!library.empty()) {
    // Where this program has such entries itself, those of the library and of the backends that it
    // loads must not be taken for them: they get a world of their own.
    handle = ::dlsym(RTLD_DEFAULT, "TRITONSERVER_ServerNew") == nullptr
                 ? ::dlopen(library.c_str(), RTLD_NOW | RTLD_GLOBAL)
                 : ::dlmopen(LM_ID_NEWLM, library.c_str(), RTLD_NOW);
    if (handle == nullptr) {
      return Unavailable("the server library '{}' cannot be loaded: {}", library, ::dlerror());
    }
  }
  auto api = std::make_shared<TritonApi>();
  const char* missing = nullptr;
  const auto find = [&](const char* name) {
    void* const entry = ::dlsym(handle, name);
    missing = entry == nullptr && missing == nullptr ? name : missing;
    return entry;
  };
#define HEADRACE_TRITON_FIND(name) \
  api->name = reinterpret_cast<decltype(&TRITONSERVER_##name)>(find("TRITONSERVER_" #name));
  HEADRACE_TRITON_ENTRIES(HEADRACE_TRITON_FIND)
#undef HEADRACE_TRITON_FIND
  if (missing != nullptr) {
    return Unavailable("{} has no entry {}",
                       library.empty() ? "this program" : fmt::format("'{}'", library), missing);
  }
  return std::shared_ptr<const TritonApi>(std::move(api));
}

Status TritonApi::Take(TRITONSERVER_Error* error) const {
  if (error == nullptr) {
    return OkStatus();
  }
  Status status(CodeOf(ErrorCode(error)), ErrorMessage(error));
  ErrorDelete(error);
  return status;
}

Result<std::string> TritonApi::Text(TRITONSERVER_Message* message) const {
  const char* base = nullptr;
  std::size_t byte_size = 0;
  Status status = Take(MessageSerializeToJson(message, &base, &byte_size));
  std::string text(base == nullptr ? "" : base, base == nullptr ? 0 : byte_size);
  const Status deleted = Take(MessageDelete(message));
  HEADRACE_RETURN_IF_ERROR(status);
  HEADRACE_RETURN_IF_ERROR(deleted);
  return text;
}

}  // namespace headrace::load
