// application/x-www-form-urlencoded, and the percent encoding of paths.
#ifndef HEADRACE_PROTOCOL_URLENCODED_H_
#define HEADRACE_PROTOCOL_URLENCODED_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "protocol/form_part.h"

namespace headrace::protocol {

// `text` with %XX as bytes (RFC 3986, 2.1), and '+' as a blank where `plus_is_blank`.
// INVALID_ARGUMENT for a '%' without two hexadecimal digits.
Result<std::string> PercentDecode(std::string_view text, bool plus_is_blank);
// The same for a text that may hold a '%' of its own: one without two hexadecimal digits stays, and
// so does a '+'.
std::string PercentDecodeWherePossible(std::string_view text);

struct UrlencodedForm {
  std::string values;           // decoded, one behind the other
  std::vector<FormPart> parts;  // places in `values`
};

// A field without '=' is empty, and is left out at the end, as TorchServe does. INVALID_ARGUMENT
// for a wrong '%', and for more than kFormPartCountMax fields.
Result<UrlencodedForm> ParseUrlencoded(std::string_view body);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_URLENCODED_H_
