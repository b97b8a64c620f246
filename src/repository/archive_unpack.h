// Unpacks model archives: zip (.mar) and gzipped tar (.tgz, .tar.gz), told apart by their first
// bytes.
#ifndef HEADRACE_REPOSITORY_ARCHIVE_UNPACK_H_
#define HEADRACE_REPOSITORY_ARCHIVE_UNPACK_H_

#include <string>

#include "base/status.h"
#include "repository/archive_file.h"
#include "repository/archive_limits.h"
#include "repository/archive_target.h"

namespace headrace::repository {

// Writes what the archive holds below `directory`, which must exist, be empty and nobody else's. A
// tar's entries lie below one folder, whose name falls away. INVALID_ARGUMENT for an archive that
// is damaged, goes beyond the limits or holds anything but files and directories; INTERNAL when the
// file system fails. What was written until then stays. Blocks on the file system.
Status UnpackArchive(const std::string& path, const std::string& directory,
                     const ArchiveLimits& limits);

// The two formats.
Status UnpackZip(const ArchiveFile& file, const ArchiveLimits& limits, ArchiveTarget& target);
Status UnpackTar(const ArchiveFile& file, ArchiveTarget& target);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_ARCHIVE_UNPACK_H_
