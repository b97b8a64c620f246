#include "repository/config_text.h"

#include <simdjson.h>

#include <algorithm>
#include <optional>
#include <string>

#include "repository/field_walk.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

// The parser's texts quote the input. Quotation marks stay as they are: whoever logs the text
// escapes them.
std::string Printable(std::string text) {
  constexpr std::size_t kByteSizeMax = 512;
  text.resize(std::min(text.size(), kByteSizeMax));
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c >= 0x7f; }, '?');
  return text;
}

// Keeps the first fault only: those behind it are mostly its consequences.
class FirstError final : public google::protobuf::io::ErrorCollector {
 public:
  void AddError(int line, google::protobuf::io::ColumnNumber column,
                const std::string& message) override {
    if (!error_) {
      // Both are counted from 0; a negative line stands for the text as a whole.
      error_ = fmt::format("{}:{}: {}", std::max(line, 0) + 1, std::max(column, 0) + 1,
                           Printable(message));
    }
  }
  void AddWarning(int, google::protobuf::io::ColumnNumber, const std::string&) override {}

  const std::optional<std::string>& error() const { return error_; }

 private:
  std::optional<std::string> error_;
};

// The line of the first byte that is not part of valid UTF-8, from 1.
std::size_t InvalidUtf8Line(std::string_view text) {
  std::size_t line = 1;
  while (!text.empty()) {
    const std::size_t size = std::min(text.find('\n'), text.size() - 1) + 1;
    if (!simdjson::validate_utf8(text.data(), size)) {
      break;
    }
    text.remove_prefix(size);
    ++line;
  }
  return line;
}

// Escapes such as "\377" can make a string that the text itself does not show.
Status CheckStrings(const inference::ModelConfig& config, std::string_view source) {
  Status status;
  WalkStrings(config, [&](const std::string& path, const std::string& value) {
    if (status.ok() && !simdjson::validate_utf8(value)) {
      status = InvalidArgument("{}: the value of '{}' is not valid UTF-8", source, path);
    }
  });
  return status;
}

}  // namespace

Result<inference::ModelConfig> ParseConfigText(std::string_view text, std::string_view source) {
  if (text.size() > kConfigByteSizeMax) {
    return InvalidArgument("{}: {} bytes are more than the {} that a configuration may have",
                           source, text.size(), kConfigByteSizeMax);
  }
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    return InvalidArgument("{}:{}:1: the line is not valid UTF-8", source, InvalidUtf8Line(text));
  }
  FirstError errors;
  google::protobuf::TextFormat::Parser parser;
  parser.RecordErrorsTo(&errors);
  parser.SetRecursionLimit(kConfigDepthMax);
  google::protobuf::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
  inference::ModelConfig config;
  if (!parser.Parse(&stream, &config)) {
    return InvalidArgument("{}:{}", source,
                           errors.error().value_or("1:1: not a model configuration"));
  }
  HEADRACE_RETURN_IF_ERROR(CheckStrings(config, source));
  return config;
}

}  // namespace headrace::repository
