// What text_classifier makes of a text before it looks for words (contracts, TorchServe 8.4): as
// python/ts/torch_handler/text_tokens.py.
#ifndef HEADRACE_HANDLER_CLEAN_TEXT_H_
#define HEADRACE_HANDLER_CLEAN_TEXT_H_

#include <string>
#include <string_view>

namespace headrace::handler {

// The words of `text`, which is UTF-8, with one blank between two: without tags, entities, accents,
// punctuation and what is not ASCII, in lower case, with contractions written out. Takes time and
// memory in proportion to the text. Thread-safe.
std::string CleanText(std::string_view text);

}  // namespace headrace::handler

#endif  // HEADRACE_HANDLER_CLEAN_TEXT_H_
