// Writes a file in one step.
#ifndef HEADRACE_BENCH_FILE_WRITER_H_
#define HEADRACE_BENCH_FILE_WRITER_H_

#include <string>
#include <string_view>

#include "base/status.h"

namespace headrace::bench {

// The file is there whole, or as it was; a device or a pipe is written to. "-" is the standard
// output. UNAVAILABLE names the file.
Status WriteFile(const std::string& path, std::string_view text);

// Whether the file could be written, so that a run does not fail at its end. Leaves nothing behind.
// INVALID_ARGUMENT names the file.
Status CheckWritable(const std::string& path);

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_FILE_WRITER_H_
