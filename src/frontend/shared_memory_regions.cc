#include "frontend/shared_memory_regions.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <limits>
#include <utility>

#include "base/checked_math.h"
#include "base/log.h"

namespace headrace::frontend {
namespace {

constexpr std::size_t kNameByteSizeMax = 255;
// Objects of workers and of other servers' workers: no client has any business there.
constexpr std::array<std::string_view, 2> kReservedPrefixes = {"triton_python_backend_shm_region_",
                                                               "headrace_worker_"};

std::string Shown(std::string_view name) { return EscapeForLog(name.substr(0, 64)); }

Status InvalidRegion(std::string_view name, std::string_view why) {
  return InvalidArgument("failed to register shared memory region '{}': invalid args ({})",
                         Shown(name), why);
}

Status CheckName(std::string_view name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != 0x7f && c != '/';
  });
  if (name.empty() || name.size() > kNameByteSizeMax || !plain) {
    return InvalidArgument(
        "shared memory region '{}': a name has 1 to {} bytes without blanks, slashes and control "
        "characters",
        Shown(name), kNameByteSizeMax);
  }
  return OkStatus();
}

// The object's name behind its slashes. The system would take several slashes for one.
Result<std::string> CheckKey(const SharedMemoryRegion& region, const std::string& prefix) {
  std::string_view key = region.key;
  key.remove_prefix(std::min(key.find_first_not_of('/'), key.size()));
  if (key.empty() || key.size() > kNameByteSizeMax || key.find('/') != std::string_view::npos ||
      key.find('\0') != std::string_view::npos || key == "." || key == "..") {
    return InvalidRegion(region.name, "the key is not the name of a shared memory object");
  }
  for (const std::string_view reserved : kReservedPrefixes) {
    if (key.starts_with(reserved)) {
      return InvalidRegion(region.name, "the key is reserved");
    }
  }
  if (!key.starts_with(prefix)) {
    return InvalidRegion(region.name, "the key does not begin as the server's operator demands");
  }
  return std::string(key);
}

// Whether the object is a memory file of at least `byte_size` bytes now.
bool Holds(int fd, std::uint64_t byte_size) {
  struct stat status {};
  return fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
         static_cast<std::uint64_t>(status.st_size) >= byte_size;
}

Status Shrunk(std::string_view name) {
  return InvalidArgument(
      "shared memory region '{}' is smaller than when it was registered: its object was truncated",
      Shown(name));
}

}  // namespace

Status SharedMemoryRegions::CheckAllowed() const {
  return options_.allowed ? OkStatus()
                          : Unimplemented(
                                "Client shared memory is disabled. Start the server with "
                                "'--allow-client-shm=true' to enable.");
}

Status SharedMemoryRegions::RefuseCuda(std::string_view name) const {
  HEADRACE_RETURN_IF_ERROR(CheckAllowed());
  return InvalidArgument(
      "failed to register CUDA shared memory region: '{}', GPUs not supported; use a system region",
      Shown(name));
}

Status SharedMemoryRegions::Register(const SharedMemoryRegion& region) {
  HEADRACE_RETURN_IF_ERROR(CheckAllowed());
  HEADRACE_RETURN_IF_ERROR(CheckName(region.name));
  HEADRACE_ASSIGN_OR_RETURN(const std::string key, CheckKey(region, options_.key_prefix));
  const auto end = CheckedAdd(region.offset, region.byte_size);
  if (region.byte_size == 0 || !end ||
      *end > static_cast<std::uint64_t>(std::numeric_limits<off_t>::max())) {
    return InvalidRegion(region.name, "offset and byte size are out of range");
  }
  UniqueFd fd(shm_open(("/" + key).c_str(), O_RDWR | O_CLOEXEC, 0));
  if (!fd.valid()) {
    return Internal("Unable to open the object of shared memory region '{}'", Shown(region.name));
  }
  if (!Holds(fd.get(), *end)) {
    return InvalidRegion(region.name,
                         "the object has fewer bytes than offset and byte size ask for");
  }
  std::lock_guard lock(mutex_);
  if (regions_.count(region.name) != 0) {
    return AlreadyExists("shared memory region '{}' already in manager", Shown(region.name));
  }
  if (regions_.size() >= options_.region_count_max) {
    return ResourceExhausted("{} shared memory regions are registered, which is the limit",
                             regions_.size());
  }
  auto opened = std::make_shared<Open>();
  opened->region = region;
  opened->fd = std::move(fd);
  regions_[region.name] = std::move(opened);
  return OkStatus();
}

Status SharedMemoryRegions::Unregister(const std::string& name) {
  HEADRACE_RETURN_IF_ERROR(CheckAllowed());
  std::shared_ptr<const Open> last;  // closed outside the lock
  std::lock_guard lock(mutex_);
  if (const auto found = regions_.find(name); found != regions_.end()) {
    last = std::move(found->second);
    regions_.erase(found);
  }
  return OkStatus();
}

Status SharedMemoryRegions::UnregisterAll() {
  HEADRACE_RETURN_IF_ERROR(CheckAllowed());
  std::map<std::string, std::shared_ptr<const Open>> last;
  std::lock_guard lock(mutex_);
  last.swap(regions_);
  return OkStatus();
}

std::vector<SharedMemoryRegion> SharedMemoryRegions::List() const {
  std::vector<SharedMemoryRegion> list;
  std::lock_guard lock(mutex_);
  for (const auto& [name, open] : regions_) {
    list.push_back(open->region);
  }
  return list;
}

Result<SharedMemoryRegion> SharedMemoryRegions::Find(const std::string& name) const {
  std::lock_guard lock(mutex_);
  const auto found = regions_.find(name);
  if (found == regions_.end()) {
    return NotFound("Unable to find system shared memory region: '{}'", Shown(name));
  }
  return found->second->region;
}

Result<std::shared_ptr<const SharedMemoryRegions::Open>> SharedMemoryRegions::Use(
    const std::string& name, std::uint64_t offset, std::uint64_t byte_size) const {
  HEADRACE_RETURN_IF_ERROR(CheckAllowed());
  std::shared_ptr<const Open> open;
  {
    std::lock_guard lock(mutex_);
    const auto found = regions_.find(name);
    if (found == regions_.end()) {
      return NotFound("Unable to find shared memory region: '{}'", Shown(name));
    }
    open = found->second;
  }
  if (offset > open->region.byte_size) {
    return InvalidArgument("Invalid offset for shared memory region: '{}'", Shown(name));
  }
  if (byte_size > open->region.byte_size - offset) {
    return InvalidArgument("Invalid offset + byte size for shared memory region: '{}'",
                           Shown(name));
  }
  return open;
}

Status SharedMemoryRegions::Check(const std::string& name, std::uint64_t offset,
                                  std::uint64_t byte_size) const {
  const auto open = Use(name, offset, byte_size);
  return open.ok() ? OkStatus() : open.status();
}

Result<Buffer> SharedMemoryRegions::Read(const std::string& name, std::uint64_t offset,
                                         std::uint64_t byte_size, BlockPool& pool) const {
  HEADRACE_ASSIGN_OR_RETURN(const auto open, Use(name, offset, byte_size));
  HEADRACE_ASSIGN_OR_RETURN(MutableBuffer memory, pool.Allocate(byte_size));
  std::size_t done = 0;
  while (done < byte_size) {
    const ssize_t count = pread(open->fd.get(), memory.data() + done, byte_size - done,
                                static_cast<off_t>(open->region.offset + offset + done));
    if (count < 0 && errno == EINTR) {
      continue;
    }
    if (count <= 0) {
      return Shrunk(name);
    }
    done += static_cast<std::size_t>(count);
  }
  return std::move(memory).Freeze();
}

Status SharedMemoryRegions::Write(const std::string& name, std::uint64_t offset,
                                  std::uint64_t byte_size, std::string_view output,
                                  const Tensor& tensor) const {
  HEADRACE_ASSIGN_OR_RETURN(const auto open, Use(name, offset, byte_size));
  if (tensor.byte_size() > byte_size) {
    return InvalidArgument(
        "shared memory size specified with the request for output '{}' ({} bytes) should be at "
        "least {} bytes to hold the results",
        output, byte_size, tensor.byte_size());
  }
  std::uint64_t at = open->region.offset + offset;
  // A write beyond its end would make the object larger again.
  if (!Holds(open->fd.get(), at + tensor.byte_size())) {
    return Shrunk(name);
  }
  for (std::size_t i = 0; i < tensor.fragment_count(); ++i) {
    std::string_view rest = tensor.fragment(i).view();
    while (!rest.empty()) {
      const ssize_t count =
          pwrite(open->fd.get(), rest.data(), rest.size(), static_cast<off_t>(at));
      if (count < 0 && errno == EINTR) {
        continue;
      }
      if (count <= 0) {
        return Internal("output '{}' could not be written to shared memory region '{}'", output,
                        Shown(name));
      }
      rest.remove_prefix(static_cast<std::size_t>(count));
      at += static_cast<std::uint64_t>(count);
    }
  }
  return OkStatus();
}

}  // namespace headrace::frontend
