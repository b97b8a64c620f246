// Reads an archive at any place of it.
#ifndef HEADRACE_REPOSITORY_ARCHIVE_FILE_H_
#define HEADRACE_REPOSITORY_ARCHIVE_FILE_H_

#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"
#include "base/unique_fd.h"

namespace headrace::repository {

// A regular file. One that is cut short while it is read fails the read. Thread-safe; blocks on the
// file system.
class ArchiveFile {
 public:
  static Result<ArchiveFile> Open(const std::string& path);

  std::uint64_t byte_size() const { return byte_size_; }
  // Fills all of `bytes` with those at `offset`. INVALID_ARGUMENT "the archive ends ..." where
  // there are fewer.
  Status Read(std::uint64_t offset, std::span<char> bytes) const;

 private:
  ArchiveFile(UniqueFd fd, std::uint64_t byte_size) : fd_(std::move(fd)), byte_size_(byte_size) {}

  UniqueFd fd_;
  std::uint64_t byte_size_;
};

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_ARCHIVE_FILE_H_
