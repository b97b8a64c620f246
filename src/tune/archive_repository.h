// A model repository for one archive, made for a run.
#ifndef HEADRACE_TUNE_ARCHIVE_REPOSITORY_H_
#define HEADRACE_TUNE_ARCHIVE_REPOSITORY_H_

#include <memory>
#include <string>

#include "base/result.h"

namespace headrace::tune {

// A directory of mode 0700 below the directory for temporary files, which goes with this object.
class ArchiveRepository {
 public:
  // DIR/<model>/1/<file>. The archive is copied.
  static Result<std::unique_ptr<ArchiveRepository>> Make(const std::string& archive,
                                                         const std::string& model);
  ~ArchiveRepository();
  ArchiveRepository(const ArchiveRepository&) = delete;
  ArchiveRepository& operator=(const ArchiveRepository&) = delete;

  const std::string& path() const { return path_; }

 private:
  explicit ArchiveRepository(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_ARCHIVE_REPOSITORY_H_
