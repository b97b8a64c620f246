// Puts files into a zip archive.
#ifndef HEADRACE_TUNE_ZIP_REWRITE_H_
#define HEADRACE_TUNE_ZIP_REWRITE_H_

#include <map>
#include <string>

#include "base/status.h"

namespace headrace::tune {

// The archive gets `files` (content by name), which are not packed, in place of those of the same
// names; every other entry stays as it is packed. `path` means a new file then: other names (hard
// links) of the old one keep it as it was, and a failure leaves it. The archive must be one that
// the server takes (repository/archive_zip_directory.h): INVALID_ARGUMENT for one that is damaged.
// UNAVAILABLE names the file that cannot be written. Blocks.
Status RewriteZip(const std::string& path, const std::map<std::string, std::string>& files);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_ZIP_REWRITE_H_
