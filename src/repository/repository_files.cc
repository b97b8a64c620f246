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

// FNV-1a.
class Fingerprint {
 public:
  void Add(std::string_view bytes) {
    for (const char byte : bytes) {
      Mix(static_cast<unsigned char>(byte));
    }
    Mix(0);
  }
  void Add(std::uint64_t number) {
    for (int shift = 0; shift < 64; shift += 8) {
      Mix(static_cast<unsigned char>(number >> shift));
    }
  }
  std::uint64_t value() const { return value_; }

 private:
  void Mix(unsigned char byte) { value_ = (value_ ^ byte) * 1099511628211ULL; }
  std::uint64_t value_ = 14695981039346656037ULL;
};

std::string Shown(std::string_view name) { return EscapeForLog(name, 256); }

class Inspector {
 public:
  Inspector(const std::string& root, bool links_may_leave)
      : root_(root), links_may_leave_(links_may_leave) {}

  Status Walk(const fs::path& directory, const std::string& shown, int depth) {
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
    for (const auto& entry : entries) {
      HEADRACE_RETURN_IF_ERROR(Visit(entry, shown + "/" + entry.path().filename().string(), depth));
    }
    return OkStatus();
  }

  std::uint64_t fingerprint() const { return fingerprint_.value(); }

 private:
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
    fingerprint_.Add(static_cast<std::uint64_t>(status.st_size));
    fingerprint_.Add(static_cast<std::uint64_t>(status.st_mtim.tv_sec));
    fingerprint_.Add(static_cast<std::uint64_t>(status.st_mtim.tv_nsec));
    fingerprint_.Add(static_cast<std::uint64_t>(status.st_ino));
    return S_ISDIR(status.st_mode) ? Walk(entry.path(), shown, depth + 1) : OkStatus();
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
  Fingerprint fingerprint_;
};

}  // namespace

bool IsInside(std::string_view root, std::string_view path) {
  return path.substr(0, root.size()) == root &&
         (path.size() == root.size() || root.back() == '/' || path[root.size()] == '/');
}

Result<std::string> ReadFile(const std::string& path, std::size_t byte_size_max) {
  // Without O_NONBLOCK the open of a pipe would wait for its writer.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
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
  Inspector inspector(root, links_may_leave);
  HEADRACE_RETURN_IF_ERROR(inspector.Walk(directory, fs::path(directory).filename().string(), 0));
  return DirectorySummary{inspector.fingerprint()};
}

}  // namespace headrace::repository
