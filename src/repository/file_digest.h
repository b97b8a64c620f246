// SHA-256 of files.
#ifndef HEADRACE_REPOSITORY_FILE_DIGEST_H_
#define HEADRACE_REPOSITORY_FILE_DIGEST_H_

#include <string>

#include "base/result.h"
#include "repository/variant_manifest.h"

namespace headrace::repository {

// 64 hexadecimal digits. INVALID_ARGUMENT if it cannot be read, or is no regular file. Blocks;
// about a second for each gigabyte.
Result<std::string> FileSha256(const std::string& path);

// Whether each of `files` lies in `directory` as it was listed. INVALID_ARGUMENT names the first
// that does not; links may not lead out of `root`. Blocks.
Status CheckListedFiles(const std::string& root, const std::string& directory,
                        const std::vector<ListedFile>& files);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_FILE_DIGEST_H_
