// UTF-8 sequences, one at a time: for writing text of unknown origin and for saying where a text is
// damaged. Whole texts are checked by the JSON library.
#ifndef HEADRACE_PROTOCOL_UTF8_H_
#define HEADRACE_PROTOCOL_UTF8_H_

#include <cstddef>
#include <string_view>

namespace headrace::protocol {

// Bytes (1 to 4) of the well-formed sequence that `text` starts with; 0 if there is none: stray or
// missing continuation bytes, overlong forms, surrogates, and code points above U+10FFFF.
std::size_t Utf8SequenceLength(std::string_view text);

// Offset of the first byte that does not start a well-formed sequence where one should start;
// text.size() if none.
std::size_t FindInvalidUtf8(std::string_view text);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_UTF8_H_
