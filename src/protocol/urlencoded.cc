#include "protocol/urlencoded.h"

#include <algorithm>
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

Status AppendDecoded(std::string_view text, bool plus_is_blank, std::string& out) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '+' && plus_is_blank) {
      out.push_back(' ');
    } else if (c != '%') {
      out.push_back(c);
    } else {
      const int high = i + 1 < text.size() ? HexDigit(text[i + 1]) : -1;
      const int low = i + 2 < text.size() ? HexDigit(text[i + 2]) : -1;
      if (high < 0 || low < 0) {
        return InvalidArgument("'%' must be followed by two hexadecimal digits");
      }
      out.push_back(static_cast<char>(high << 4 | low));
      i += 2;
    }
  }
  return OkStatus();
}

}  // namespace

Result<std::string> PercentDecode(std::string_view text, bool plus_is_blank) {
  std::string decoded;
  decoded.reserve(text.size());
  HEADRACE_RETURN_IF_ERROR(AppendDecoded(text, plus_is_blank, decoded));
  return decoded;
}

Result<UrlencodedForm> ParseUrlencoded(std::string_view body) {
  UrlencodedForm form;
  form.values.reserve(body.size());
  while (!body.empty()) {
    const std::string_view field = body.substr(0, body.find('&'));
    body.remove_prefix(std::min(field.size() + 1, body.size()));
    const std::size_t equals = field.find('=');
    if (equals == std::string_view::npos) {
      continue;
    }
    if (form.parts.size() == kFormPartCountMax) {
      return InvalidArgument("more than {} fields", kFormPartCountMax);
    }
    FormPart part;
    HEADRACE_ASSIGN_OR_RETURN(part.name, PercentDecode(field.substr(0, equals), true));
    part.offset = form.values.size();
    HEADRACE_RETURN_IF_ERROR(AppendDecoded(field.substr(equals + 1), true, form.values));
    part.byte_size = form.values.size() - part.offset;
    form.parts.push_back(std::move(part));
  }
  return form;
}

}  // namespace headrace::protocol
