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

}  // namespace headrace::bench

#endif  // HEADRACE_BENCH_FILE_WRITER_H_
