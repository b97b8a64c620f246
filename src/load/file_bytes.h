// Files of inputs, read whole.
#ifndef HEADRACE_LOAD_FILE_BYTES_H_
#define HEADRACE_LOAD_FILE_BYTES_H_

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace headrace::load {

inline constexpr std::size_t kInputFileByteSizeMax = std::size_t{2} << 30;

enum class PathKind { kMissing, kFile, kDirectory, kOther };
PathKind KindOf(const std::string& path);

// NOT_FOUND (with the system's reason), INVALID_ARGUMENT for a directory, RESOURCE_EXHAUSTED.
Result<std::string> ReadFileBytes(const std::string& path,
                                  std::size_t byte_size_max = kInputFileByteSizeMax);

// Names of the regular files of a directory, sorted, without those that begin with a dot. At most
// 100,000.
Result<std::vector<std::string>> ListFiles(const std::string& directory);

// In lower case, without the dot: "json", "tar.gz" gives "gz"; "" = none.
std::string ExtensionOf(std::string_view path);
// Of the image formats that src/image reads.
bool IsImageExtension(std::string_view extension);
// "image/jpeg" for "jpg", ...; application/octet-stream for what is not known.
std::string_view ContentTypeOf(std::string_view extension);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_FILE_BYTES_H_
