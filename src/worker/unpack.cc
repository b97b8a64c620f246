#include "worker/unpack.h"

#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <memory>

#include "base/log.h"

namespace headrace::worker {
namespace {

constexpr std::size_t kReadByteSize = 256 * 1024;

using Reader = std::unique_ptr<archive, int (*)(archive*)>;
using Writer = std::unique_ptr<archive, int (*)(archive*)>;

std::string ErrorOf(archive* handle) {
  const char* text = archive_error_string(handle);
  return text != nullptr ? EscapeForLog(text, 256) : "unknown error";
}

class Unpacking {
 public:
  Unpacking(const std::string& name, std::string folder, UnpackLimits limits)
      : name_(name),
        folder_(std::move(folder)),
        limits_(limits),
        reader_(archive_read_new(), &archive_read_free),
        writer_(archive_write_disk_new(), &archive_write_free) {}

  Status Run() {
    HEADRACE_RETURN_IF_ERROR(Open());
    for (std::uint64_t count = 0;; ++count) {
      archive_entry* entry = nullptr;
      const int result = archive_read_next_header(reader_.get(), &entry);
      if (result == ARCHIVE_EOF) {
        return archive_write_close(writer_.get()) == ARCHIVE_OK ? OkStatus() : WriteFailure("");
      }
      if (result < ARCHIVE_WARN) {
        return InvalidArgument("archive '{}' cannot be read: {}", name_, ErrorOf(reader_.get()));
      }
      if (count >= limits_.entry_count_max) {
        return InvalidArgument("archive '{}' has more than {} entries", name_,
                               limits_.entry_count_max);
      }
      HEADRACE_RETURN_IF_ERROR(UnpackEntry(entry));
    }
  }

 private:
  Status Open() {
    if (reader_ == nullptr || writer_ == nullptr) {
      return Unavailable("no memory to unpack archive '{}'", name_);
    }
    archive_read_support_format_tar(reader_.get());
    archive_read_support_filter_gzip(reader_.get());
    archive_read_support_filter_bzip2(reader_.get());
    archive_read_support_filter_xz(reader_.get());
    archive_read_support_filter_zstd(reader_.get());
    // Times make compiled Python files valid. Owners, set-user-id bits and the like stay behind.
    archive_write_disk_set_options(writer_.get(), ARCHIVE_EXTRACT_TIME |
                                                      ARCHIVE_EXTRACT_SECURE_SYMLINKS |
                                                      ARCHIVE_EXTRACT_SECURE_NODOTDOT);
    if (archive_read_open_filename(reader_.get(), name_.c_str(), kReadByteSize) != ARCHIVE_OK) {
      return InvalidArgument("archive '{}' cannot be opened as a tar archive: {}", name_,
                             ErrorOf(reader_.get()));
    }
    return OkStatus();
  }

  Status Refused(const char* path, std::string_view why) const {
    return InvalidArgument("archive '{}' is refused for its entry '{}': {}", name_,
                           EscapeForLog(path, 256), why);
  }
  Status WriteFailure(const char* path) const {
    return Unavailable("archive '{}' cannot be unpacked to '{}': entry '{}': {}", name_, folder_,
                       EscapeForLog(path, 256), ErrorOf(writer_.get()));
  }

  Status UnpackEntry(archive_entry* entry) {
    const char* raw = archive_entry_pathname(entry);
    if (raw == nullptr) {
      return Refused("", "it has no name that can be read");
    }
    const std::string path = raw;
    if (!StaysInside(path)) {
      return Refused(path.c_str(), "it would lie outside of the folder");
    }
    const char* hard_link = archive_entry_hardlink(entry);
    const auto type = archive_entry_filetype(entry);
    if (hard_link != nullptr) {
      if (!StaysInside(hard_link)) {
        return Refused(path.c_str(), "it links to what lies outside of the folder");
      }
      archive_entry_set_hardlink(entry, (folder_ + "/" + hard_link).c_str());
    } else if (type != AE_IFREG && type != AE_IFDIR && type != AE_IFLNK) {
      return Refused(path.c_str(), "it is neither file, folder nor link");
    }
    archive_entry_set_pathname(entry, (folder_ + "/" + path).c_str());
    if (const int result = archive_write_header(writer_.get(), entry); result < ARCHIVE_WARN) {
      // A path through a link is the archive's fault, all else the disk's.
      return archive_errno(writer_.get()) <= 0 ? Refused(path.c_str(), ErrorOf(writer_.get()))
                                               : WriteFailure(path.c_str());
    }
    if (type == AE_IFREG) {
      HEADRACE_RETURN_IF_ERROR(CopyBytes(path.c_str()));
    }
    return archive_write_finish_entry(writer_.get()) < ARCHIVE_WARN ? WriteFailure(path.c_str())
                                                                    : OkStatus();
  }

  Status CopyBytes(const char* path) {
    for (;;) {
      const void* block = nullptr;
      std::size_t size = 0;
      la_int64_t offset = 0;
      const int result = archive_read_data_block(reader_.get(), &block, &size, &offset);
      if (result == ARCHIVE_EOF) {
        return OkStatus();
      }
      if (result < ARCHIVE_WARN) {
        return Refused(path, ErrorOf(reader_.get()));
      }
      byte_size_ += size;
      // Holes count, too: whoever reads such a file reads them.
      if (byte_size_ > limits_.byte_size_max ||
          static_cast<std::uint64_t>(offset) > limits_.byte_size_max) {
        return InvalidArgument("archive '{}' has more than {} bytes unpacked", name_,
                               limits_.byte_size_max);
      }
      if (archive_write_data_block(writer_.get(), block, size, offset) < ARCHIVE_WARN) {
        return WriteFailure(path);
      }
    }
  }

  const std::string& name_;
  const std::string folder_;
  const UnpackLimits limits_;
  std::uint64_t byte_size_ = 0;
  const Reader reader_;
  const Writer writer_;
};

}  // namespace

bool StaysInside(std::string_view path) {
  if (path.empty() || path.front() == '/' || path.find('\0') != path.npos) {
    return false;
  }
  while (!path.empty()) {
    const std::size_t slash = path.find('/');
    if (path.substr(0, slash) == "..") {
      return false;
    }
    path.remove_prefix(slash == path.npos ? path.size() : slash + 1);
  }
  return true;
}

Status Unpack(const std::string& archive, const std::string& folder, UnpackLimits limits) {
  // A link on the way to the folder itself is ours, and none of the archive's.
  const std::unique_ptr<char, void (*)(void*)> real(realpath(folder.c_str(), nullptr), &free);
  if (real == nullptr) {
    return Unavailable("archive '{}' cannot be unpacked to '{}': {}", archive, folder,
                       std::strerror(errno));
  }
  return Unpacking(archive, real.get(), limits).Run();
}

}  // namespace headrace::worker
