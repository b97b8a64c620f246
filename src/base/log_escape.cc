#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace headrace {
namespace {

// The bytes of the well-formed, printable UTF-8 character at the front of `text`; 0 if there is
// none.
std::size_t PlainCharacterSize(std::string_view text) {
  const auto byte = [text](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) {
    return lead >= 0x20 && lead != 0x7f ? 1 : 0;
  }
  const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
  if (lead < 0xc2 || lead > 0xf4 || text.size() < size) {
    return 0;
  }
  char32_t code = lead & (0xff >> (size + 1));
  for (std::size_t i = 1; i < size; ++i) {
    if ((byte(i) & 0xc0) != 0x80) {
      return 0;
    }
    code = code << 6 | (byte(i) & 0x3f);
  }
  const bool overlong = (size == 3 && code < 0x800) || (size == 4 && code < 0x10000);
  const bool surrogate = code >= 0xd800 && code < 0xe000;
  const bool control = code < 0xa0 || code == 0x2028 || code == 0x2029;  // C1, line separators
  return overlong || surrogate || control || code > 0x10ffff ? 0 : size;
}

// What stands for the front of `text` in an entry, and how many bytes of `text` that covers.
struct Piece {
  char bytes[6];
  std::size_t size;
  std::size_t covered;
};

Piece NextPiece(std::string_view text) {
  Piece piece{{}, 0, 1};
  const auto put = [&piece](std::string_view bytes) {
    std::copy(bytes.begin(), bytes.end(), piece.bytes);
    piece.size = bytes.size();
  };
  switch (text.front()) {
    case '"':
      put("\\\"");
      return piece;
    case '\\':
      put("\\\\");
      return piece;
    case '\n':
      put("\\n");
      return piece;
    case '\r':
      put("\\r");
      return piece;
    case '\t':
      put("\\t");
      return piece;
    default:
      break;
  }
  if (const std::size_t plain = PlainCharacterSize(text); plain > 0) {
    put(text.substr(0, plain));
    piece.covered = plain;
  } else {
    fmt::format_to(piece.bytes, "\\u{:04x}", static_cast<unsigned char>(text.front()));
    piece.size = 6;
  }
  return piece;
}

}  // namespace

std::string EscapeForLog(std::string_view text, std::size_t byte_size_max) {
  constexpr std::string_view kDots = "...";
  std::string out;
  out.reserve(std::min(text.size() + 2, byte_size_max));
  const std::size_t room = byte_size_max - std::min(byte_size_max, kDots.size());
  std::size_t cut = 0;  // how much of `out` stays if the text turns out too long
  while (!text.empty()) {
    const Piece piece = NextPiece(text);
    if (out.size() + piece.size > byte_size_max) {
      out.resize(cut);
      out += kDots.substr(0, byte_size_max - cut);
      return out;
    }
    out.append(piece.bytes, piece.size);
    text.remove_prefix(piece.covered);
    if (out.size() <= room) {
      cut = out.size();
    }
  }
  return out;
}

}  // namespace headrace
