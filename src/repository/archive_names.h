// Which names the entries of an archive may have (D7 of the reliability defaults).
#ifndef HEADRACE_REPOSITORY_ARCHIVE_NAMES_H_
#define HEADRACE_REPOSITORY_ARCHIVE_NAMES_H_

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace headrace::repository {

// The parts of an entry's path. INVALID_ARGUMENT if it is empty or absolute, begins with a drive
// letter, has an empty, "." or ".." part, a control byte, a backslash, or bytes that are no UTF-8,
// or is too long or too deep. One '/' at the end is that of a directory and makes no part. The
// views point into `path`.
Result<std::vector<std::string_view>> SplitArchivePath(std::string_view path);

// Keeps apart names that some file systems take for one: those that differ in case only, and those
// whose accents are characters of their own. Not thread-safe.
class ArchiveNames {
 public:
  // INVALID_ARGUMENT if another entry has this path, or a path that could be taken for it, or one
  // of the two is a directory of the other and a file. A directory may come more than once.
  Status Add(const std::vector<std::string_view>& parts, bool directory);

 private:
  // Fingerprints in place of paths, so that an archive of long ones takes little memory.
  struct Known {
    std::uint64_t path;
    bool directory;
  };
  std::map<std::uint64_t, Known> known_;  // by the folded path
};

// "'<path>'" for messages.
std::string ShownEntry(std::string_view path);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_ARCHIVE_NAMES_H_
