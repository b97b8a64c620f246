// A model repository for one archive, made for a run.
#ifndef HEADRACE_TUNE_ARCHIVE_REPOSITORY_H_
#define HEADRACE_TUNE_ARCHIVE_REPOSITORY_H_

#include <memory>
#include <string>

#include "base/result.h"
#include "tune/temporary_folder.h"

namespace headrace::tune {

// FOLDER/<model>/1/<file>. The archive is copied.
Result<std::unique_ptr<TemporaryFolder>> MakeArchiveRepository(const std::string& archive,
                                                               const std::string& model);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_ARCHIVE_REPOSITORY_H_
