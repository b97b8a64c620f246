#include "repository/file_digest.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <vector>

#include "base/log.h"
#include "base/unique_fd.h"
#include "repository/repository_files.h"

namespace headrace::repository {
namespace {

constexpr std::size_t kPieceByteSize = std::size_t{1} << 18;

std::string Hexadecimal(const unsigned char* bytes, unsigned int count) {
  std::string text;
  for (unsigned int i = 0; i < count; ++i) {
    text += fmt::format("{:02x}", bytes[i]);
  }
  return text;
}

Status CheckListedFile(const std::string& root, const std::string& directory,
                       const ListedFile& file) {
  const std::string shown = EscapeForLog(file.path, 128);
  HEADRACE_ASSIGN_OR_RETURN(const std::string path, ResolveInside(root, directory, file.path));
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    return InvalidArgument("'{}' is missing", shown);
  }
  if (static_cast<std::uint64_t>(status.st_size) != file.byte_size) {
    return InvalidArgument("'{}' has {} bytes, not {}", shown, status.st_size, file.byte_size);
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::string digest, FileSha256(path));
  return digest == file.sha256 ? OkStatus() : InvalidArgument("'{}' has another content", shown);
}

}  // namespace

Result<std::string> FileSha256(const std::string& path) {
  const std::string name = EscapeForLog(std::filesystem::path(path).filename().string(), 128);
  // Without O_NONBLOCK the open of a pipe would wait for its writer.
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  struct stat status {};
  if (!fd.valid() || fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return InvalidArgument("'{}' cannot be read, or is not a regular file", name);
  }
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(EVP_MD_CTX_new(),
                                                                        &EVP_MD_CTX_free);
  if (context == nullptr || EVP_DigestInit_ex(context.get(), EVP_sha256(), nullptr) != 1) {
    return Internal("SHA-256 is not to be had");
  }
  std::vector<unsigned char> piece(kPieceByteSize);
  while (true) {
    const ssize_t count = read(fd.get(), piece.data(), piece.size());
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count < 0) {
      return InvalidArgument("cannot read '{}': {}", name, std::strerror(errno));
    }
    if (count == 0) {
      break;
    }
    if (EVP_DigestUpdate(context.get(), piece.data(), static_cast<std::size_t>(count)) != 1) {
      return Internal("SHA-256 failed");
    }
  }
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  if (EVP_DigestFinal_ex(context.get(), digest.data(), &size) != 1) {
    return Internal("SHA-256 failed");
  }
  return Hexadecimal(digest.data(), size);
}

Status CheckListedFiles(const std::string& root, const std::string& directory,
                        const std::vector<ListedFile>& files) {
  for (const ListedFile& file : files) {
    HEADRACE_RETURN_IF_ERROR(CheckListedFile(root, directory, file));
  }
  return OkStatus();
}

}  // namespace headrace::repository
