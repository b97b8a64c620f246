// Compressed gRPC messages.
#ifndef HEADRACE_NET_GRPC_COMPRESSION_H_
#define HEADRACE_NET_GRPC_COMPRESSION_H_

#include <cstdint>

#include "base/result.h"
#include "net/grpc.h"
#include "net/grpc_text.h"
#include "tensor/block_pool.h"
#include "tensor/buffer.h"

namespace headrace::net {

// One buffer that holds what `message` inflates to. RESOURCE_EXHAUSTED: more than `byte_size_max`,
// more than 100:1 once a mebibyte has come out, or no memory. INTERNAL: it is damaged, or something
// follows its end.
Result<Buffer> DecompressMessage(GrpcEncoding encoding, const Buffer& message,
                                 std::uint64_t byte_size_max, BlockPool& pool);

// The whole message as one buffer. RESOURCE_EXHAUSTED: no memory.
Result<Buffer> CompressMessage(GrpcEncoding encoding, GrpcCompressionLevel level,
                               const GrpcMessage& message, BlockPool& pool);

}  // namespace headrace::net

#endif  // HEADRACE_NET_GRPC_COMPRESSION_H_
