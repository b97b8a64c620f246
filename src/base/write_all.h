// Writes to a file descriptor until nothing is left.
#ifndef HEADRACE_BASE_WRITE_ALL_H_
#define HEADRACE_BASE_WRITE_ALL_H_

#include <string_view>

namespace headrace {

// All of `bytes` to `fd`, which blocks; goes on after signals. False at the first failure, which
// errno holds; what was written before stays.
bool WriteAll(int fd, std::string_view bytes);

}  // namespace headrace

#endif  // HEADRACE_BASE_WRITE_ALL_H_
