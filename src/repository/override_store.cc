#include "repository/override_store.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/unique_fd.h"
#include "base/write_all.h"

namespace headrace::repository {
namespace {

namespace fs = std::filesystem;

constexpr char kRootPrefix[] = "headrace-models-";
constexpr int kRootAttempts = 8;

std::string TemporaryDirectory(const std::string& wanted) {
  std::error_code error;
  fs::path path = wanted.empty() ? fs::temp_directory_path(error) : fs::path(wanted);
  return error ? "/tmp" : path.string();
}

void Remove(const std::string& directory) {
  std::error_code error;
  fs::remove_all(directory, error);
  if (error && error != std::errc::no_such_file_or_directory) {
    HEADRACE_LOG_WARNING("cannot remove '{}': {}", EscapeForLog(directory), error.message());
  }
}

// The directory, opened and locked; invalid if another process holds the lock, or it is no
// directory of this user's.
UniqueFd Lock(const std::string& directory) {
  UniqueFd fd(open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  struct stat status {};
  if (!fd.valid() || fstat(fd.get(), &status) != 0 || status.st_uid != geteuid() ||
      flock(fd.get(), LOCK_EX | LOCK_NB) != 0) {
    return UniqueFd();
  }
  return fd;
}

Status WriteFile(const std::string& path, const std::string& content) {
  std::error_code error;
  fs::create_directories(fs::path(path).parent_path(), error);
  if (error) {
    return Internal("cannot make a directory for the model's files: {}", error.message());
  }
  const UniqueFd fd(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!fd.valid()) {
    return Internal("cannot write a file of the model: {}", std::strerror(errno));
  }
  return WriteAll(fd.get(), content)
             ? OkStatus()
             : Internal("cannot write a file of the model: {}", std::strerror(errno));
}

}  // namespace

// The directory of this process.
class OverrideStore::Root {
 public:
  Root(std::string path, UniqueFd lock) : path_(std::move(path)), lock_(std::move(lock)) {}
  ~Root() { Remove(path_); }
  const std::string& path() const { return path_; }

 private:
  const std::string path_;
  const UniqueFd lock_;
};

// Bytes that count against the limit as long as this lives.
class OverrideStore::Charge {
 public:
  Charge(std::shared_ptr<std::atomic<std::size_t>> total, std::size_t byte_size)
      : total_(std::move(total)), byte_size_(byte_size), others_(total_->fetch_add(byte_size)) {}
  ~Charge() { total_->fetch_sub(byte_size_); }
  bool Exceeds(std::size_t byte_size_max) const {
    return byte_size_ > byte_size_max || others_ > byte_size_max - byte_size_;
  }

 private:
  const std::shared_ptr<std::atomic<std::size_t>> total_;
  const std::size_t byte_size_;
  const std::size_t others_;
};

// The directory of one load.
class OverrideStore::Lease {
 public:
  Lease(std::shared_ptr<Root> root, std::unique_ptr<Charge> charge, std::string path)
      : root_(std::move(root)), charge_(std::move(charge)), path_(std::move(path)) {}
  ~Lease() { Remove(path_); }

 private:
  const std::shared_ptr<Root> root_;
  const std::unique_ptr<Charge> charge_;
  const std::string path_;
};

OverrideStore::OverrideStore(Options options)
    : options_(std::move(options)), byte_size_(std::make_shared<std::atomic<std::size_t>>(0)) {}

OverrideStore::~OverrideStore() = default;

std::size_t OverrideStore::byte_size() const { return byte_size_->load(); }

Result<std::shared_ptr<OverrideStore::Root>> OverrideStore::OpenRoot() {
  std::lock_guard lock(mutex_);
  if (root_ != nullptr) {
    return root_;
  }
  for (int attempt = 0; attempt < kRootAttempts; ++attempt) {
    std::string path =
        TemporaryDirectory(options_.temporary_directory) + "/" + kRootPrefix + "XXXXXX";
    if (mkdtemp(path.data()) == nullptr) {
      return Internal("cannot make a directory for the model's files: {}", std::strerror(errno));
    }
    UniqueFd held = Lock(path);
    struct stat ours {
    }, there{};
    // Another process that removes what is stale may have come between.
    if (held.valid() && fstat(held.get(), &ours) == 0 && lstat(path.c_str(), &there) == 0 &&
        ours.st_ino == there.st_ino) {
      root_ = std::make_shared<Root>(fs::canonical(path).string(), std::move(held));
      return root_;
    }
  }
  return Internal("cannot keep a directory for the model's files");
}

Result<ModelSource> OverrideStore::Create(const std::string& model, const std::string& config_json,
                                          const OverrideFiles& files) {
  std::size_t byte_size = 0;
  for (const auto& [path, content] : files) {
    byte_size += content.size();
  }
  // Charged before anything is written.
  auto charge = std::make_unique<Charge>(byte_size_, byte_size);
  if (charge->Exceeds(options_.byte_size_max)) {
    return ResourceExhausted(
        "the files of models that were loaded from requests would have more than {} bytes "
        "(--override-byte-size-max)",
        options_.byte_size_max);
  }
  HEADRACE_ASSIGN_OR_RETURN(ModelSource source, CreateDirectory(model, std::move(charge)));
  source.config_json = config_json;
  for (const auto& [file, content] : files) {
    HEADRACE_RETURN_IF_ERROR(WriteFile(source.location.directory + "/" + file, content));
  }
  return source;
}

Result<ModelSource> OverrideStore::CreateEmpty(const std::string& model) {
  HEADRACE_ASSIGN_OR_RETURN(ModelSource source,
                            CreateDirectory(model, std::make_unique<Charge>(byte_size_, 0)));
  if (mkdir(source.location.directory.c_str(), 0700) != 0) {
    return Internal("cannot make a directory for the model's files: {}", std::strerror(errno));
  }
  return source;
}

Result<ModelSource> OverrideStore::CreateDirectory(const std::string& model,
                                                   std::unique_ptr<Charge> charge) {
  HEADRACE_ASSIGN_OR_RETURN(std::shared_ptr<Root> root, OpenRoot());
  std::string path = root->path() + "/XXXXXX";
  if (mkdtemp(path.data()) == nullptr) {
    return Internal("cannot make a directory for the model's files: {}", std::strerror(errno));
  }
  auto lease = std::make_shared<Lease>(std::move(root), std::move(charge), path);
  return ModelSource{ModelLocation{model, path + "/" + model, path}, std::nullopt,
                     std::move(lease)};
}

void OverrideStore::RemoveStale() const {
  const std::string parent = TemporaryDirectory(options_.temporary_directory);
  std::error_code error;
  for (fs::directory_iterator it(parent, error), end; !error && it != end; it.increment(error)) {
    if (it->path().filename().string().starts_with(kRootPrefix)) {
      if (const UniqueFd lock = Lock(it->path().string()); lock.valid()) {
        HEADRACE_LOG_INFO("removing '{}', which a process that has ended left behind",
                          EscapeForLog(it->path().string()));
        Remove(it->path().string());
      }
    }
  }
}

}  // namespace headrace::repository
