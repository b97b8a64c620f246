#include "repository/archive_target.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/write_all.h"

namespace headrace::repository {
namespace {

Status WriteFailure(std::string_view path, int error) {
  return Internal("cannot unpack {}: {}", ShownEntry(path), std::strerror(error));
}

}  // namespace

Status ArchiveTarget::CountEntry() {
  if (++entry_count_ > limits_.entry_count_max) {
    return InvalidArgument("the archive has more than {} entries (--archive-entry-count-max)",
                           limits_.entry_count_max);
  }
  return OkStatus();
}

Status ArchiveTarget::CheckSizes(std::uint64_t entry, std::uint64_t all) const {
  if (entry > limits_.entry_byte_size_max) {
    return InvalidArgument("entry {} has more than {} bytes (--archive-entry-bytes-max)",
                           ShownEntry(file_path_), limits_.entry_byte_size_max);
  }
  if (all > limits_.byte_size_max) {
    return InvalidArgument("the archive unpacks to more than {} bytes (--archive-bytes-max)",
                           limits_.byte_size_max);
  }
  if (all > limits_.ratio_free_byte_size && all / limits_.ratio_max > archive_byte_size_) {
    return InvalidArgument("the archive unpacks to more than {} times its size", limits_.ratio_max);
  }
  return OkStatus();
}

Status ArchiveTarget::OpenParent(const std::vector<std::string_view>& parts) {
  std::string path;
  for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
    path.append(parts[i]).push_back('/');
  }
  if (parent_.valid() && path == parent_path_) {
    return OkStatus();
  }
  UniqueFd at(fcntl(directory_, F_DUPFD_CLOEXEC, 0));
  for (std::size_t i = 0; i + 1 < parts.size() && at.valid(); ++i) {
    const std::string name(parts[i]);
    if (mkdirat(at.get(), name.c_str(), 0700) != 0 && errno != EEXIST) {
      return WriteFailure(path, errno);
    }
    at = UniqueFd(openat(at.get(), name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  }
  if (!at.valid()) {
    return WriteFailure(path, errno);
  }
  parent_ = std::move(at);
  parent_path_ = std::move(path);
  return OkStatus();
}

Status ArchiveTarget::AddDirectory(std::string_view path) {
  HEADRACE_RETURN_IF_ERROR(CountEntry());
  HEADRACE_ASSIGN_OR_RETURN(auto parts, SplitArchivePath(path));
  HEADRACE_RETURN_IF_ERROR(names_.Add(parts, true));
  parts.emplace_back();  // the directory is the parent of nothing
  return OpenParent(parts);
}

Status ArchiveTarget::BeginFile(std::string_view path, std::uint64_t byte_size) {
  HEADRACE_RETURN_IF_ERROR(CountEntry());
  HEADRACE_ASSIGN_OR_RETURN(const auto parts, SplitArchivePath(path));
  HEADRACE_RETURN_IF_ERROR(names_.Add(parts, false));
  file_path_ = path;
  file_byte_size_ = 0;
  // What it claims is refused at once; what it does is counted.
  HEADRACE_RETURN_IF_ERROR(CheckSizes(byte_size, byte_size_));
  HEADRACE_RETURN_IF_ERROR(OpenParent(parts));
  const std::string name(parts.back());
  file_ = UniqueFd(openat(parent_.get(), name.c_str(),
                          O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  return file_.valid() ? OkStatus() : WriteFailure(path, errno);
}

Status ArchiveTarget::Write(std::string_view bytes) {
  file_byte_size_ += bytes.size();
  byte_size_ += bytes.size();
  HEADRACE_RETURN_IF_ERROR(CheckSizes(file_byte_size_, byte_size_));
  return WriteAll(file_.get(), bytes) ? OkStatus() : WriteFailure(file_path_, errno);
}

Status ArchiveTarget::EndFile() {
  file_ = UniqueFd();
  return OkStatus();
}

}  // namespace headrace::repository
