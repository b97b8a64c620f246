// The comment that a tuned configuration file begins with. Pure.
#ifndef HEADRACE_TUNE_TUNE_COMMENT_H_
#define HEADRACE_TUNE_TUNE_COMMENT_H_

#include <string>
#include <string_view>

namespace headrace::tune {

// What the first line of every comment of a run begins with.
inline constexpr std::string_view kCommentMark = "headrace tune: ";

// Each line behind '#'.
std::string CommentLines(std::string_view comment);
// `text` without the comment of an earlier run on its top: WinnerComment or MultiComment.
std::string_view WithoutTunesComment(std::string_view text);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_TUNE_COMMENT_H_
