// Unpacks an archive of somebody else's into a folder of ours.
#ifndef HEADRACE_WORKER_UNPACK_H_
#define HEADRACE_WORKER_UNPACK_H_

#include <cstdint>
#include <string>
#include <string_view>

#include "base/status.h"

namespace headrace::worker {

struct UnpackLimits {
  std::uint64_t byte_size_max = 32ull << 30;  // of all files together, unpacked
  std::uint64_t entry_count_max = 1'000'000;
};

// Unpacks the tar archive (plain, or packed with gzip, bzip2, xz or zstd) at `archive` into
// `folder`, which exists and is empty. Blocks as long as it takes. What it makes belongs to this
// user, times stay as they were.
//
// INVALID_ARGUMENT names the archive, and the entry that is refused: one that would lie outside of
// `folder` (absolute, with "..", or through a link that an earlier entry made), one that is neither
// file, folder nor link, or what exceeds a limit. What was unpacked before stays: the caller
// removes the folder.
Status Unpack(const std::string& archive, const std::string& folder, UnpackLimits limits = {});

// Pure: whether a relative path stays inside of the folder that it counts from, whatever links
// there are. "." and "./" do.
bool StaysInside(std::string_view path);

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_UNPACK_H_
