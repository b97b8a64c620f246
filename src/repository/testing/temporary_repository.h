// A directory tree for one test, removed with it.
#ifndef HEADRACE_REPOSITORY_TESTING_TEMPORARY_REPOSITORY_H_
#define HEADRACE_REPOSITORY_TESTING_TEMPORARY_REPOSITORY_H_

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

namespace headrace::repository {

class TemporaryRepository {
 public:
  TemporaryRepository() {
    std::string name =
        (std::filesystem::temp_directory_path() / "headrace_repository_XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    root_ = std::filesystem::canonical(name);
  }
  ~TemporaryRepository() {
    std::error_code ignored;
    std::filesystem::remove_all(root_, ignored);
  }
  TemporaryRepository(const TemporaryRepository&) = delete;
  TemporaryRepository& operator=(const TemporaryRepository&) = delete;

  std::string path(std::string_view relative = "") const {
    return relative.empty() ? root_.string() : (root_ / relative).string();
  }
  void Directory(std::string_view relative) const {
    std::filesystem::create_directories(root_ / relative);
  }
  void File(std::string_view relative, std::string_view content) const {
    std::filesystem::create_directories((root_ / relative).parent_path());
    std::ofstream(root_ / relative, std::ios::binary) << content;
  }
  void Link(std::string_view relative, const std::string& target) const {
    std::filesystem::create_directories((root_ / relative).parent_path());
    std::filesystem::create_symlink(target, root_ / relative);
  }
  // <name>/config.pbtxt and an empty version directory.
  void Model(const std::string& name, std::string_view config,
             const std::string& version = "1") const {
    File(name + "/config.pbtxt", config);
    Directory(name + "/" + version);
  }

 private:
  std::filesystem::path root_;
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_TESTING_TEMPORARY_REPOSITORY_H_
