#include "protocol/urlencoded.h"

#include <algorithm>
#include <optional>
#include <utility>

namespace headrace::protocol {
namespace {

int HexDigit(char c) {
  if (c >= '0' && c <= '9') {
    return c - '0';
  }
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// The byte that the triplet in front of `text`, which begins with a '%', stands for.
std::optional<char> Triplet(std::string_view text) {
  const int high = text.size() > 1 ? HexDigit(text[1]) : -1;
  const int low = text.size() > 2 ? HexDigit(text[2]) : -1;
  if (high < 0 || low < 0) {
    return std::nullopt;
  }
  return static_cast<char>(high << 4 | low);
}

// Whether every '%' begins a triplet; one that does not is taken as it is.
bool AppendDecoded(std::string_view text, bool plus_is_blank, std::string& out) {
  bool whole = true;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '+' && plus_is_blank) {
      out.push_back(' ');
    } else if (c != '%') {
      out.push_back(c);
    } else if (const std::optional<char> byte = Triplet(text.substr(i))) {
      out.push_back(*byte);
      i += 2;
    } else {
      out.push_back(c);
      whole = false;
    }
  }
  return whole;
}

Status Broken() { return InvalidArgument("'%' must be followed by two hexadecimal digits"); }

}  // namespace

Result<std::string> PercentDecode(std::string_view text, bool plus_is_blank) {
  std::string decoded;
  decoded.reserve(text.size());
  if (!AppendDecoded(text, plus_is_blank, decoded)) {
    return Broken();
  }
  return decoded;
}

std::string PercentDecodeWherePossible(std::string_view text) {
  std::string decoded;
  decoded.reserve(text.size());
  (void)AppendDecoded(text, false, decoded);
  return decoded;
}

Result<UrlencodedForm> ParseUrlencoded(std::string_view body) {
  UrlencodedForm form;
  form.values.reserve(body.size());
  while (!body.empty()) {
    const std::string_view field = body.substr(0, body.find('&'));
    const bool is_last = field.size() == body.size();
    body.remove_prefix(std::min(field.size() + 1, body.size()));
    const std::size_t equals = std::min(field.find('='), field.size());
    if (field.empty() || (equals == field.size() && is_last)) {
      continue;
    }
    if (form.parts.size() == kFormPartCountMax) {
      return InvalidArgument("more than {} fields", kFormPartCountMax);
    }
    FormPart part;
    HEADRACE_ASSIGN_OR_RETURN(part.name, PercentDecode(field.substr(0, equals), true));
    part.offset = form.values.size();
    if (!AppendDecoded(field.substr(std::min(equals + 1, field.size())), true, form.values)) {
      return Broken();
    }
    part.byte_size = form.values.size() - part.offset;
    form.parts.push_back(std::move(part));
  }
  return form;
}

}  // namespace headrace::protocol
