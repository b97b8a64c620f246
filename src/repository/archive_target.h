// Where the entries of an archive are written to, under the limits of what it may unpack to.
#ifndef HEADRACE_REPOSITORY_ARCHIVE_TARGET_H_
#define HEADRACE_REPOSITORY_ARCHIVE_TARGET_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "base/unique_fd.h"
#include "repository/archive_limits.h"
#include "repository/archive_names.h"

namespace headrace::repository {

// Creates files and directories below one directory, which must be empty and nobody else's. Counts
// what is written and not what an archive claims. The first failure is final: INVALID_ARGUMENT for
// a name or an archive that goes beyond the limits, INTERNAL when the file system fails. Blocks on
// the file system; not thread-safe.
class ArchiveTarget {
 public:
  // `directory` is borrowed. `archive_byte_size` is that of the whole archive.
  ArchiveTarget(int directory, std::uint64_t archive_byte_size, const ArchiveLimits& limits)
      : directory_(directory), archive_byte_size_(archive_byte_size), limits_(limits) {}

  Status AddDirectory(std::string_view path);
  // A file; Write adds to it until EndFile. `byte_size` is what the archive says of it.
  Status BeginFile(std::string_view path, std::uint64_t byte_size);
  Status Write(std::string_view bytes);
  Status EndFile();

  // Counts an entry that becomes neither, for those that a format spends on something else.
  Status CountEntry();

 private:
  Status CheckSizes(std::uint64_t entry, std::uint64_t all) const;
  // The directory that holds the last of `parts`, made where it is missing.
  Status OpenParent(const std::vector<std::string_view>& parts);

  const int directory_;
  const std::uint64_t archive_byte_size_;
  const ArchiveLimits& limits_;
  ArchiveNames names_;
  std::size_t entry_count_ = 0;
  std::uint64_t byte_size_ = 0;
  std::string parent_path_;  // of parent_; its files come one after the other
  UniqueFd parent_;
  UniqueFd file_;
  std::string file_path_;
  std::uint64_t file_byte_size_ = 0;
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_ARCHIVE_TARGET_H_
