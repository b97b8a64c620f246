// The texts of gRPC over HTTP/2: timeouts, status messages, metadata, encodings. Pure functions.
#ifndef HEADRACE_NET_GRPC_TEXT_H_
#define HEADRACE_NET_GRPC_TEXT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"

namespace headrace::net {

// "100m" (one to eight digits and a unit) as a duration; nothing when it is malformed. Durations
// beyond what Nanos can hold end at kNever / 2.
std::optional<Nanos> ParseGrpcTimeout(std::string_view text);

// As grpc-message wants it: printable ASCII but '%' as it is, all else as %XX. At most
// `byte_size_max` bytes, cut between two characters of the result.
std::string PercentEncode(std::string_view text, std::size_t byte_size_max);

// Whether a value of a "-bin" field is base64 (padded or not); several may be joined by commas.
bool IsBase64(std::string_view text);
std::string EncodeBase64(std::string_view bytes);

// Whether a metadata value is printable ASCII.
bool IsAsciiValue(std::string_view value);
// Whether a name may be sent as metadata: lower case, and not one of the transport's own.
bool IsMetadataName(std::string_view name);

enum class GrpcEncoding : std::uint8_t { kIdentity, kGzip, kDeflate };
// What we tell peers that they may send.
inline constexpr std::string_view kGrpcAcceptEncoding = "identity,deflate,gzip";
std::string_view GrpcEncodingName(GrpcEncoding encoding);
// Nothing for one that is not known; empty text is identity.
std::optional<GrpcEncoding> ParseGrpcEncoding(std::string_view name);
// What to compress answers with, from grpc-accept-encoding: gzip, else deflate, else identity.
GrpcEncoding ChooseGrpcEncoding(std::string_view accepted);

}  // namespace headrace::net

#endif  // HEADRACE_NET_GRPC_TEXT_H_
