// Requests that are made through the C interface, and the responses that come back (families
// "server_request", "server_response"; contracts, Triton 8.5).
#ifndef HEADRACE_PLUGIN_SERVER_REQUEST_H_
#define HEADRACE_PLUGIN_SERVER_REQUEST_H_

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/parameter.h"
#include "base/status.h"
#include "engine/model.h"
#include "plugin/response_allocator.h"
#include "plugin/values.h"
#include "tensor/tensor.h"

// Belongs to its maker, who fills it, submits it, and has it back when the release callback says so
// (the server holds nothing of it any more); then it may be submitted again. One thread at a time,
// except `cancelled`.
struct TRITONSERVER_InferenceRequest {
  struct Piece {
    const void* base = nullptr;  // the maker's; stays until the release callback
    std::size_t byte_size = 0;
    headrace::MemoryKind memory_kind = headrace::MemoryKind::kCpu;
    std::int64_t memory_id = 0;
  };
  struct Input {
    std::string name;
    headrace::DataType dtype = headrace::DataType::kInvalid;
    headrace::Shape shape{};
    bool raw = false;  // type and shape are to be deduced
    std::vector<Piece> pieces{};
  };

  headrace::engine::ModelHandle model;
  std::string id;
  std::uint32_t flags = 0;
  std::uint64_t correlation_id = 0;
  std::string correlation_id_text;
  std::uint64_t priority = 0;
  std::uint64_t timeout_us = 0;
  std::vector<Input> inputs;
  std::vector<std::string> wanted_outputs;
  std::vector<headrace::Parameter> parameters;

  TRITONSERVER_InferenceRequestReleaseFn_t release = nullptr;
  void* release_userp = nullptr;
  TRITONSERVER_ResponseAllocator* allocator = nullptr;
  void* allocator_userp = nullptr;
  TRITONSERVER_InferenceResponseCompleteFn_t respond = nullptr;
  void* respond_userp = nullptr;

  // Shared with the sink of the request that is under way.
  std::shared_ptr<std::atomic<bool>> cancelled = std::make_shared<std::atomic<bool>>(false);

  Input* FindInput(const char* name);
};

// Owned by whoever received it.
struct TRITONSERVER_InferenceResponse {
  headrace::engine::ModelHandle model;
  std::string id;
  std::vector<headrace::Parameter> parameters;
  std::vector<headrace::NamedTensor> outputs;
  headrace::Status error;
};

namespace headrace::plugin {

// Submits the request. On success the server has it until the release callback; on failure (not
// valid, refused by the model's queue) the caller keeps it and no callback is called. `trace` is
// taken in both cases and may be null. Does not block.
Status SubmitInProcess(TRITONSERVER_InferenceRequest& request,
                       std::shared_ptr<engine::RequestTrace> trace);

}  // namespace headrace::plugin

#endif  // HEADRACE_PLUGIN_SERVER_REQUEST_H_
