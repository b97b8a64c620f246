// Which number of the registry a version with a name has. Pure, thread-safe.
#ifndef HEADRACE_STORE_VERSION_NUMBER_H_
#define HEADRACE_STORE_VERSION_NUMBER_H_

#include <cstdint>
#include <set>
#include <string_view>

#include "base/status.h"

namespace headrace::store {

// Names that are whole numbers up to here, with ".0" or without, are their own number.
inline constexpr std::int64_t kOwnNumberMax = 1'000'000;

// INVALID_ARGUMENT unless it is 1 to 128 letters, digits, '_', '-', '+' and '.', without "..".
Status CheckVersionName(std::string_view name);

// N for "N" and "N.0", unless another version has it; else the first one above kOwnNumberMax that
// is not in `taken`.
std::int64_t NumberOfVersion(std::string_view name, const std::set<std::int64_t>& taken);

}  // namespace headrace::store

#endif  // HEADRACE_STORE_VERSION_NUMBER_H_
