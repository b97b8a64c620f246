#include "common/request_batch.h"

#include <chrono>

#include "common/log.h"

namespace headrace::backend {

std::uint64_t MonotonicNs() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

RequestBatch::RequestBatch(BatchMemory& memory, TRITONBACKEND_ModelInstance* instance,
                           std::span<TRITONBACKEND_Request* const> requests)
    : memory_(memory),
      instance_(instance),
      requests_(requests),
      row_count_(requests.size()),
      exec_start_ns_(MonotonicNs()) {
  memory_.slots.assign(requests.size(), RequestSlot());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    RequestSlot& slot = memory_.slots[i];
    slot.request = requests[i];
    if (Error error(TRITONBACKEND_ResponseNew(&slot.response, slot.request)); !error.ok()) {
      HEADRACE_BACKEND_LOG(TRITONSERVER_LOG_ERROR, "no response could be made: {}",
                           error.message());
      slot.response = nullptr;
      slot.failed = true;
    }
  }
}

RequestBatch::~RequestBatch() {
  if (!sent_) {
    FailAll(Internal("the backend gave no answer"));
    Send();
  }
}

void RequestBatch::Fail(std::size_t i, const Error& error) {
  RequestSlot& slot = memory_.slots[i];
  if (slot.response == nullptr) {
    return;
  }
  slot.failed = true;
  HEADRACE_BACKEND_LOG_IF_ERROR(
      TRITONBACKEND_ResponseSend(std::exchange(slot.response, nullptr),
                                 TRITONSERVER_RESPONSE_COMPLETE_FINAL, error.get()),
      "an error response could not be sent");
}

void RequestBatch::FailAll(const Error& error) {
  for (std::size_t i = 0; i < size(); ++i) {
    Fail(i, error);
  }
}

bool RequestBatch::Wants(std::size_t i, std::string_view output) const {
  std::uint32_t count = 0;
  if (Error error(TRITONBACKEND_RequestOutputCount(request(i), &count)); !error.ok()) {
    return true;
  }
  for (std::uint32_t k = 0; k < count; ++k) {
    const char* name = nullptr;
    Error error(TRITONBACKEND_RequestOutputName(request(i), k, &name));
    if (error.ok() && output == name) {
      return true;
    }
  }
  return false;
}

Error RequestBatch::Output(std::size_t i, const char* name, TRITONSERVER_DataType dtype,
                           std::span<const std::int64_t> shape, std::size_t byte_size,
                           std::span<std::byte>* destination) {
  MemoryPlace place;
  HEADRACE_BACKEND_RETURN_IF_ERROR(Output(i, name, dtype, shape, byte_size, &place, destination));
  if (!place.on_host()) {
    *destination = {};
    return Unsupported("output '{}' is wanted in GPU memory", name);
  }
  return {};
}

Error RequestBatch::Output(std::size_t i, const char* name, TRITONSERVER_DataType dtype,
                           std::span<const std::int64_t> shape, std::size_t byte_size,
                           MemoryPlace* place, std::span<std::byte>* destination) {
  *destination = {};
  TRITONBACKEND_Response* const response = memory_.slots[i].response;
  if (response == nullptr) {
    return {};
  }
  TRITONBACKEND_Output* output = nullptr;
  HEADRACE_BACKEND_RETURN_IF_ERROR(TRITONBACKEND_ResponseOutput(
      response, &output, name, dtype, shape.data(), static_cast<std::uint32_t>(shape.size())));
  void* buffer = nullptr;
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      TRITONBACKEND_OutputBuffer(output, &buffer, byte_size, &place->type, &place->id));
  *destination = {static_cast<std::byte*>(buffer), byte_size};
  return {};
}

void RequestBatch::MarkComputeStart() { compute_start_ns_ = MonotonicNs(); }
void RequestBatch::MarkComputeEnd() { compute_end_ns_ = MonotonicNs(); }

void RequestBatch::Send() {
  for (RequestSlot& slot : memory_.slots) {
    if (slot.response != nullptr) {
      HEADRACE_BACKEND_LOG_IF_ERROR(
          TRITONBACKEND_ResponseSend(std::exchange(slot.response, nullptr),
                                     TRITONSERVER_RESPONSE_COMPLETE_FINAL, nullptr),
          "a response could not be sent");
    }
  }
  sent_ = true;
  ReportAndRelease();
}

void RequestBatch::ReportAndRelease() {
  const std::uint64_t exec_end_ns = MonotonicNs();
  // A batch that never came to compute has no time in it.
  const std::uint64_t start = compute_start_ns_ != 0 ? compute_start_ns_ : exec_end_ns;
  const std::uint64_t end = compute_end_ns_ >= start ? compute_end_ns_ : start;
  for (const RequestSlot& slot : memory_.slots) {
    HEADRACE_BACKEND_LOG_IF_ERROR(
        TRITONBACKEND_ModelInstanceReportStatistics(instance_, slot.request, !slot.failed,
                                                    exec_start_ns_, start, end, exec_end_ns),
        "the statistics of a request could not be reported");
  }
  HEADRACE_BACKEND_LOG_IF_ERROR(TRITONBACKEND_ModelInstanceReportBatchStatistics(
                                    instance_, row_count_, exec_start_ns_, start, end, exec_end_ns),
                                "the statistics of a batch could not be reported");
  for (const RequestSlot& slot : memory_.slots) {
    HEADRACE_BACKEND_LOG_IF_ERROR(
        TRITONBACKEND_RequestRelease(slot.request, TRITONSERVER_REQUEST_RELEASE_ALL),
        "a request could not be released");
  }
}

}  // namespace headrace::backend
