// A file that appears under its name when it is whole, or never.
#ifndef HEADRACE_STORE_NEW_FILE_H_
#define HEADRACE_STORE_NEW_FILE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace headrace::store {

// Written under a name of its own (".<name>.<number>.part", mode 0600) in the folder where it is to
// lie. What is not published is removed by destruction. Not thread-safe; blocks.
class NewFile {
 public:
  // Writes nothing yet. ALREADY_EXISTS if there is a file at `path`.
  static Result<NewFile> Make(std::string path);
  NewFile(NewFile&& other) noexcept;
  NewFile& operator=(NewFile&&) = delete;
  ~NewFile();

  // RESOURCE_EXHAUSTED if the disk is full, INTERNAL otherwise.
  Status Append(const char* data, std::size_t byte_size);
  std::uint64_t byte_size() const { return byte_size_; }
  // Gives it its name, which nothing else may have by now: ALREADY_EXISTS.
  Status Publish();

 private:
  explicit NewFile(std::string path);
  Status Open();

  std::string path_;
  std::string temporary_;  // empty: there is none
  UniqueFd fd_;
  std::uint64_t byte_size_ = 0;
};

}  // namespace headrace::store

#endif  // HEADRACE_STORE_NEW_FILE_H_
