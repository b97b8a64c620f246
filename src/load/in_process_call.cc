#include "load/in_process_call.h"

#include <simdjson.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace headrace::load {

Result<std::unique_ptr<InProcessInbox>> InProcessInbox::Make() {
  UniqueFd fd(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (!fd) {
    return Unavailable("eventfd: {}", std::strerror(errno));
  }
  return std::unique_ptr<InProcessInbox>(new InProcessInbox(std::move(fd)));
}

void InProcessInbox::Push(InProcessEvent& event) {
  if (queue_.Push(event)) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(fd_.get(), &one, sizeof(one));
  }
}

MpscQueue<InProcessEvent>::Batch InProcessInbox::PopAll() {
  // First, so that what is pushed from here on wakes again.
  std::uint64_t count;
  [[maybe_unused]] const ssize_t read = ::read(fd_.get(), &count, sizeof(count));
  return queue_.PopAll();
}

Result<std::unique_ptr<InProcessCall>> InProcessCall::Make(
    InProcessServer& server, TRITONSERVER_ResponseAllocator* allocator, InProcessInbox& inbox,
    const Workload& workload, std::uint32_t item_index, std::uint32_t content_index) {
  const Item& item = workload.items[item_index];
  const Content& content = item.contents[content_index];
  const TritonApi& api = server.api();
  HEADRACE_ASSIGN_OR_RETURN(const std::int64_t version, VersionNumber(item.version));
  std::unique_ptr<InProcessCall> call(new InProcessCall(server, inbox));
  call->golden_ = content.golden ? &*content.golden : nullptr;
  HEADRACE_RETURN_IF_ERROR(api.Take(
      api.InferenceRequestNew(&call->request_, server.server(), item.model.c_str(), version)));
  HEADRACE_RETURN_IF_ERROR(call->AddInputs(item, content));
  HEADRACE_RETURN_IF_ERROR(call->AddParameters(item));
  for (const std::string& output : item.outputs) {
    HEADRACE_RETURN_IF_ERROR(
        api.Take(api.InferenceRequestAddRequestedOutput(call->request_, output.c_str())));
  }
  HEADRACE_RETURN_IF_ERROR(
      api.Take(api.InferenceRequestSetReleaseCallback(call->request_, OnRelease, call.get())));
  HEADRACE_RETURN_IF_ERROR(api.Take(api.InferenceRequestSetResponseCallback(
      call->request_, allocator, call.get(), OnResponse, call.get())));
  return call;
}

Status InProcessCall::AddInputs(const Item& item, const Content& content) {
  const TritonApi& api = server_.api();
  for (const TensorContent& input : content.inputs) {
    if (input.bytes == nullptr) {
      return InvalidArgument("item '{}': input '{}' has no data", item.name, input.name);
    }
    HEADRACE_RETURN_IF_ERROR(api.Take(api.InferenceRequestAddInput(
        request_, input.name.c_str(), static_cast<TRITONSERVER_DataType>(input.data_type),
        input.shape.data(), input.shape.size())));
    HEADRACE_RETURN_IF_ERROR(api.Take(
        api.InferenceRequestAppendInputData(request_, input.name.c_str(), input.bytes->data(),
                                            input.bytes->size(), TRITONSERVER_MEMORY_CPU, 0)));
  }
  return OkStatus();
}

Status InProcessCall::AddParameters(const Item& item) {
  const TritonApi& api = server_.api();
  if (item.priority != 0) {
    HEADRACE_RETURN_IF_ERROR(
        api.Take(api.InferenceRequestSetPriorityUInt64(request_, item.priority)));
  }
  if (item.timeout_us != 0) {
    HEADRACE_RETURN_IF_ERROR(
        api.Take(api.InferenceRequestSetTimeoutMicroseconds(request_, item.timeout_us)));
  }
  simdjson::dom::parser parser;
  for (const auto& [name, json] : item.parameters) {
    simdjson::dom::element value;
    const auto kind = parser.parse(json).get(value) == simdjson::SUCCESS
                          ? value.type()
                          : simdjson::dom::element_type::NULL_VALUE;
    TRITONSERVER_Error* error = nullptr;
    switch (kind) {
      case simdjson::dom::element_type::BOOL:
        error = api.InferenceRequestSetBoolParameter(request_, name.c_str(),
                                                     value.get_bool().value_unsafe());
        break;
      case simdjson::dom::element_type::INT64:
        error = api.InferenceRequestSetIntParameter(request_, name.c_str(),
                                                    value.get_int64().value_unsafe());
        break;
      case simdjson::dom::element_type::DOUBLE:
        error = api.InferenceRequestSetDoubleParameter(request_, name.c_str(),
                                                       value.get_double().value_unsafe());
        break;
      case simdjson::dom::element_type::STRING:
        error = api.InferenceRequestSetStringParameter(
            request_, name.c_str(), std::string(value.get_string().value_unsafe()).c_str());
        break;
      default:
        return InvalidArgument(
            "item '{}': parameter '{}' is {}: the C interface carries true, false, a number or a "
            "\"text\"",
            item.name, name, json);
    }
    HEADRACE_RETURN_IF_ERROR(api.Take(error));
  }
  return OkStatus();
}

InProcessCall::~InProcessCall() {
  if (request_ != nullptr) {
    (void)server_.api().Take(server_.api().InferenceRequestDelete(request_));
  }
}

Status InProcessCall::Submit(const Outgoing& to_send) {
  const TritonApi& api = server_.api();
  outgoing = to_send;
  told = ended = wrong = checked = has_outputs = false;
  if (outgoing.sequence_id != 0) {
    std::uint32_t flags = 0;
    flags |= outgoing.sequence_start ? TRITONSERVER_REQUEST_FLAG_SEQUENCE_START : 0;
    flags |= outgoing.sequence_end ? TRITONSERVER_REQUEST_FLAG_SEQUENCE_END : 0;
    HEADRACE_RETURN_IF_ERROR(
        api.Take(api.InferenceRequestSetCorrelationId(request_, outgoing.sequence_id)));
    HEADRACE_RETURN_IF_ERROR(api.Take(api.InferenceRequestSetFlags(request_, flags)));
  }
  with_server_.store(true, std::memory_order_relaxed);
  Status status = api.Take(api.ServerInferAsync(server_.server(), request_, nullptr));
  if (!status.ok()) {
    with_server_.store(false, std::memory_order_relaxed);
  }
  return status;
}

void InProcessCall::Cancel() {
  (void)server_.api().Take(server_.api().InferenceRequestCancel(request_));
}

void InProcessCall::OnResponse(TRITONSERVER_InferenceResponse* response, std::uint32_t flags,
                               void* user) {
  auto* const call = static_cast<InProcessCall*>(user);
  const bool final = (flags & TRITONSERVER_RESPONSE_COMPLETE_FINAL) != 0;
  InProcessEvent& event = final ? call->final_event_ : *new InProcessEvent;
  event.call = call;
  event.response = response;
  event.final = event.in_call = final;
  event.when = Clock::Real().Now();
  call->inbox_.Push(event);
}

void InProcessCall::OnRelease(TRITONSERVER_InferenceRequest*, std::uint32_t, void* user) {
  static_cast<InProcessCall*>(user)->with_server_.store(false, std::memory_order_release);
}

TRITONSERVER_Error* InProcessCall::Allocate(TRITONSERVER_ResponseAllocator*, const char*,
                                            std::size_t byte_size, TRITONSERVER_MemoryType,
                                            std::int64_t, void* user, void** buffer,
                                            void** buffer_user, TRITONSERVER_MemoryType* type,
                                            std::int64_t* type_id) {
  auto* const call = static_cast<InProcessCall*>(user);
  *type = TRITONSERVER_MEMORY_CPU;
  *type_id = 0;
  *buffer = *buffer_user = nullptr;
  if (byte_size == 0) {
    return nullptr;
  }
  for (Output& output : call->outputs_) {
    bool free = false;
    if (output.taken.compare_exchange_strong(free, true, std::memory_order_acquire)) {
      if (output.bytes.size() < byte_size) {
        output.bytes = std::vector<char>(byte_size);
      }
      *buffer = output.bytes.data();
      *buffer_user = &output;
      return nullptr;
    }
  }
  *buffer = std::malloc(byte_size);
  return *buffer != nullptr ? nullptr
                            : call->server_.api().ErrorNew(TRITONSERVER_ERROR_UNAVAILABLE,
                                                           "no memory for an output");
}

TRITONSERVER_Error* InProcessCall::Release(TRITONSERVER_ResponseAllocator*, void* buffer,
                                           void* buffer_user, std::size_t, TRITONSERVER_MemoryType,
                                           std::int64_t) {
  if (buffer_user != nullptr) {
    static_cast<Output*>(buffer_user)->taken.store(false, std::memory_order_release);
  } else {
    std::free(buffer);
  }
  return nullptr;
}

Mismatch InProcessCall::Compare(TRITONSERVER_InferenceResponse* response) const {
  const TritonApi& api = server_.api();
  std::uint32_t count = 0;
  if (!api.Take(api.InferenceResponseOutputCount(response, &count)).ok()) {
    return "the outputs of the answer cannot be read";
  }
  std::vector<TensorContent> outputs;
  for (std::uint32_t i = 0; i < count; ++i) {
    const char* name = nullptr;
    TRITONSERVER_DataType type = TRITONSERVER_TYPE_INVALID;
    const std::int64_t* shape = nullptr;
    std::uint64_t rank = 0;
    const void* base = nullptr;
    std::size_t byte_size = 0;
    TRITONSERVER_MemoryType memory_type = TRITONSERVER_MEMORY_CPU;
    std::int64_t memory_id = 0;
    void* user = nullptr;
    if (!api.Take(api.InferenceResponseOutput(response, i, &name, &type, &shape, &rank, &base,
                                              &byte_size, &memory_type, &memory_id, &user))
             .ok() ||
        memory_type == TRITONSERVER_MEMORY_GPU) {
      return fmt::format("output {} of the answer cannot be read", i);
    }
    outputs.push_back({name,
                       static_cast<DataType>(type),
                       {shape, shape + rank},
                       std::make_shared<const std::string>(static_cast<const char*>(base),
                                                           base == nullptr ? 0 : byte_size)});
  }
  return CompareOutputs(*golden_, outputs);
}

}  // namespace headrace::load
