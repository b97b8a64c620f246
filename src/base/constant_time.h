// Comparison of secrets.
#ifndef HEADRACE_BASE_CONSTANT_TIME_H_
#define HEADRACE_BASE_CONSTANT_TIME_H_

#include <string_view>

namespace headrace {

// In a time that tells the length of `secret` at most: not how much of `given` was right.
bool EqualInConstantTime(std::string_view secret, std::string_view given);

}  // namespace headrace

#endif  // HEADRACE_BASE_CONSTANT_TIME_H_
