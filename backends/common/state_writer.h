// Hands outputs of a batch to the server as the implicit states of its requests' sequences.
#ifndef HEADRACE_BACKENDS_COMMON_STATE_WRITER_H_
#define HEADRACE_BACKENDS_COMMON_STATE_WRITER_H_

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "common/batch_driver.h"
#include "common/error.h"
#include "common/request_batch.h"

namespace headrace::backend {

// Of one batch, on its thread. States become valid with Commit, when every copy is done.
class StateWriter {
 public:
  StateWriter(RequestBatch& batch, RuntimeRun& run) : batch_(batch), run_(run) {}

  // Splits output `index` along its first dimension, by `rows` for each request; without batching
  // the whole is that of the one request. Failures of one request go to it.
  Error Write(std::size_t index, const char* name, const RuntimeOutput& output, bool batches,
              std::span<const std::int64_t> rows);
  void Commit();

 private:
  struct Written {
    std::size_t request;
    TRITONBACKEND_State* state;
  };

  Error WriteOne(std::size_t i, std::size_t index, const char* name, const RuntimeOutput& output,
                 std::span<const std::int64_t> shape, std::size_t offset, std::size_t byte_size);

  RequestBatch& batch_;
  RuntimeRun& run_;
  std::vector<Written> written_;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_COMMON_STATE_WRITER_H_
