// gzip and deflate (zlib format) of bodies, within limits (reliability D19).
#ifndef HEADRACE_PROTOCOL_COMPRESSION_H_
#define HEADRACE_PROTOCOL_COMPRESSION_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "tensor/block_pool.h"
#include "tensor/buffer.h"

namespace headrace::protocol {

enum class ContentCoding : std::uint8_t { kIdentity, kGzip, kDeflate };

// The coding that a Content-Encoding value names; UNIMPLEMENTED "Unsupported compression type" for
// others, and for several.
Result<ContentCoding> ParseContentEncoding(std::string_view value);
// What to answer with, by an Accept-Encoding value: the supported coding of the highest q above 0,
// identity else. Never fails.
ContentCoding ChooseResponseCoding(std::string_view accept_encoding);

// Inflates the whole of `body` (one gzip member or zlib stream, nothing behind it). Stops at
// `byte_size_max` with RESOURCE_EXHAUSTED, at a ratio above 100:1 past the first MiB likewise;
// INVALID_ARGUMENT when truncated or damaged. Memory grows in steps as bytes arrive. The result is
// placed so that its byte `aligned_offset` is 64-byte aligned, and padded as BlockPool says.
Result<Buffer> Inflate(const Buffer& body, ContentCoding coding, std::size_t byte_size_max,
                       std::size_t aligned_offset, BlockPool& pool);
Result<Buffer> Deflate(const std::vector<Buffer>& body, ContentCoding coding, BlockPool& pool);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_COMPRESSION_H_
