#include "common/state_writer.h"

#include <cstring>

namespace headrace::backend {

Error StateWriter::Write(std::size_t index, const char* name, const RuntimeOutput& output,
                         bool batches, std::span<const std::int64_t> rows) {
  if (output.dtype == TRITONSERVER_TYPE_BYTES) {
    return Unsupported("state '{}' is of strings, which this backend does not keep", name);
  }
  std::vector<std::int64_t> shape = output.shape;
  const std::size_t total = output.bytes.size();
  const auto row_count =
      batches && !shape.empty() ? static_cast<std::size_t>(shape.front()) : std::size_t{1};
  if (row_count == 0 || total % row_count != 0) {
    return Internal("state '{}': {} bytes are not {} equal rows", name, total, row_count);
  }
  std::size_t offset = 0;
  for (std::size_t i = 0; i < batch_.size(); ++i) {
    const std::size_t byte_size =
        batches ? total / row_count * static_cast<std::size_t>(rows[i]) : total;
    if (byte_size > total - offset) {
      return Internal("state '{}' has {} rows, fewer than the batch", name, row_count);
    }
    if (batches) {
      shape.front() = rows[i];
    }
    if (!batch_.failed(i)) {
      if (Error error = WriteOne(i, index, name, output, shape, offset, byte_size); !error.ok()) {
        batch_.Fail(i, error);
      }
    }
    offset += byte_size;
  }
  return {};
}

Error StateWriter::WriteOne(std::size_t i, std::size_t index, const char* name,
                            const RuntimeOutput& output, std::span<const std::int64_t> shape,
                            std::size_t offset, std::size_t byte_size) {
  TRITONBACKEND_State* state = nullptr;
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      TRITONBACKEND_StateNew(&state, batch_.request(i), name, output.dtype, shape.data(),
                             static_cast<std::uint32_t>(shape.size())));
  void* buffer = nullptr;
  MemoryPlace place = output.place;
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      TRITONBACKEND_StateBuffer(state, &buffer, byte_size, &place.type, &place.id));
  written_.push_back({i, state});
  if (byte_size == 0) {
    return {};
  }
  if (!output.place.on_host() || !place.on_host()) {
    return run_.CopyOutput(index, offset, {static_cast<std::byte*>(buffer), byte_size}, place);
  }
  std::memcpy(buffer, output.bytes.data() + offset, byte_size);
  return {};
}

void StateWriter::Commit() {
  for (const Written& one : written_) {
    if (batch_.failed(one.request)) {
      continue;
    }
    if (Error error(TRITONBACKEND_StateUpdate(one.state)); !error.ok()) {
      batch_.Fail(one.request, error);
    }
  }
}

}  // namespace headrace::backend
