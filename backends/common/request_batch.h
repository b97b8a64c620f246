// The requests of one execution: their responses, their statistics, and the promise that each is
// answered and released exactly once, whatever happens in between.
#ifndef HEADRACE_BACKENDS_COMMON_REQUEST_BATCH_H_
#define HEADRACE_BACKENDS_COMMON_REQUEST_BATCH_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "common/error.h"
#include "common/input_gatherer.h"
#include "triton_abi.h"

namespace headrace::backend {

// What one request of a batch has come to. Kept by the instance between batches, so that none is
// allocated per batch.
struct RequestSlot {
  TRITONBACKEND_Request* request = nullptr;
  TRITONBACKEND_Response* response = nullptr;  // null once sent, failed, or never made
  bool failed = false;
};

// Reused by an instance from batch to batch.
struct BatchMemory {
  std::vector<RequestSlot> slots;
};

// Lives for one TRITONBACKEND_ModelInstanceExecute, on its thread; entry_points.h makes and ends
// it. A backend's Execute:
//
//   ... read inputs; batch.Fail(i, error) for a bad one; batch.set_row_count(rows)
//   batch.MarkComputeStart(); run; batch.MarkComputeEnd();
//   batch.Output(i, "OUTPUT0", dtype, shape, byte_size, &destination); fill it
//
// The server must be told of success once a RequestBatch took the requests, also when all have
// failed.
class RequestBatch {
 public:
  RequestBatch(BatchMemory& memory, TRITONBACKEND_ModelInstance* instance,
               std::span<TRITONBACKEND_Request* const> requests);
  ~RequestBatch();
  RequestBatch(const RequestBatch&) = delete;
  RequestBatch& operator=(const RequestBatch&) = delete;

  std::size_t size() const { return memory_.slots.size(); }
  std::span<TRITONBACKEND_Request* const> requests() const { return requests_; }
  TRITONBACKEND_Request* request(std::size_t i) const { return requests_[i]; }
  bool failed(std::size_t i) const { return memory_.slots[i].failed; }

  // Answers request `i` with the error now; later calls for it do nothing. Requires: not ok.
  void Fail(std::size_t i, const Error& error);
  // The same for every request that is not answered yet.
  void FailAll(const Error& error);

  // True if the request asks for the output.
  bool Wants(std::size_t i, std::string_view output) const;
  // Memory for output `name` of request `i`, to be filled in place. `shape` has the batch
  // dimension. Writes an empty span if the request has failed. At most once per request and name.
  Error Output(std::size_t i, const char* name, TRITONSERVER_DataType dtype,
               std::span<const std::int64_t> shape, std::size_t byte_size,
               std::span<std::byte>* destination);
  // The same wherever the server gives the memory: `place` says what is preferred, and then what it
  // is.
  Error Output(std::size_t i, const char* name, TRITONSERVER_DataType dtype,
               std::span<const std::int64_t> shape, std::size_t byte_size, MemoryPlace* place,
               std::span<std::byte>* destination);
  // The response of request `i`, for parameters; null if it has failed.
  TRITONBACKEND_Response* response(std::size_t i) const { return memory_.slots[i].response; }

  // The model's own work begins and ends; stamps for the statistics. Optional.
  void MarkComputeStart();
  void MarkComputeEnd();
  // Rows in the whole batch, for the statistics; the number of requests if nobody says.
  void set_row_count(std::uint64_t row_count) { row_count_ = row_count; }

  // Sends what is not answered, reports the statistics, releases the requests. Nothing else may be
  // called afterwards. The destructor does it too, with an error for what is not answered.
  void Send();

 private:
  void ReportAndRelease();

  BatchMemory& memory_;
  TRITONBACKEND_ModelInstance* const instance_;
  const std::span<TRITONBACKEND_Request* const> requests_;
  bool sent_ = false;
  std::uint64_t row_count_;
  std::uint64_t exec_start_ns_;
  std::uint64_t compute_start_ns_ = 0;
  std::uint64_t compute_end_ns_ = 0;
};

// Monotonic nanoseconds, as the statistics want them.
std::uint64_t MonotonicNs();

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_COMMON_REQUEST_BATCH_H_
