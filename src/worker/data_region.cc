#include "worker/data_region.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"

namespace headrace::worker {
namespace {

constexpr std::uint64_t kPage = 4096;
// Pages up to here from the begin of the half stay when they are free: first fit uses them again.
constexpr std::uint64_t kWarmByteSize = std::uint64_t{64} << 20;

}  // namespace

Result<std::unique_ptr<DataRegion>> DataRegion::Create(std::uint64_t byte_size) {
  if (byte_size < kByteSizeMin || byte_size > kByteSizeMax) {
    return InvalidArgument("data-byte-size must be from {} to {}, got {}", kByteSizeMin,
                           kByteSizeMax, byte_size);
  }
  const std::uint64_t rounded = (byte_size + 2 * kPage - 1) / (2 * kPage) * (2 * kPage);
  UniqueFd fd(memfd_create("headrace_worker", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid() || ftruncate(fd.get(), static_cast<off_t>(rounded)) != 0 ||
      fcntl(fd.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
    return Unavailable("no shared memory of {} bytes for a worker: {}", rounded,
                       std::strerror(errno));
  }
  void* const base =
      mmap(nullptr, rounded, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd.get(), 0);
  if (base == MAP_FAILED) {
    return Unavailable("{} bytes of a worker's shared memory cannot be mapped: {}", rounded,
                       std::strerror(errno));
  }
  return std::unique_ptr<DataRegion>(
      new DataRegion(std::move(fd), static_cast<std::byte*>(base), rounded));
}

DataRegion::DataRegion(UniqueFd fd, std::byte* base, std::uint64_t byte_size)
    : fd_(std::move(fd)),
      base_(base),
      byte_size_(byte_size),
      middle_(byte_size / 2),
      arena_(kCancelByteSize, middle_) {}

DataRegion::~DataRegion() { munmap(base_, byte_size_); }

Result<std::uint64_t> DataRegion::Allocate(std::uint64_t byte_size) {
  std::lock_guard lock(mutex_);
  if (const auto offset = arena_.Allocate(byte_size)) {
    return *offset;
  }
  return Status(
      StatusCode::kResourceExhausted,
      fmt::format("{} bytes do not fit into what the server shares with the worker: {} of {} bytes "
                  "are in use; raise data-byte-size (--backend-config=python,data-byte-size={})",
                  byte_size, arena_.used_byte_size(), arena_.byte_size(), 2 * byte_size_));
}

bool DataRegion::Free(std::uint64_t offset) {
  std::lock_guard lock(mutex_);
  const auto piece = arena_.Free(offset);
  if (!piece) {
    return false;
  }
  const std::uint64_t begin =
      std::max((piece->offset + kPage - 1) / kPage * kPage, kCancelByteSize + kWarmByteSize);
  const std::uint64_t end = (piece->offset + piece->byte_size) / kPage * kPage;
  if (begin < end) {
    // Nothing depends on it: a failure leaves pages that are used again.
    (void)fallocate(fd_.get(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    static_cast<off_t>(begin), static_cast<off_t>(end - begin));
  }
  return true;
}

std::uint64_t DataRegion::used_byte_size() const {
  std::lock_guard lock(mutex_);
  return arena_.used_byte_size();
}

bool DataRegion::InWorkerHalf(std::uint64_t offset, std::uint64_t byte_size) const {
  return offset >= middle_ && offset <= byte_size_ && byte_size <= byte_size_ - offset;
}

void DataRegion::SetCancelled(std::uint32_t slot, bool cancelled) {
  HEADRACE_CHECK(slot < kCancelByteSize);
  __atomic_store_n(reinterpret_cast<unsigned char*>(base_) + slot,
                   static_cast<unsigned char>(cancelled), __ATOMIC_RELEASE);
}

std::uint64_t DataRegion::BegunCount() const {
  return __atomic_load_n(reinterpret_cast<const std::uint64_t*>(base_ + middle_), __ATOMIC_ACQUIRE);
}

}  // namespace headrace::worker
