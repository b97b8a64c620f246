// What a model is known by inside of the server: its name or, where repositories are namespaces
// (--model-namespacing), "<namespace>::<name>". Pure.
#ifndef HEADRACE_ENGINE_MODEL_KEY_H_
#define HEADRACE_ENGINE_MODEL_KEY_H_

#include <string>
#include <string_view>

namespace headrace::engine {

// No model's name contains it (repository/names.h).
inline constexpr std::string_view kNamespaceSeparator = "::";

// The name itself without a namespace.
inline std::string MakeModelKey(std::string_view name_space, std::string_view name) {
  std::string key(name_space);
  if (!name_space.empty()) {
    key += kNamespaceSeparator;
  }
  return key += name;
}

inline bool HasNamespace(std::string_view key) {
  return key.find(kNamespaceSeparator) != std::string_view::npos;
}

inline std::string_view NameOfKey(std::string_view key) {
  const std::size_t at = key.rfind(kNamespaceSeparator);
  return at == std::string_view::npos ? key : key.substr(at + kNamespaceSeparator.size());
}

// Empty without one.
inline std::string_view NamespaceOfKey(std::string_view key) {
  const std::size_t at = key.rfind(kNamespaceSeparator);
  return at == std::string_view::npos ? std::string_view() : key.substr(0, at);
}

// A namespace is a path: its last component, which may stand for it where it is the only such one.
inline std::string_view ShortNamespace(std::string_view name_space) {
  return name_space.substr(name_space.rfind('/') + 1);
}

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_MODEL_KEY_H_
