// The functions that the server looks up in a backend, made from two classes:
//
//   class Model {
//    public:
//     static Error Create(TRITONBACKEND_Model* handle, std::unique_ptr<Model>* model);
//   };
//   class Instance {
//    public:
//     static Error Create(Model& model, TRITONBACKEND_ModelInstance* handle,
//     std::unique_ptr<Instance>* instance);
//     // A failure, or an exception, answers every request that is not answered by then.
//     Error Execute(RequestBatch& batch);
//   };
//   HEADRACE_BACKEND_ENTRY_POINTS("identity", Model, Instance)
//
// A decoupled backend has, in place of Execute,
//   void ExecuteRequests(TRITONBACKEND_ModelInstance* handle,
//                        std::span<TRITONBACKEND_Request* const> requests);
// which answers and releases all requests itself. `static void
// Model::Describe(TRITONBACKEND_BackendAttribute*)` is optional. Exceptions end at
// these functions.
#ifndef HEADRACE_BACKENDS_COMMON_ENTRY_POINTS_H_
#define HEADRACE_BACKENDS_COMMON_ENTRY_POINTS_H_

#include <memory>
#include <span>

#include "common/error.h"
#include "common/log.h"
#include "common/request_batch.h"
#include "triton_abi.h"

namespace headrace::backend {

// The oldest minor version of the interface that has every entry used in backends/.
inline constexpr std::uint32_t kApiMinorNeeded = 9;

// For Model::Describe of a backend that knows no GPU: where a configuration leaves it open,
// instances go to the CPU.
inline void PreferCpu(TRITONBACKEND_BackendAttribute* attributes) {
  HEADRACE_BACKEND_LOG_IF_ERROR(TRITONBACKEND_BackendAttributeAddPreferredInstanceGroup(
                                    attributes, TRITONSERVER_INSTANCEGROUPKIND_CPU, 0, nullptr, 0),
                                "the preferred instance group could not be declared");
}

template <typename Model, typename Instance>
struct EntryPoints {
  // What an instance handle points to.
  struct Kept {
    std::unique_ptr<Instance> instance;
    BatchMemory memory;
  };

  static Error Initialize(const char* name) {
    std::uint32_t major = 0;
    std::uint32_t minor = 0;
    HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ApiVersion(&major, &minor));
    if (major != TRITONBACKEND_API_VERSION_MAJOR || minor < kApiMinorNeeded) {
      return Unsupported(
          "backend '{}' needs interface version {}.{} or a later minor version; the server has "
          "{}.{}",
          name, TRITONBACKEND_API_VERSION_MAJOR, kApiMinorNeeded, major, minor);
    }
    return {};
  }

  static Error CreateModel(TRITONBACKEND_Model* handle) {
    std::unique_ptr<Model> model;
    HEADRACE_BACKEND_RETURN_IF_ERROR(Model::Create(handle, &model));
    HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelSetState(handle, model.get()));
    model.release();  // the handle has it until DeleteModel
    return {};
  }

  static Error DeleteModel(TRITONBACKEND_Model* handle) {
    void* state = nullptr;
    HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelState(handle, &state));
    delete static_cast<Model*>(state);
    return TRITONBACKEND_ModelSetState(handle, nullptr);
  }

  static Error CreateInstance(TRITONBACKEND_ModelInstance* handle) {
    TRITONBACKEND_Model* model = nullptr;
    void* state = nullptr;
    HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceModel(handle, &model));
    HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelState(model, &state));
    auto kept = std::make_unique<Kept>();
    HEADRACE_BACKEND_RETURN_IF_ERROR(
        Instance::Create(*static_cast<Model*>(state), handle, &kept->instance));
    HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceSetState(handle, kept.get()));
    kept.release();  // the handle has it until DeleteInstance
    return {};
  }

  static Error DeleteInstance(TRITONBACKEND_ModelInstance* handle) {
    void* state = nullptr;
    HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceState(handle, &state));
    delete static_cast<Kept*>(state);
    return TRITONBACKEND_ModelInstanceSetState(handle, nullptr);
  }

  static Error Execute(TRITONBACKEND_ModelInstance* handle, TRITONBACKEND_Request** requests,
                       std::uint32_t request_count) {
    void* state = nullptr;
    HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ModelInstanceState(handle, &state));
    Kept& kept = *static_cast<Kept*>(state);
    const std::span<TRITONBACKEND_Request* const> all(requests, request_count);
    if constexpr (requires { kept.instance->ExecuteRequests(handle, all); }) {
      kept.instance->ExecuteRequests(handle, all);
    } else {
      RequestBatch batch(kept.memory, handle, all);
      Error error = Guarded("execution", [&] { return kept.instance->Execute(batch); });
      if (!error.ok()) {
        batch.FailAll(error);
      }
      batch.Send();
    }
    return {};
  }

  static void Describe(TRITONBACKEND_BackendAttribute* attributes) {
    if constexpr (requires { Model::Describe(attributes); }) {
      Model::Describe(attributes);
    }
  }
};

}  // namespace headrace::backend

#define HEADRACE_BACKEND_ENTRY_POINTS(name, Model, Instance)                                       \
  extern "C" {                                                                                     \
  using HeadraceEntryPoints = ::headrace::backend::EntryPoints<Model, Instance>;                   \
  TRITONSERVER_Error* TRITONBACKEND_Initialize(TRITONBACKEND_Backend*) {                           \
    return ::headrace::backend::Guarded(name,                                                      \
                                        [] { return HeadraceEntryPoints::Initialize(name); })      \
        .Release();                                                                                \
  }                                                                                                \
  TRITONSERVER_Error* TRITONBACKEND_GetBackendAttribute(                                           \
      TRITONBACKEND_Backend*, TRITONBACKEND_BackendAttribute* attributes) {                        \
    HeadraceEntryPoints::Describe(attributes);                                                     \
    return nullptr;                                                                                \
  }                                                                                                \
  TRITONSERVER_Error* TRITONBACKEND_ModelInitialize(TRITONBACKEND_Model* handle) {                 \
    return ::headrace::backend::Guarded(name,                                                      \
                                        [&] { return HeadraceEntryPoints::CreateModel(handle); })  \
        .Release();                                                                                \
  }                                                                                                \
  TRITONSERVER_Error* TRITONBACKEND_ModelFinalize(TRITONBACKEND_Model* handle) {                   \
    return ::headrace::backend::Guarded(name,                                                      \
                                        [&] { return HeadraceEntryPoints::DeleteModel(handle); })  \
        .Release();                                                                                \
  }                                                                                                \
  TRITONSERVER_Error* TRITONBACKEND_ModelInstanceInitialize(TRITONBACKEND_ModelInstance* handle) { \
    return ::headrace::backend::Guarded(                                                           \
               name, [&] { return HeadraceEntryPoints::CreateInstance(handle); })                  \
        .Release();                                                                                \
  }                                                                                                \
  TRITONSERVER_Error* TRITONBACKEND_ModelInstanceFinalize(TRITONBACKEND_ModelInstance* handle) {   \
    return ::headrace::backend::Guarded(                                                           \
               name, [&] { return HeadraceEntryPoints::DeleteInstance(handle); })                  \
        .Release();                                                                                \
  }                                                                                                \
  TRITONSERVER_Error* TRITONBACKEND_ModelInstanceExecute(TRITONBACKEND_ModelInstance* handle,      \
                                                         TRITONBACKEND_Request** requests,         \
                                                         const uint32_t request_count) {           \
    return ::headrace::backend::Guarded(                                                           \
               name,                                                                               \
               [&] { return HeadraceEntryPoints::Execute(handle, requests, request_count); })      \
        .Release();                                                                                \
  }                                                                                                \
  } /* extern "C" */

#endif  // HEADRACE_BACKENDS_COMMON_ENTRY_POINTS_H_
