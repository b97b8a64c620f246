// A directory for files of a run.
#ifndef HEADRACE_TUNE_TEMPORARY_FOLDER_H_
#define HEADRACE_TUNE_TEMPORARY_FOLDER_H_

#include <memory>
#include <string>
#include <utility>

#include "base/result.h"

namespace headrace::tune {

// Of mode 0700 below the directory for temporary files; goes with this object.
class TemporaryFolder {
 public:
  static Result<std::unique_ptr<TemporaryFolder>> Make();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  const std::string path_;
};

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_TEMPORARY_FOLDER_H_
