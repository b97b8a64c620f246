#include "protocol/utf8.h"

namespace headrace::protocol {

std::size_t Utf8SequenceLength(std::string_view text) {
  if (text.empty()) {
    return 0;
  }
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto continues = [&](std::size_t i) { return i < text.size() && (byte(i) & 0xc0) == 0x80; };
  const unsigned char lead = byte(0);
  if (lead < 0x80) {
    return 1;
  }
  if (lead >= 0xc2 && lead <= 0xdf) {
    return continues(1) ? 2 : 0;
  }
  if ((lead & 0xf0) == 0xe0) {
    const bool whole = continues(1) && continues(2);
    const bool overlong = whole && lead == 0xe0 && byte(1) < 0xa0;
    const bool surrogate = whole && lead == 0xed && byte(1) >= 0xa0;
    return whole && !overlong && !surrogate ? 3 : 0;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    const bool whole = continues(1) && continues(2) && continues(3);
    const bool overlong = whole && lead == 0xf0 && byte(1) < 0x90;
    const bool beyond = whole && lead == 0xf4 && byte(1) >= 0x90;
    return whole && !overlong && !beyond ? 4 : 0;
  }
  return 0;
}

std::size_t FindInvalidUtf8(std::string_view text) {
  std::size_t offset = 0;
  while (offset < text.size()) {
    const std::size_t length = Utf8SequenceLength(text.substr(offset));
    if (length == 0) {
      break;
    }
    offset += length;
  }
  return offset;
}

}  // namespace headrace::protocol
