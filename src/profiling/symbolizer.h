// Which functions addresses of this process belong to.
#ifndef HEADRACE_PROFILING_SYMBOLIZER_H_
#define HEADRACE_PROFILING_SYMBOLIZER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "profiling/elf_functions.h"

namespace headrace::profiling {

struct CodePlace {
  std::string function{};
  std::string module{};  // the file's name; empty: none
};

// What is mapped when it is made. Reads each file when an address of it is first asked for, which
// takes a fraction of a second for the largest libraries. One thread.
class Symbolizer {
 public:
  explicit Symbolizer(const std::string& maps_path = "/proc/self/maps");

  // A function's name; "FILE+0x1234", where it begins, if the file does not name it; "[generated
  // code]" in memory that is no file's, "[vdso]" in the kernel's page, "[unknown]" elsewhere.
  CodePlace Find(std::uint64_t address);

 private:
  struct Mapping {
    std::uint64_t start, end, offset;
    std::string path;
  };

  std::vector<Mapping> mappings_;                             // of code, by start
  std::map<std::string, std::optional<ElfFunctions>> files_;  // nothing: it does not read
  std::map<std::string, std::string, std::less<>> names_;     // by symbol
};

// "at::native::relu" of "_ZN2at6native4reluERKNS_6TensorE": without parameters, result, and what
// stands between angle brackets. What is no C++ symbol is left as it is; at most kNameByteSizeMax.
inline constexpr std::size_t kNameByteSizeMax = 160;
std::string ShortFunctionName(const std::string& symbol);

}  // namespace headrace::profiling

#endif  // HEADRACE_PROFILING_SYMBOLIZER_H_
