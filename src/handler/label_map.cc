#include "handler/label_map.h"

#include <simdjson.h>

#include "base/log.h"

namespace headrace::handler {
namespace {

namespace dom = simdjson::dom;

// A string, or a list whose last element is one.
bool ReadName(dom::element value, std::string_view& name) {
  dom::array list;
  if (value.get(list) == simdjson::SUCCESS) {
    for (const dom::element element : list) {
      value = element;
    }
  }
  return value.get(name) == simdjson::SUCCESS;
}

}  // namespace

Result<LabelMap> LabelMap::Parse(std::string_view json) {
  dom::parser parser;
  dom::object root;
  if (parser.parse(json.data(), json.size()).get(root) != simdjson::SUCCESS) {
    return InvalidArgument("it must be one JSON object whose keys are class numbers");
  }
  LabelMap map;
  dom::array list;
  if (root["object_type_names"].get(list) == simdjson::SUCCESS) {
    std::size_t index = 0;
    for (const dom::element element : list) {
      std::string_view name;
      if (element.get(name) != simdjson::SUCCESS) {
        return InvalidArgument("'object_type_names': the label of class {} must be a string",
                               index);
      }
      map.names_.insert_or_assign(std::to_string(index++), std::string(name));
    }
    return map;
  }
  for (const auto [index, value] : root) {
    std::string_view name;
    if (!ReadName(value, name)) {
      return InvalidArgument("the label of class '{}' must be a string or a list of strings",
                             EscapeForLog(index, 64));
    }
    map.names_.insert_or_assign(std::string(index), std::string(name));
  }
  return map;
}

std::string LabelMap::Name(std::int64_t index) const {
  std::string number = std::to_string(index);
  const auto found = names_.find(number);
  return found == names_.end() ? number : found->second;
}

}  // namespace headrace::handler
