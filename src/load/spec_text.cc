// The values of flags that describe what is sent.
#include <utility>

#include "base/checked_math.h"
#include "load/file_bytes.h"
#include "load/json_document.h"
#include "load/workload_spec.h"
#include "protocol/json_writer.h"

namespace headrace::load {
namespace {

constexpr std::size_t kRankMax = 16;

std::string Quoted(std::string_view text) {
  std::string out;
  protocol::JsonWriter(out).String(text);
  return out;
}

bool IsJsonScalar(std::string_view text) {
  const auto document = JsonDocument::Parse(text, "value");
  return document.ok() && !document->root().is_array() && !document->root().is_object() &&
         !document->root().is_null();
}

}  // namespace

void AddInputData(std::string_view text, ItemSpec& item) {
  const std::size_t equals = text.find('=');
  // A path may hold '=' too: what exists is a path.
  if (equals == std::string_view::npos || equals == 0 ||
      KindOf(std::string(text)) != PathKind::kMissing) {
    item.data.emplace_back(text);
    return;
  }
  item.input_data[std::string(text.substr(0, equals))] = text.substr(equals + 1);
}

Status AddShape(std::string_view text, ItemSpec& item) {
  const std::size_t colon = text.rfind(':');
  std::vector<std::int64_t> dims;
  std::string_view rest = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  bool good = colon != std::string_view::npos && colon > 0 && !rest.empty();
  while (good && !rest.empty()) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const auto dim = ParseDecimal<std::int64_t>(rest.substr(0, comma));
    good = dim && *dim >= 0 && dims.size() < kRankMax && comma + 1 != rest.size();
    dims.push_back(dim.value_or(0));
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  if (!good) {
    return InvalidArgument(
        "--shape {}: write NAME:D,D,... with whole numbers, at most {}, as INPUT0:3,224,224", text,
        kRankMax);
  }
  item.shapes[std::string(text.substr(0, colon))] = std::move(dims);
  return OkStatus();
}

Status AddParameter(std::string_view text, ItemSpec& item) {
  if (const std::size_t equals = text.find('='); equals != std::string_view::npos && equals > 0) {
    const std::string_view value = text.substr(equals + 1);
    item.parameters.emplace_back(text.substr(0, equals),
                                 IsJsonScalar(value) ? std::string(value) : Quoted(value));
    return OkStatus();
  }
  const std::size_t first = text.find(':'), last = text.rfind(':');
  if (first == std::string_view::npos || first == last || first == 0) {
    return InvalidArgument(
        "--request-parameter {}: write NAME:VALUE:TYPE (int, uint, bool, double, string) or "
        "NAME=VALUE",
        text);
  }
  const std::string_view value = text.substr(first + 1, last - first - 1);
  const std::string_view type = text.substr(last + 1);
  const bool number = (type == "int" && ParseDecimal<std::int64_t>(value)) ||
                      (type == "uint" && ParseDecimal<std::uint64_t>(value)) ||
                      (type == "double" && IsJsonScalar(value) && value.front() != '"');
  const bool good =
      number || type == "string" || (type == "bool" && (value == "true" || value == "false"));
  if (!good) {
    return InvalidArgument(
        "--request-parameter {}: '{}' is no {}; the types are int, uint, bool, double and string",
        text, value, type);
  }
  item.parameters.emplace_back(text.substr(0, first),
                               type == "string" ? Quoted(value) : std::string(value));
  return OkStatus();
}

Result<PixelScaling> ParsePixelScaling(std::string_view text) {
  if (text == "unit") {
    return PixelScaling::kUnit;
  }
  if (text == "none") {
    return PixelScaling::kNone;
  }
  if (text == "inception") {
    return PixelScaling::kInception;
  }
  if (text == "imagenet") {
    return PixelScaling::kImageNet;
  }
  return InvalidArgument("'{}' is no scaling of pixels; there are unit, none, inception, imagenet",
                         text);
}

}  // namespace headrace::load
