#include "net/grpc_text.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace headrace::net {
namespace {

constexpr std::size_t kTimeoutDigitsMax = 8;
constexpr std::string_view kBase64Digits =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

Nanos UnitOf(char unit) {
  switch (unit) {
    case 'H':
      return 3600 * kSecond;
    case 'M':
      return 60 * kSecond;
    case 'S':
      return kSecond;
    case 'm':
      return kMillisecond;
    case 'u':
      return kMicrosecond;
    case 'n':
      return 1;
    default:
      return 0;
  }
}

bool IsOneBase64(std::string_view text) {
  while (text.size() % 4 == 0 && text.ends_with('=')) {
    text.remove_suffix(text.size() >= 2 && text[text.size() - 2] == '=' ? 2 : 1);
    break;
  }
  return text.size() % 4 != 1 && text.find_first_not_of(kBase64Digits) == std::string_view::npos;
}

std::string_view Trimmed(std::string_view text) {
  while (text.starts_with(' ')) {
    text.remove_prefix(1);
  }
  while (text.ends_with(' ')) {
    text.remove_suffix(1);
  }
  return text;
}

// Calls `take` with each of the parts between commas.
template <typename Function>
void ForEachPart(std::string_view text, Function take) {
  while (true) {
    const std::size_t comma = text.find(',');
    take(Trimmed(text.substr(0, comma)));
    if (comma == std::string_view::npos) {
      return;
    }
    text.remove_prefix(comma + 1);
  }
}

}  // namespace

std::optional<Nanos> ParseGrpcTimeout(std::string_view text) {
  if (text.size() < 2 || text.size() > kTimeoutDigitsMax + 1) {
    return std::nullopt;
  }
  const Nanos unit = UnitOf(text.back());
  std::uint64_t count = 0;
  const char* end = text.data() + text.size() - 1;
  const auto [stop, error] = std::from_chars(text.data(), end, count);
  if (unit == 0 || error != std::errc() || stop != end) {
    return std::nullopt;
  }
  constexpr Nanos kLongest = kNever / 2;
  return static_cast<Nanos>(count) > kLongest / unit ? kLongest : static_cast<Nanos>(count) * unit;
}

std::string PercentEncode(std::string_view text, std::size_t byte_size_max) {
  static constexpr std::string_view kHex = "0123456789ABCDEF";
  std::string out;
  out.reserve(std::min(text.size(), byte_size_max));
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = byte >= 0x20 && byte <= 0x7E && c != '%';
    if (out.size() + (plain ? 1 : 3) > byte_size_max) {
      break;
    }
    if (plain) {
      out.push_back(c);
    } else {
      out.push_back('%');
      out.push_back(kHex[byte >> 4]);
      out.push_back(kHex[byte & 15]);
    }
  }
  return out;
}

bool IsBase64(std::string_view text) {
  bool good = true;
  ForEachPart(text, [&good](std::string_view part) { good = good && IsOneBase64(part); });
  return good;
}

std::string EncodeBase64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  std::uint32_t bits = 0;
  int bit_count = 0;
  for (const char c : bytes) {
    bits = bits << 8 | static_cast<unsigned char>(c);
    for (bit_count += 8; bit_count >= 6; bit_count -= 6) {
      out.push_back(kBase64Digits[bits >> (bit_count - 6) & 63]);
    }
  }
  // Unpadded, as gRPC prefers it.
  if (bit_count > 0) {
    out.push_back(kBase64Digits[bits << (6 - bit_count) & 63]);
  }
  return out;
}

bool IsAsciiValue(std::string_view value) {
  return std::all_of(value.begin(), value.end(), [](char c) { return c >= 0x20 && c <= 0x7E; });
}

bool IsMetadataName(std::string_view name) {
  static constexpr std::array<std::string_view, 5> kOwn = {"content-type", "te", "connection",
                                                           "content-length", "transfer-encoding"};
  const bool spelt = !name.empty() && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
  });
  return spelt && !name.starts_with("grpc-") &&
         std::find(kOwn.begin(), kOwn.end(), name) == kOwn.end();
}

std::string_view GrpcEncodingName(GrpcEncoding encoding) {
  switch (encoding) {
    case GrpcEncoding::kGzip:
      return "gzip";
    case GrpcEncoding::kDeflate:
      return "deflate";
    case GrpcEncoding::kIdentity:
      break;
  }
  return "identity";
}

std::optional<GrpcEncoding> ParseGrpcEncoding(std::string_view name) {
  if (name.empty()) {
    return GrpcEncoding::kIdentity;
  }
  for (const auto encoding :
       {GrpcEncoding::kIdentity, GrpcEncoding::kGzip, GrpcEncoding::kDeflate}) {
    if (name == GrpcEncodingName(encoding)) {
      return encoding;
    }
  }
  return std::nullopt;
}

GrpcEncoding ChooseGrpcEncoding(std::string_view accepted) {
  GrpcEncoding best = GrpcEncoding::kIdentity;
  ForEachPart(accepted, [&best](std::string_view part) {
    const auto encoding = ParseGrpcEncoding(part);
    if (encoding == GrpcEncoding::kGzip ||
        (encoding == GrpcEncoding::kDeflate && best == GrpcEncoding::kIdentity)) {
      best = *encoding;
    }
  });
  return best;
}

}  // namespace headrace::net
