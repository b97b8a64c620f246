// Reads files of a model repository without leaving it. Thread-safe; all functions block on the
// file system.
#ifndef HEADRACE_REPOSITORY_REPOSITORY_FILES_H_
#define HEADRACE_REPOSITORY_REPOSITORY_FILES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace::repository {

// The content of a regular file of at most `byte_size_max` bytes. NOT_FOUND when there is none;
// INVALID_ARGUMENT for anything else than a regular file and for one that is too large; nothing is
// read of a device or a pipe.
Result<std::string> ReadFile(const std::string& path, std::size_t byte_size_max);

// `directory`/`relative` for a name that a configuration gives: INVALID_ARGUMENT "'<relative>' ..."
// if it is empty or absolute, has a ".." part or a NUL byte, or if links lead it outside of `root`.
// The file need not exist.
Result<std::string> ResolveInside(const std::string& root, const std::string& directory,
                                  std::string_view relative);

// FNV-1a over whatever is added, in order.
class Fingerprint {
 public:
  void Add(std::string_view bytes) {
    for (const char byte : bytes) {
      Mix(static_cast<unsigned char>(byte));
    }
    Mix(0);
  }
  void Add(std::uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) {
      Mix(static_cast<unsigned char>(number >> shift));
    }
  }
  std::uint64_t value() const { return value_; }

 private:
  void Mix(unsigned char byte) { value_ = (value_ ^ byte) * 1099511628211ULL; }
  std::uint64_t value_ = 14695981039346656037ULL;
};

// What a walk over a model's directory found: fingerprints of names, sizes, modification times and
// inodes.
struct DirectorySummary {
  std::uint64_t fingerprint = 0;                 // of everything
  std::map<std::string, std::uint64_t> entries;  // of each entry, with all that lies below it
  std::map<std::string, std::uint64_t> files;    // of each file, by its path in the directory
};

// Walks `directory` (at most 32 levels and 100,000 entries; links to directories are looked at, not
// followed beyond `root`). INVALID_ARGUMENT if a link leads outside of `root` and `links_may_leave`
// is false, or dangles in a loop, or a limit is passed. `root` must be canonical.
Result<DirectorySummary> InspectDirectory(const std::string& root, const std::string& directory,
                                          bool links_may_leave);

// True if the canonical `path` is `root` or lies below it.
bool IsInside(std::string_view root, std::string_view path);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_REPOSITORY_FILES_H_
