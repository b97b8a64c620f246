// Which names models and versions may have (D6 of the reliability defaults). Pure, thread-safe.
#ifndef HEADRACE_REPOSITORY_NAMES_H_
#define HEADRACE_REPOSITORY_NAMES_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/status.h"

namespace headrace::repository {

inline constexpr std::size_t kModelNameByteSizeMax = 128;

// OK for [A-Za-z0-9_][A-Za-z0-9_.-]{0,127} without "..". Otherwise INVALID_ARGUMENT that says which
// rule the name breaks and shows it escaped and cut. Such a name is never used in a path.
Status CheckModelName(std::string_view name);

// The same rule for names that become part of a library's path; `what` is "backend" or "runtime",
// `model` is whose configuration it is.
Status CheckLibraryName(std::string_view what, std::string_view name, std::string_view model);

// The number that a version directory's name stands for: 1..2^63-1 in decimal without leading zero.
// Nothing for any other name.
std::optional<std::int64_t> ParseVersionName(std::string_view name);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_NAMES_H_
