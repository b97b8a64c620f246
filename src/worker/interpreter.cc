#include "worker/interpreter.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <optional>
#include <vector>

#include "base/log.h"
#include "base/unique_fd.h"
#include "worker/environment.h"

namespace headrace::worker {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kModelDirectory = "$$TRITON_MODEL_DIRECTORY";
constexpr std::size_t kHashBlockByteSize = 1 << 20;

// What a parameter means by a path.
std::string Resolved(std::string_view value, const std::string& model_directory) {
  if (value == kModelDirectory) {
    return model_directory;
  }
  if (value.starts_with(kModelDirectory) && value[kModelDirectory.size()] == '/') {
    return model_directory + std::string(value.substr(kModelDirectory.size()));
  }
  return value.starts_with('/') ? std::string(value) : fmt::format("{}/{}", model_directory, value);
}

bool IsProgram(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISREG(status.st_mode) &&
         access(path.c_str(), X_OK) == 0;
}

bool IsFolder(const std::string& path) {
  struct stat status;
  return stat(path.c_str(), &status) == 0 && S_ISDIR(status.st_mode);
}

// The interpreter of an environment's folder.
Result<Interpreter> InFolder(const std::string& folder, std::string_view parameter,
                             const std::string& path) {
  for (const char* name : {"python3", "python"}) {
    const std::string program = fmt::format("{}/bin/{}", folder, name);
    if (!IsProgram(program)) {
      continue;
    }
    Interpreter interpreter;
    interpreter.program = program;
    interpreter.environment["PATH"] =
        fmt::format("{}/bin{}{}", folder, path.empty() ? "" : ":", path);
    const bool is_virtual = access((folder + "/pyvenv.cfg").c_str(), F_OK) == 0;
    interpreter.environment[is_virtual ? "VIRTUAL_ENV" : "CONDA_PREFIX"] = folder;
    return interpreter;
  }
  return InvalidArgument(
      "{}: '{}' is no Python environment: it has neither bin/python3 nor bin/python that this "
      "server may execute",
      parameter, folder);
}

// Identifies what a file contains.
Result<std::string> ContentOf(const std::string& path) {
  const UniqueFd file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK));
  struct stat status;
  if (!file.valid() || fstat(file.get(), &status) != 0) {
    return InvalidArgument("EXECUTION_ENV_PATH: '{}' cannot be read: {}", path,
                           std::strerror(errno));
  }
  if (!S_ISREG(status.st_mode)) {
    return InvalidArgument("EXECUTION_ENV_PATH: '{}' is neither a folder nor a file", path);
  }
  const std::unique_ptr<XXH3_state_t, XXH_errorcode (*)(XXH3_state_t*)> hash(XXH3_createState(),
                                                                             &XXH3_freeState);
  XXH3_128bits_reset(hash.get());
  std::vector<char> block(kHashBlockByteSize);
  for (;;) {
    const ssize_t count = read(file.get(), block.data(), block.size());
    if (count < 0) {
      return InvalidArgument("EXECUTION_ENV_PATH: '{}' cannot be read: {}", path,
                             std::strerror(errno));
    }
    if (count == 0) {
      break;
    }
    XXH3_128bits_update(hash.get(), block.data(), static_cast<std::size_t>(count));
  }
  const XXH128_hash_t digest = XXH3_128bits_digest(hash.get());
  return fmt::format("{:016x}{:016x}-{}", digest.high64, digest.low64, status.st_size);
}

}  // namespace

// A folder of our own, and what is in it.
class Interpreters::Unpacked {
 public:
  explicit Unpacked(std::string folder) : folder_(std::move(folder)) {}
  ~Unpacked() {
    std::error_code failure;
    fs::remove_all(folder_, failure);
    if (failure) {
      HEADRACE_LOG_WARNING("the unpacked environment '{}' cannot be removed: {}", folder_,
                           failure.message());
    }
  }
  Unpacked(const Unpacked&) = delete;
  Unpacked& operator=(const Unpacked&) = delete;
  const std::string& folder() const { return folder_; }

 private:
  const std::string folder_;
};

std::string Interpreters::TemporaryDirectory() {
  const char* chosen = getenv("TMPDIR");
  return chosen != nullptr && *chosen == '/' ? chosen : "/tmp";
}

Result<std::shared_ptr<const Interpreters::Unpacked>> Interpreters::FilesOf(
    const std::string& archive) {
  HEADRACE_ASSIGN_OR_RETURN(const std::string content, ContentOf(archive));
  std::lock_guard lock(mutex_);
  std::erase_if(unpacked_, [](const auto& entry) { return entry.second.expired(); });
  if (const auto found = unpacked_.find(content); found != unpacked_.end()) {
    if (std::shared_ptr<const Unpacked> files = found->second.lock()) {
      return files;
    }
  }
  std::string folder = temporary_directory_ + "/headrace_environment_XXXXXX";
  if (mkdtemp(folder.data()) == nullptr) {
    return Unavailable("EXECUTION_ENV_PATH: no folder to unpack '{}' to can be made in '{}': {}",
                       archive, temporary_directory_, std::strerror(errno));
  }
  auto files = std::make_shared<const Unpacked>(folder);  // removes it again on failure
  if (Status status = Unpack(archive, folder, limits_); !status.ok()) {
    return status.WithPrefix("EXECUTION_ENV_PATH: ");
  }
  HEADRACE_LOG_INFO("unpacked the Python environment '{}' to '{}'", archive, folder);
  unpacked_[content] = files;
  return std::shared_ptr<const Unpacked>(std::move(files));
}

Result<Interpreter> Interpreters::Find(const InterpreterRequest& request) {
  if (!request.execution_environment.empty()) {
    const std::string path = Resolved(request.execution_environment, request.model_directory);
    if (IsFolder(path)) {
      return InFolder(path, "EXECUTION_ENV_PATH", request.path);
    }
    HEADRACE_ASSIGN_OR_RETURN(std::shared_ptr<const Unpacked> files, FilesOf(path));
    HEADRACE_ASSIGN_OR_RETURN(Interpreter interpreter,
                              InFolder(files->folder(), "EXECUTION_ENV_PATH", request.path));
    interpreter.files = std::move(files);
    return interpreter;
  }
  const bool own = !request.model_interpreter.empty();
  const std::string_view origin =
      own ? "parameter python_interpreter" : "--backend-config=python,interpreter";
  const std::string& named = own ? request.model_interpreter : request.default_interpreter;
  const bool is_path = named.find('/') != named.npos;
  const std::string name = own && is_path ? Resolved(named, request.model_directory) : named;
  if (is_path && IsFolder(name)) {
    return InFolder(name, origin, request.path);
  }
  const std::optional<std::string> program = FindProgram(name, request.path);
  if (!program || !IsProgram(*program)) {
    return InvalidArgument(
        "{}: '{}' is no program that this server may execute{}; give the path of a Python "
        "interpreter or of a virtual environment",
        origin, name, is_path ? "" : " from its PATH");
  }
  Interpreter interpreter;
  interpreter.program = *program;
  return interpreter;
}

}  // namespace headrace::worker
