#include "tune/model_config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "bench/json_value.h"
#include "repository/online_parameters.h"
#include "repository/thread_parameters.h"
#include "repository/variant_policy.h"
#include "tune/tune_comment.h"

namespace headrace::tune {
namespace {

using bench::JsonValue;

// The top-level fields of a text-format message: where each begins and ends, with comments and the
// separators behind it. Only as much of the syntax as that needs: names, ':', values, braces,
// brackets, strings, comments.
class TopLevelFields {
 public:
  struct Field {
    std::string name;
    std::size_t begin = 0, end = 0;
  };

  explicit TopLevelFields(std::string_view text) : text_(text) {}

  Result<std::vector<Field>> Read() {
    std::vector<Field> fields;
    for (;;) {
      SkipBlank();
      if (at_ == text_.size()) {
        return fields;
      }
      Field field{.name = {}, .begin = at_};
      while (at_ < text_.size() &&
             (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == '_')) {
        field.name += text_[at_++];
      }
      if (field.name.empty()) {
        return InvalidArgument("config.pbtxt, byte {}: a field's name is expected", at_);
      }
      HEADRACE_RETURN_IF_ERROR(SkipValue());
      field.end = at_;
      fields.push_back(std::move(field));
    }
  }

 private:
  void SkipBlank() {
    while (at_ < text_.size()) {
      if (text_[at_] == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
      } else if (std::isspace(static_cast<unsigned char>(text_[at_])) != 0 || text_[at_] == ',' ||
                 text_[at_] == ';') {
        ++at_;
      } else {
        return;
      }
    }
  }

  Status SkipString() {
    const char quote = text_[at_++];
    while (at_ < text_.size() && text_[at_] != quote) {
      at_ += text_[at_] == '\\' ? 2 : 1;
    }
    if (at_ >= text_.size()) {
      return InvalidArgument("config.pbtxt: a string does not end");
    }
    ++at_;
    return OkStatus();
  }

  // Behind the name: an optional ':', then a scalar, a message or a list.
  Status SkipValue() {
    SkipBlank();
    if (at_ < text_.size() && text_[at_] == ':') {
      ++at_;
      SkipBlank();
    }
    if (at_ < text_.size() && (text_[at_] == '{' || text_[at_] == '[' || text_[at_] == '<')) {
      return SkipNested();
    }
    const std::size_t begin = at_;
    while (at_ < text_.size() && (text_[at_] == '"' || text_[at_] == '\'')) {
      HEADRACE_RETURN_IF_ERROR(SkipString());  // neighbours are one string
      const std::size_t behind = at_;
      SkipBlank();
      if (at_ == text_.size() || (text_[at_] != '"' && text_[at_] != '\'')) {
        at_ = behind;
        return OkStatus();
      }
    }
    while (at_ < text_.size() &&
           (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 ||
            std::string_view("_+-.").find(text_[at_]) != std::string_view::npos)) {
      ++at_;
    }
    return at_ > begin ? OkStatus()
                       : InvalidArgument("config.pbtxt, byte {}: a value is expected", at_);
  }

  Status SkipNested() {
    int depth = 0;
    while (at_ < text_.size()) {
      const char c = text_[at_];
      if (c == '"' || c == '\'') {
        HEADRACE_RETURN_IF_ERROR(SkipString());
        continue;
      }
      if (c == '#') {
        at_ = std::min(text_.find('\n', at_), text_.size());
        continue;
      }
      depth += c == '{' || c == '[' || c == '<' ? 1 : 0;
      depth -= c == '}' || c == ']' || c == '>' ? 1 : 0;
      ++at_;
      if (depth == 0) {
        return OkStatus();
      }
    }
    return InvalidArgument("config.pbtxt: a brace is not closed");
  }

  const std::string_view text_;
  std::size_t at_ = 0;
};

std::string Quoted(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      quoted += '\\';
    }
    quoted += c;
  }
  return quoted + "\"";
}

// Every parameter that says how many threads an instance has: what was there must not contradict.
bool SaysThreads(std::string_view field) {
  for (const char* name : repository::kThreadParameters) {
    if (field.find(fmt::format("\"{}\"", name)) != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

// One parameter of the online mode, whose bounds were those of another configuration.
bool IsOnline(std::string_view field) {
  constexpr auto& names = repository::kOnlineParameters;
  const std::size_t value = field.find("string_value");
  return value != std::string_view::npos && value == field.rfind("string_value") &&
         std::any_of(names.begin(), names.end(), [&](const char* name) {
           return field.find(fmt::format("\"{}\"", name)) < value;
         });
}

std::string ThreadsText(const Configuration& configuration, const Variant& variant) {
  return repository::ThreadValue(variant.thread_parameter, configuration.shape.threads,
                                 configuration.shape.instances);
}

std::string InstanceGroup(const Configuration& configuration, const Variant& variant) {
  return fmt::format("instance_group [ {{ count: {}{} }} ]\n", configuration.shape.instances,
                     variant.on_gpu ? " kind: KIND_GPU" : "");
}

std::string TunedFields(const Configuration& configuration, const Variant& variant,
                        bool model_batches) {
  std::string text;
  if (model_batches) {
    text += fmt::format("max_batch_size: {}\n", configuration.batch_max);
    if (configuration.batch_max > 1) {
      text += fmt::format("dynamic_batching {{ max_queue_delay_microseconds: {} }}\n",
                          configuration.delay / kMicrosecond);
    }
  }
  text += InstanceGroup(configuration, variant);
  if (configuration.shape.threads > 0 && !variant.thread_parameter.empty()) {
    text += fmt::format("parameters {{ key: {} value {{ string_value: \"{}\" }} }}\n",
                        Quoted(variant.thread_parameter), ThreadsText(configuration, variant));
  }
  if (!variant.choice.empty()) {
    text += fmt::format("parameters {{ key: \"{}\" value {{ string_value: {} }} }}\n",
                        repository::kVariantsParameter, Quoted(variant.choice));
  }
  return text;
}

}  // namespace

bench::ConfigChange ChangeFor(const Configuration& configuration, const Variant& variant,
                              bool model_batches) {
  bench::ConfigChange change;
  if (model_batches) {
    change.max_batch_size = configuration.batch_max;
    change.dynamic_batching = configuration.batch_max > 1;
    if (configuration.batch_max > 1) {
      change.queue_delay_us = static_cast<std::uint64_t>(configuration.delay / kMicrosecond);
      change.preferred_batch_sizes = std::vector<std::int64_t>();
    }
  }
  change.instance_count = configuration.shape.instances;
  if (variant.on_gpu) {
    change.device = "gpu";
  }
  JsonValue patch = JsonValue::Object();
  if (!variant.config_patch.empty()) {
    if (auto own = JsonValue::Parse(variant.config_patch); own.ok()) {
      patch = *std::move(own);
    }
  }
  if (configuration.shape.threads > 0 && !variant.thread_parameter.empty()) {
    JsonValue& parameters = patch["parameters"];
    for (const char* name : repository::kThreadParameters) {
      parameters[name] = JsonValue();  // goes
    }
    JsonValue value = JsonValue::Object();
    value["string_value"] = ThreadsText(configuration, variant);
    parameters[variant.thread_parameter] = std::move(value);
  }
  if (!variant.choice.empty()) {
    JsonValue value = JsonValue::Object();
    value["string_value"] = variant.choice;
    patch["parameters"][repository::kVariantsParameter] = std::move(value);
  }
  if (!patch.members().empty()) {
    change.merge_patch = patch.Text();
  }
  return change;
}

Result<std::string> ConfigJsonFor(std::string_view base_json, const Configuration& configuration,
                                  const Variant& variant, bool model_batches) {
  HEADRACE_ASSIGN_OR_RETURN(JsonValue base, JsonValue::Parse(base_json));
  // A server that varies by itself what is measured would spoil it, and old bounds may be wrong.
  for (const char* const name : repository::kOnlineParameters) {
    if (base.At("parameters").Find(name) != nullptr) {
      base["parameters"].Erase(name);
    }
  }
  return bench::ChangedConfig(base.Text(), ChangeFor(configuration, variant, model_batches));
}

Result<std::string> TunedConfigText(std::string_view text, std::string_view model,
                                    const Configuration& configuration, const Variant& variant,
                                    bool model_batches, std::string_view comment) {
  text = WithoutTunesComment(text);
  HEADRACE_ASSIGN_OR_RETURN(const auto fields, TopLevelFields(text).Read());
  std::string result = CommentLines(comment);
  if (text.empty()) {
    result += fmt::format("name: {}\n", Quoted(model));
  }
  std::size_t from = 0;
  for (const auto& field : fields) {
    const std::string_view whole = text.substr(field.begin, field.end - field.begin);
    const bool replaced =
        (model_batches && (field.name == "max_batch_size" || field.name == "dynamic_batching")) ||
        field.name == "instance_group" || (field.name == "parameters" && IsOnline(whole)) ||
        (field.name == "parameters" && configuration.shape.threads > 0 && SaysThreads(whole)) ||
        (field.name == "parameters" && !variant.choice.empty() &&
         whole.find(fmt::format("\"{}\"", repository::kVariantsParameter)) !=
             std::string_view::npos);
    if (!replaced) {
      continue;
    }
    result += text.substr(from, field.begin - from);
    from = field.end;
    // The rest of a line that is gone.
    while (from < text.size() && (text[from] == ' ' || text[from] == ',' || text[from] == ';')) {
      ++from;
    }
    if (from < text.size() && text[from] == '\n' && (result.empty() || result.back() == '\n')) {
      ++from;
    }
  }
  result += text.substr(from);
  if (!result.empty() && result.back() != '\n') {
    result += '\n';
  }
  return result + TunedFields(configuration, variant, model_batches);
}

}  // namespace headrace::tune
