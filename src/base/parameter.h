// A named value that travels with a request or a response beside its tensors.
#ifndef HEADRACE_BASE_PARAMETER_H_
#define HEADRACE_BASE_PARAMETER_H_

#include <cstdint>
#include <string>
#include <variant>

namespace headrace {

using ParameterValue = std::variant<std::string, std::int64_t, bool, double>;

struct Parameter {
  std::string name;
  ParameterValue value;
};

}  // namespace headrace

#endif  // HEADRACE_BASE_PARAMETER_H_
