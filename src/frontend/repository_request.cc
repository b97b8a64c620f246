#include "frontend/repository_request.h"

#include <simdjson.h>

#include <algorithm>
#include <set>
#include <string>

#include "frontend/base64.h"
#include "tensor/block_pool.h"

namespace headrace::frontend {
namespace {

namespace dom = simdjson::dom;

constexpr std::size_t kDepthMax = 64;
constexpr std::size_t kNameByteSizeMax = 128;
constexpr std::string_view kFilePrefix = "file:";

// A parsed body. The parser owns what `root` points into.
class JsonBody {
 public:
  // The DOM parser works in a loop with a counted depth: outside data cannot grow the stack.
  Status Parse(const Buffer& body) {
    if (const auto error = parser_.allocate(std::max<std::size_t>(body.size(), 64), kDepthMax)) {
      return InvalidArgument("failed to parse the request JSON buffer: {}",
                             simdjson::error_message(error));
    }
    // A copy is made only if the parser wants more padding than the block has.
    static_assert(simdjson::SIMDJSON_PADDING <= BlockPool::kPadding);
    const auto error = parser_
                           .parse(reinterpret_cast<const std::uint8_t*>(body.data()), body.size(),
                                  /*realloc_if_needed=*/false)
                           .get(root_);
    if (error) {
      return InvalidArgument("failed to parse the request JSON buffer: {}",
                             simdjson::error_message(error));
    }
    if (!root_.is_object()) {
      return InvalidArgument("the request JSON must be an object");
    }
    return CheckKeys(dom::object(root_));
  }

  dom::object root() const { return dom::object(root_); }

  static Status CheckKeys(const dom::object& object) {
    std::set<std::string_view> keys;
    for (const dom::key_value_pair member : object) {
      if (!keys.insert(member.key).second) {
        return InvalidArgument("the key '{}' is repeated in the request JSON",
                               member.key.substr(0, kNameByteSizeMax));
      }
    }
    return OkStatus();
  }

 private:
  dom::parser parser_;
  dom::element root_;
};

// The object `parameters`, or an empty optional when there is none.
Result<std::optional<dom::object>> Parameters(const JsonBody& json) {
  dom::element element;
  if (json.root().at_key("parameters").get(element)) {
    return std::optional<dom::object>();
  }
  dom::object parameters;
  if (element.get(parameters)) {
    return InvalidArgument("'parameters' must be an object");
  }
  HEADRACE_RETURN_IF_ERROR(JsonBody::CheckKeys(parameters));
  return std::optional<dom::object>(parameters);
}

Result<std::string_view> StringOf(const dom::key_value_pair& member) {
  std::string_view text;
  if (member.value.get(text)) {
    return InvalidArgument("the parameter '{}' must be a string",
                           member.key.substr(0, kNameByteSizeMax));
  }
  return text;
}

Status AddLoadParameter(const dom::key_value_pair& member, repository::LoadOverride& load) {
  const std::string_view key = member.key;
  if (key == "config") {
    HEADRACE_ASSIGN_OR_RETURN(const std::string_view config, StringOf(member));
    load.config_json = config;
    return OkStatus();
  }
  if (key.substr(0, kFilePrefix.size()) == kFilePrefix) {
    HEADRACE_ASSIGN_OR_RETURN(const std::string_view text, StringOf(member));
    std::optional<std::string> content = DecodeBase64(text);
    if (!content) {
      return InvalidArgument("the parameter '{}' is not base64", key.substr(0, kNameByteSizeMax));
    }
    load.files[std::string(key.substr(kFilePrefix.size()))] = *std::move(content);
    return OkStatus();
  }
  return InvalidArgument("unexpected parameter '{}' in the load request",
                         key.substr(0, kNameByteSizeMax));
}

}  // namespace

Result<bool> ParseIndexRequest(const Buffer& body) {
  if (body.empty()) {
    return false;
  }
  JsonBody json;
  HEADRACE_RETURN_IF_ERROR(json.Parse(body));
  dom::element element;
  if (json.root().at_key("ready").get(element)) {
    return false;
  }
  bool ready = false;
  if (element.get(ready)) {
    return InvalidArgument("'ready' must be a boolean");
  }
  return ready;
}

Result<repository::LoadOverride> ParseLoadRequest(const Buffer& body) {
  repository::LoadOverride load;
  if (body.empty()) {
    return load;
  }
  JsonBody json;
  HEADRACE_RETURN_IF_ERROR(json.Parse(body));
  HEADRACE_ASSIGN_OR_RETURN(const auto parameters, Parameters(json));
  if (parameters) {
    for (const dom::key_value_pair member : *parameters) {
      HEADRACE_RETURN_IF_ERROR(AddLoadParameter(member, load));
    }
  }
  if (!load.files.empty() && load.config_json.empty()) {
    return InvalidArgument("'file:' parameters need a 'config' parameter beside them");
  }
  return load;
}

Result<bool> ParseUnloadRequest(const Buffer& body) {
  bool unload_dependents = false;
  if (body.empty()) {
    return unload_dependents;
  }
  JsonBody json;
  HEADRACE_RETURN_IF_ERROR(json.Parse(body));
  HEADRACE_ASSIGN_OR_RETURN(const auto parameters, Parameters(json));
  if (parameters) {
    for (const dom::key_value_pair member : *parameters) {
      if (member.key == "unload_dependents" && member.value.get(unload_dependents)) {
        return InvalidArgument("'unload_dependents' must be a boolean");
      }
    }
  }
  return unload_dependents;
}

Status CheckModelName(std::string_view name) {
  const auto is_word = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  const bool valid = !name.empty() && name.size() <= kNameByteSizeMax && is_word(name.front()) &&
                     name.find("..") == std::string_view::npos &&
                     std::all_of(name.begin(), name.end(),
                                 [&](char c) { return is_word(c) || c == '.' || c == '-'; });
  return valid ? OkStatus()
               : InvalidArgument("invalid model name '{}'", name.substr(0, kNameByteSizeMax));
}

}  // namespace headrace::frontend
