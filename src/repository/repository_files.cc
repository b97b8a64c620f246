#include "repository/repository_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <vector>

#include "base/log.h"
#include "base/unique_fd.h"

namespace headrace::repository {
namespace {

namespace fs = std::filesystem;

constexpr int kDepthMax = 32;
constexpr std::size_t kEntryCountMax = 100'000;

// open, again when a signal came between.
int OpenUninterrupted(const char* path, int flags) {
  int fd;
  do {
    fd = open(path, flags);
  } while (fd < 0 && errno == EINTR);
  return fd;
}

std::string Shown(std::string_view name) { return EscapeForLog(name, 256); }

class Inspector {
 public:
  Inspector(const std::string& root, bool links_may_leave)
      : root_(root), links_may_leave_(links_may_leave) {}

  Result<DirectorySummary> Inspect(const fs::path& directory) {
    const std::string shown = directory.filename().string();
    Fingerprint all;
    std::map<std::string, std::uint64_t> by_entry;
    HEADRACE_ASSIGN_OR_RETURN(const auto entries, List(directory, shown, 0));
    for (const auto& entry : entries) {
      const std::string name = entry.path().filename().string();
      fingerprint_ = Fingerprint();
      HEADRACE_RETURN_IF_ERROR(Visit(entry, name, 0));
      by_entry[name] = fingerprint_.value();
      all.Add(fingerprint_.value());
    }
    return DirectorySummary{all.value(), std::move(by_entry), std::move(files_)};
  }

 private:
  // Sorted.
  Result<std::vector<fs::directory_entry>> List(const fs::path& directory, const std::string& shown,
                                                int depth) {
    if (depth > kDepthMax) {
      return InvalidArgument("'{}' is nested more than {} levels deep", Shown(shown), kDepthMax);
    }
    std::error_code error;
    std::vector<fs::directory_entry> entries;
    for (fs::directory_iterator it(directory, error), end; !error && it != end;
         it.increment(error)) {
      entries.push_back(*it);
      if (++entry_count_ > kEntryCountMax) {
        return InvalidArgument("the model's directory holds more than {} files", kEntryCountMax);
      }
    }
    if (error) {
      return InvalidArgument("cannot list '{}': {}", Shown(shown), error.message());
    }
    std::sort(entries.begin(), entries.end());
    return entries;
  }

  Status Walk(const fs::path& directory, const std::string& shown, int depth) {
    HEADRACE_ASSIGN_OR_RETURN(const auto entries, List(directory, shown, depth));
    for (const auto& entry : entries) {
      HEADRACE_RETURN_IF_ERROR(Visit(entry, shown + "/" + entry.path().filename().string(), depth));
    }
    return OkStatus();
  }

  Status Visit(const fs::directory_entry& entry, const std::string& shown, int depth) {
    std::error_code error;
    if (entry.is_symlink(error)) {
      HEADRACE_RETURN_IF_ERROR(CheckLink(entry.path(), shown));
    }
    struct stat status {};
    fingerprint_.Add(shown);
    if (stat(entry.path().c_str(), &status) != 0) {
      return OkStatus();  // gone in the meantime, or a link to nothing: whoever needs it will say
                          // so
    }
    Fingerprint own;
    own.Add(static_cast<std::uint64_t>(status.st_size));
    own.Add(static_cast<std::uint64_t>(status.st_mtim.tv_sec));
    own.Add(static_cast<std::uint64_t>(status.st_mtim.tv_nsec));
    own.Add(static_cast<std::uint64_t>(status.st_ino));
    fingerprint_.Add(own.value());
    if (S_ISDIR(status.st_mode)) {
      return Walk(entry.path(), shown, depth + 1);
    }
    files_[shown] = own.value();
    return OkStatus();
  }

  Status CheckLink(const fs::path& link, const std::string& shown) {
    std::error_code error;
    const fs::path target = fs::weakly_canonical(link, error);
    if (error) {
      return InvalidArgument("link '{}' cannot be followed: {}", Shown(shown), error.message());
    }
    if (!links_may_leave_ && !IsInside(root_, target.string())) {
      return InvalidArgument("link '{}' leads outside of the model repository", Shown(shown));
    }
    return OkStatus();
  }

  const std::string& root_;
  const bool links_may_leave_;
  std::size_t entry_count_ = 0;
  Fingerprint fingerprint_;  // of the entry that is being looked at
  std::map<std::string, std::uint64_t> files_;
};

}  // namespace

bool IsInside(std::string_view root, std::string_view path) {
  return path.substr(0, root.size()) == root &&
         (path.size() == root.size() || root.back() == '/' || path[root.size()] == '/');
}

Result<std::string> ReadFile(const std::string& path, std::size_t byte_size_max) {
  // Without O_NONBLOCK the open of a pipe would wait for its writer.
  const UniqueFd fd(OpenUninterrupted(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  const std::string name = Shown(fs::path(path).filename().string());
  if (!fd.valid()) {
    const int error = errno;
    return Status(error == ENOENT ? StatusCode::kNotFound : StatusCode::kInvalidArgument,
                  fmt::format("cannot open '{}': {}", name, std::strerror(error)));
  }
  struct stat status {};
  if (fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return InvalidArgument("'{}' is not a regular file", name);
  }
  if (static_cast<std::uint64_t>(status.st_size) > byte_size_max) {
    return InvalidArgument("'{}' has {} bytes, the limit is {}", name, status.st_size,
                           byte_size_max);
  }
  std::string content;
  content.resize(static_cast<std::size_t>(status.st_size));
  std::size_t done = 0;
  while (done < content.size()) {
    const ssize_t count = read(fd.get(), content.data() + done, content.size() - done);
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return InvalidArgument("cannot read '{}': {}", name, std::strerror(errno));
    }
    if (count == 0) {
      break;  // cut short while we read
    }
    done += static_cast<std::size_t>(count);
  }
  content.resize(done);
  return content;
}

Result<std::string> ResolveInside(const std::string& root, const std::string& directory,
                                  std::string_view relative) {
  const std::string shown = Shown(relative);
  if (relative.empty() || relative.find('\0') != std::string_view::npos) {
    return InvalidArgument("'{}' is not a file name", shown);
  }
  const fs::path path(relative);
  if (path.is_absolute() ||
      std::any_of(path.begin(), path.end(), [](const fs::path& part) { return part == ".."; })) {
    return InvalidArgument("'{}' must be a path inside the model's directory", shown);
  }
  std::error_code error;
  const fs::path joined = fs::path(directory) / path;
  const fs::path target = fs::weakly_canonical(joined, error);
  if (error) {
    return InvalidArgument("'{}' cannot be followed: {}", shown, error.message());
  }
  if (!IsInside(root, target.string())) {
    return InvalidArgument("'{}' leads outside of the model repository", shown);
  }
  return joined.string();
}

Result<DirectorySummary> InspectDirectory(const std::string& root, const std::string& directory,
                                          bool links_may_leave) {
  return Inspector(root, links_may_leave).Inspect(directory);
}

}  // namespace headrace::repository
