#include "protocol/multipart.h"

#include <string.h>

#include <algorithm>
#include <cstddef>
#include <utility>

#include "base/ascii.h"

namespace headrace::protocol {
namespace {

constexpr std::size_t kPartHeadByteSizeMax = std::size_t{16} << 10;
constexpr std::size_t kBoundaryByteSizeMax = 70;  // RFC 2046 5.1.1
constexpr std::string_view kFileType = "application/octet-stream";

std::size_t Find(std::string_view text, std::string_view what, std::size_t from) {
  const void* const found =
      memmem(text.data() + from, text.size() - from, what.data(), what.size());
  return found == nullptr ? std::string_view::npos
                          : static_cast<std::size_t>(static_cast<const char*>(found) - text.data());
}

// Takes `key=value` or `key="va\"lue"` from the front of `rest`, which begins behind a ';'. False
// at the end.
bool NextParameter(std::string_view& rest, std::string_view& key, std::string& value) {
  rest = TrimBlanks(rest);
  while (rest.starts_with(';')) {
    rest = TrimBlanks(rest.substr(1));
  }
  if (rest.empty()) {
    return false;
  }
  const std::size_t end = rest.find_first_of("=;");
  key = TrimBlanks(rest.substr(0, end));
  value.clear();
  if (end == std::string_view::npos || rest[end] == ';') {
    rest = end == std::string_view::npos ? std::string_view() : rest.substr(end);
    return true;
  }
  rest = TrimBlanks(rest.substr(end + 1));
  if (!rest.starts_with('"')) {
    const std::size_t stop = std::min(rest.find(';'), rest.size());
    value = TrimBlanks(rest.substr(0, stop));
    rest.remove_prefix(stop);
    return true;
  }
  rest.remove_prefix(1);
  while (!rest.empty() && rest.front() != '"') {
    // Browsers send backslashes of Windows paths as they are: only \" and \\ are escapes.
    if (rest.front() == '\\' && rest.size() > 1 && (rest[1] == '"' || rest[1] == '\\')) {
      rest.remove_prefix(1);
    }
    value.push_back(rest.front());
    rest.remove_prefix(1);
  }
  if (!rest.empty()) {
    rest.remove_prefix(1);
  }
  return true;
}

struct Disposition {
  std::optional<std::string> name;
  bool has_file_name = false;
};

Disposition ParseDisposition(std::string_view value) {
  Disposition disposition;
  std::string_view rest = value.substr(std::min(value.find(';'), value.size()));
  std::string_view key;
  std::string text;
  while (NextParameter(rest, key, text)) {
    if (EqualsIgnoringCase(key, "name")) {
      disposition.name = text;
    } else if (EqualsIgnoringCase(key, "filename") || EqualsIgnoringCase(key, "filename*")) {
      disposition.has_file_name = true;
    }
  }
  return disposition;
}

// The head of a part: lines up to an empty one.
Result<FormPart> ParseHead(std::string_view head) {
  FormPart part;
  Disposition disposition;
  std::string_view type;
  while (!head.empty()) {
    const std::size_t end = std::min(head.find("\r\n"), head.size());
    const std::string_view line = head.substr(0, end);
    head.remove_prefix(std::min(end + 2, head.size()));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) {
      return InvalidArgument("multipart body: a line in the head of a part has no colon");
    }
    const std::string_view name = TrimBlanks(line.substr(0, colon));
    if (EqualsIgnoringCase(name, "content-disposition")) {
      disposition = ParseDisposition(line.substr(colon + 1));
    } else if (EqualsIgnoringCase(name, "content-type")) {
      type = MediaType(line.substr(colon + 1));
    }
  }
  if (!disposition.name) {
    return InvalidArgument("multipart body: a part has no name");
  }
  part.name = *std::move(disposition.name);
  // A field is text for humans, whatever type it says; only files have one.
  if (disposition.has_file_name) {
    part.type = type.empty() ? kFileType : type;
  }
  return part;
}

}  // namespace

std::string_view MediaType(std::string_view value) {
  return TrimBlanks(value.substr(0, value.find(';')));
}

std::optional<std::string> MultipartBoundary(std::string_view content_type) {
  std::string_view rest =
      content_type.substr(std::min(content_type.find(';'), content_type.size()));
  std::string_view key;
  std::string value;
  while (NextParameter(rest, key, value)) {
    if (EqualsIgnoringCase(key, "boundary")) {
      const bool good = !value.empty() && value.size() <= kBoundaryByteSizeMax &&
                        std::all_of(value.begin(), value.end(),
                                    [](unsigned char c) { return c >= 0x20 && c < 0x7f; });
      return good ? std::optional(value) : std::nullopt;
    }
  }
  return std::nullopt;
}

Result<std::vector<FormPart>> ParseMultipart(std::string_view body, std::string_view boundary) {
  const std::string delimiter = "\r\n--" + std::string(boundary);
  const auto cut_short = [] {
    return InvalidArgument("multipart body: it ends before its last boundary");
  };
  // The first boundary may stand at the very beginning, without the line's end before it.
  std::size_t at = 0;
  if (body.starts_with(std::string_view(delimiter).substr(2))) {
    at = delimiter.size() - 2;
  } else if (const std::size_t found = Find(body, delimiter, 0); found != std::string_view::npos) {
    at = found + delimiter.size();
  } else {
    return cut_short();
  }
  std::vector<FormPart> parts;
  while (true) {
    // Behind a boundary: "--" ends the body, blanks and a line's end begin a part.
    if (body.substr(at).starts_with("--")) {
      return parts;
    }
    while (at < body.size() && (body[at] == ' ' || body[at] == '\t')) {
      ++at;
    }
    if (!body.substr(at).starts_with("\r\n")) {
      return at + 2 > body.size()
                 ? cut_short()
                 : InvalidArgument("multipart body: a boundary is not at the end of its line");
    }
    if (parts.size() == kFormPartCountMax) {
      return InvalidArgument("multipart body: more than {} parts", kFormPartCountMax);
    }
    // The line's end stays: a head without lines is "\r\n\r\n" then, too.
    const std::string_view window = body.substr(at, kPartHeadByteSizeMax);
    const std::size_t head_end = window.find("\r\n\r\n");
    if (head_end == std::string_view::npos) {
      return window.size() < kPartHeadByteSizeMax
                 ? cut_short()
                 : InvalidArgument("multipart body: the head of a part has more than {} bytes",
                                   kPartHeadByteSizeMax);
    }
    const std::string_view head =
        head_end == 0 ? std::string_view() : window.substr(2, head_end - 2);
    HEADRACE_ASSIGN_OR_RETURN(FormPart part, ParseHead(head));
    part.offset = at + head_end + 4;
    // An empty part's boundary shares the line's end of the head.
    const std::size_t end = Find(body, delimiter, part.offset - 2);
    if (end == std::string_view::npos) {
      return cut_short();
    }
    part.byte_size = end < part.offset ? 0 : end - part.offset;
    parts.push_back(std::move(part));
    at = end + delimiter.size();
  }
}

}  // namespace headrace::protocol
