// A folder of a test's own, gone with it.
#ifndef HEADRACE_LOAD_TESTING_SCRATCH_FOLDER_H_
#define HEADRACE_LOAD_TESTING_SCRATCH_FOLDER_H_

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>

#include "base/check.h"

namespace headrace::load::testing {

class ScratchFolder {
 public:
  ScratchFolder() {
    std::string path = (std::filesystem::temp_directory_path() / "headrace-load-XXXXXX").string();
    HEADRACE_CHECK(mkdtemp(path.data()) != nullptr);
    path_ = path;
  }
  ~ScratchFolder() { std::filesystem::remove_all(path_); }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;

  std::string path(const std::string& name = "") const {
    return name.empty() ? path_ : path_ + "/" + name;
  }
  // Writes a file (and the folders above it) and returns its path.
  std::string Write(const std::string& name, std::string_view bytes) const {
    const std::filesystem::path file = path(name);
    std::filesystem::create_directories(file.parent_path());
    std::ofstream(file, std::ios::binary) << bytes;
    return file.string();
  }

 private:
  std::string path_;
};

}  // namespace headrace::load::testing

#endif  // HEADRACE_LOAD_TESTING_SCRATCH_FOLDER_H_
