// How much an archive may unpack to (D7 of the reliability defaults).
#ifndef HEADRACE_REPOSITORY_ARCHIVE_LIMITS_H_
#define HEADRACE_REPOSITORY_ARCHIVE_LIMITS_H_

#include <cstddef>
#include <cstdint>

namespace headrace::repository {

struct ArchiveLimits {
  std::size_t entry_count_max = 10'000;
  std::uint64_t entry_byte_size_max = std::uint64_t{4} << 30;
  std::uint64_t byte_size_max = std::uint64_t{16} << 30;  // of all entries together
  // Bytes that come out for each byte of the archive. It counts beyond ratio_free_byte_size only:
  // weights that are all zero are no attack.
  std::uint64_t ratio_max = 200;
  std::uint64_t ratio_free_byte_size = std::uint64_t{64} << 20;
};

// Of an entry's path, in bytes and in parts.
inline constexpr std::size_t kArchivePathByteSizeMax = 1024;
inline constexpr std::size_t kArchivePathDepthMax = 32;

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_ARCHIVE_LIMITS_H_
