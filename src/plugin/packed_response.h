// A response as one row of bytes: what a response cache library keeps.
#ifndef HEADRACE_PLUGIN_PACKED_RESPONSE_H_
#define HEADRACE_PLUGIN_PACKED_RESPONSE_H_

#include <cstddef>
#include <string>

#include "base/result.h"
#include "engine/response_sink.h"
#include "tensor/buffer.h"

namespace headrace::plugin {

// Writes one response: first a table of outputs and parameters, then the outputs' bytes, each at a
// multiple of 64. Host byte order: a cache is shared among servers of one kind only. Reads the
// response, which must outlive it; outputs must be in host memory.
class ResponsePacker {
 public:
  explicit ResponsePacker(const engine::InferResponse& response);

  std::size_t byte_size() const { return byte_size_; }
  // Requires byte_size() bytes at `out`.
  void WriteTo(std::byte* out) const;

 private:
  const engine::InferResponse& response_;
  std::string table_;
  std::size_t byte_size_ = 0;
};

// The response again; its tensors are slices of `packed`, which must be 64-byte aligned. A cache
// may be anybody's, so nothing of it is trusted: INVALID_ARGUMENT where the bytes are not what a
// ResponsePacker writes (cut short, of another version, sizes that do not agree).
Result<engine::InferResponse> UnpackResponse(const Buffer& packed);

}  // namespace headrace::plugin

#endif  // HEADRACE_PLUGIN_PACKED_RESPONSE_H_
