// The syntax of Java's properties files, which TorchServe is configured with (contracts, TorchServe
// 5.1). Pure.
#ifndef HEADRACE_SERVER_JAVA_PROPERTIES_H_
#define HEADRACE_SERVER_JAVA_PROPERTIES_H_

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "server/option_sources.h"

namespace headrace::server {

using Properties = std::map<std::string, std::string, std::less<>>;

inline constexpr std::size_t kPropertiesByteSizeMax = std::size_t{16} << 20;
inline constexpr std::size_t kPropertiesCountMax = 10'000;

// `key=value`, `key: value` or `key value` in each line; lines that begin with '#' or '!' are
// comments, one that ends in a backslash goes on in the next, \t \n \r \f \uXXXX mean what they do
// in Java and any other escaped character itself. The last of equal keys counts. INVALID_ARGUMENT
// names the line: a broken \u, a NUL, too many keys, or too much text.
Result<Properties> ParseProperties(std::string_view text);

// Replaces each `$$NAME$$` by the variable of that name; what a variable holds is not looked at
// again. INVALID_ARGUMENT for one that is not set.
Result<std::string> ExpandVariables(std::string_view value, const Environment& environment);

// Reads a whole file. NOT_FOUND, or INVALID_ARGUMENT for one that is no properties file; each names
// the file.
Result<Properties> ReadPropertiesFile(const std::string& path);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_JAVA_PROPERTIES_H_
