#include "frontend/header_forwarder.h"

#include <algorithm>
#include <regex>
#include <string>

#include "base/ascii.h"
#include "protocol/utf8.h"

namespace headrace::frontend {
namespace {

constexpr std::string_view kMatchCase = "(?-i)";
// The library's matcher recurses over the text; longer names are never forwarded.
constexpr std::size_t kNameByteSizeMax = 256;
constexpr std::size_t kParameterCountMax = 256;

constexpr std::string_view kReserved[] = {"sequence_id",       "sequence_start", "sequence_end",
                                          "priority",          "timeout",        "headers",
                                          "binary_data_output"};

bool IsReserved(std::string_view name) {
  const std::string lower = LowerCase(name);
  return lower.starts_with("triton_") ||
         std::find(std::begin(kReserved), std::end(kReserved), lower) != std::end(kReserved);
}

}  // namespace

class HeaderForwarder::Matcher {
 public:
  explicit Matcher(std::regex expression) : expression_(std::move(expression)) {}

  bool Matches(std::string_view name) const {
    try {
      return name.size() <= kNameByteSizeMax &&
             std::regex_search(name.begin(), name.end(), expression_);
    } catch (const std::regex_error&) {
      return false;  // too complex for this name
    }
  }

 private:
  std::regex expression_;
};

Result<HeaderForwarder> HeaderForwarder::Create(std::string_view pattern) {
  HeaderForwarder forwarder;
  if (pattern.empty()) {
    return forwarder;
  }
  auto flags = std::regex::ECMAScript | std::regex::optimize;
  if (pattern.starts_with(kMatchCase)) {
    pattern.remove_prefix(kMatchCase.size());
  } else {
    flags |= std::regex::icase;
  }
  try {
    forwarder.matcher_ =
        std::make_shared<const Matcher>(std::regex(pattern.begin(), pattern.end(), flags));
  } catch (const std::regex_error& error) {
    return InvalidArgument("'{}' is no regular expression for header names: {}", pattern,
                           error.what());
  }
  return forwarder;
}

Status HeaderForwarder::Forward(std::string_view name, std::string_view value,
                                protocol::V2InferRequest& request) const {
  if (matcher_ == nullptr || !matcher_->Matches(name)) {
    return OkStatus();
  }
  if (IsReserved(name)) {
    return InvalidArgument("Header '{}' is reserved for Triton usage and cannot be forwarded.",
                           name);
  }
  if (protocol::FindInvalidUtf8(value) != value.size()) {
    return InvalidArgument("Header '{}' is not UTF-8 and cannot be forwarded.", name);
  }
  if (request.parameters.size() >= kParameterCountMax) {
    return InvalidArgument("parameters: more than {} with the forwarded headers",
                           kParameterCountMax);
  }
  request.parameters.push_back({std::string(name), std::string(value)});
  return OkStatus();
}

}  // namespace headrace::frontend
