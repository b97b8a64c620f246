#include "tune/tune_comment.h"

#include <fmt/format.h>

#include <algorithm>

namespace headrace::tune {
namespace {

std::string_view FirstLine(std::string_view text) { return text.substr(0, text.find('\n')); }

void DropLine(std::string_view& text) {
  text.remove_prefix(std::min(FirstLine(text).size() + 1, text.size()));
}

}  // namespace

std::string CommentLines(std::string_view comment) {
  std::string lines;
  while (!comment.empty()) {
    lines += fmt::format("# {}\n", FirstLine(comment));
    DropLine(comment);
  }
  return lines;
}

std::string_view WithoutTunesComment(std::string_view text) {
  if (!text.starts_with(fmt::format("# {}", kCommentMark))) {
    return text;
  }
  DropLine(text);
  // The configuration, and what binds.
  const std::string_view second = FirstLine(text);
  if (second.starts_with("# ") && second.find(" instance") != std::string_view::npos) {
    DropLine(text);
  }
  if (text.starts_with("# what binds: ")) {
    DropLine(text);
  }
  return text;
}

}  // namespace headrace::tune
