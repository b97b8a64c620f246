// The directory of a zip archive, as APPNOTE 6.3.10 of its makers describes it.
#ifndef HEADRACE_REPOSITORY_ARCHIVE_ZIP_DIRECTORY_H_
#define HEADRACE_REPOSITORY_ARCHIVE_ZIP_DIRECTORY_H_

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "repository/archive_file.h"
#include "repository/archive_limits.h"

namespace headrace::repository {

struct ZipEntry {
  std::string name;
  std::uint16_t flags = 0, method = 0;
  std::uint32_t crc = 0;
  std::uint64_t packed_byte_size = 0, byte_size = 0;
  std::uint64_t offset = 0;       // of its own header
  std::uint64_t data_offset = 0;  // of its data
};

// The entries, in the order of their data. All of them have been looked at: INVALID_ARGUMENT if one
// is encrypted, packed by another method than deflate, a link, a device or the like, or has
// set-user or set-group bits; if its own header says otherwise than the directory; if two overlap,
// or the directory is not where and what the end of the archive says (both ends, where it has two).
// At most entry_count_max entries are read.
Result<std::vector<ZipEntry>> ReadZipDirectory(const ArchiveFile& file,
                                               const ArchiveLimits& limits);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_ARCHIVE_ZIP_DIRECTORY_H_
