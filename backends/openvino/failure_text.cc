#include "openvino/failure_text.h"

namespace headrace::backend {
namespace {

// "Check 'condition' failed at src/file.cpp:12:" says as much as the line behind it.
bool IsPlaceInSource(std::string_view line) {
  return line.starts_with("Exception from ") ||
         (line.starts_with("Check '") && line.find(" failed at ") != std::string_view::npos);
}

std::string_view Trimmed(std::string_view line) {
  const std::size_t begin = line.find_first_not_of(" \t\r");
  return begin == std::string_view::npos
             ? std::string_view()
             : line.substr(begin, line.find_last_not_of(" \t\r") - begin + 1);
}

}  // namespace

std::string FailureText(std::string_view what) {
  std::string text;
  for (std::size_t begin = 0; begin < what.size();) {
    const std::size_t end = std::min(what.find('\n', begin), what.size());
    const std::string_view line = Trimmed(what.substr(begin, end - begin));
    begin = end + 1;
    if (!line.empty() && !IsPlaceInSource(line)) {
      text.append(text.empty() ? "" : " ").append(line);
    }
  }
  // Nothing but places: better than nothing.
  return text.empty() ? std::string(Trimmed(what.substr(0, what.find('\n')))) : text;
}

}  // namespace headrace::backend
