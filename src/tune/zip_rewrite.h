// Writes a zip archive anew with some of its files replaced.
#ifndef HEADRACE_TUNE_ZIP_REWRITE_H_
#define HEADRACE_TUNE_ZIP_REWRITE_H_

#include <map>
#include <string>

#include "base/status.h"

namespace headrace::tune {

// `to` gets every entry of the zip `from` as it is packed there, but for those in `files` (content
// by name), which come last and are not packed. `from` must be one that the server takes
// (repository/archive_zip_directory.h). INVALID_ARGUMENT for one that is damaged, and for those of
// 4 GiB and more, whose form is another; UNAVAILABLE names the file that cannot be written. Blocks.
Status RewriteZip(const std::string& from, const std::string& to,
                  const std::map<std::string, std::string>& files);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_ZIP_REWRITE_H_
