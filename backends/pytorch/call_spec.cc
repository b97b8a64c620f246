#include "pytorch/call_spec.h"

#include <nlohmann/json.hpp>

namespace headrace::backend {
namespace {

using Json = nlohmann::json;

constexpr int kDepthMax = 64;
constexpr std::size_t kLeavesMax = 65536;

// The children's keys: those of a dictionary, which the context holds as JSON text, or numbers.
std::vector<std::string> KeysOf(const Json& node, std::size_t count) {
  std::vector<std::string> keys;
  if (const auto context = node.find("context"); context != node.end() && context->is_string()) {
    const Json names = Json::parse(context->get_ref<const std::string&>(), nullptr, false);
    if (names.is_array() && names.size() == count) {
      for (const Json& name : names) {
        keys.push_back(name.is_string() ? name.get<std::string>() : name.dump());
      }
      return keys;
    }
  }
  for (std::size_t i = 0; i < count; ++i) {
    keys.push_back(std::to_string(i));
  }
  return keys;
}

Error Walk(const Json& node, const std::string& path, int depth, std::vector<std::string>* paths) {
  if (!node.is_object() || depth > kDepthMax || paths->size() > kLeavesMax) {
    return InvalidArgument(
        "the package's call specification is not a tree of tuples, lists and "
        "dictionaries");
  }
  const auto type = node.find("type");
  if (type == node.end() || type->is_null()) {
    paths->push_back(path);
    return {};
  }
  const auto children = node.find("children_spec");
  if (children == node.end() || !children->is_array()) {
    return InvalidArgument("the package's call specification has a node without children");
  }
  const std::vector<std::string> keys = KeysOf(node, children->size());
  for (std::size_t i = 0; i < keys.size(); ++i) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(
        Walk((*children)[i], fmt::format("{}[{}]", path, keys[i]), depth + 1, paths));
  }
  return {};
}

// [version, tree]
Error ParseTree(std::string_view spec, Json* tree) {
  Json root = Json::parse(spec, nullptr, /*allow_exceptions=*/false);
  if (!root.is_array() || root.size() != 2 || !root[1].is_object()) {
    return InvalidArgument("the package's call specification does not read: '{}'",
                           spec.substr(0, 200));
  }
  *tree = std::move(root[1]);
  return {};
}

}  // namespace

Error InputPaths(std::string_view spec, std::vector<std::string>* paths) {
  Json tree;
  HEADRACE_BACKEND_RETURN_IF_ERROR(ParseTree(spec, &tree));
  const auto sides = tree.find("children_spec");
  if (sides == tree.end() || !sides->is_array() || sides->size() != 2) {
    return InvalidArgument("the package's call specification is not of (args, kwargs)");
  }
  paths->clear();
  HEADRACE_BACKEND_RETURN_IF_ERROR(Walk((*sides)[0], "ARGS", 0, paths));
  return Walk((*sides)[1], "KWARGS", 0, paths);
}

Error OutputPaths(std::string_view spec, std::vector<std::string>* paths) {
  Json tree;
  HEADRACE_BACKEND_RETURN_IF_ERROR(ParseTree(spec, &tree));
  paths->clear();
  const auto type = tree.find("type");
  const bool single = type == tree.end() || type->is_null();
  return Walk(tree, single ? "RESULT[0]" : "RESULT", 0, paths);
}

}  // namespace headrace::backend
