// The functions of a program or library, from its file.
#ifndef HEADRACE_PROFILING_ELF_FUNCTIONS_H_
#define HEADRACE_PROFILING_ELF_FUNCTIONS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace headrace::profiling {

// Immutable. 64-bit files of this machine's byte order.
class ElfFunctions {
 public:
  // Reads the tables of symbols (.symtab, .dynsym) and, for functions that a stripped file does not
  // name, where they begin (.eh_frame_hdr). Blocks; takes as much memory as the tables have.
  // INVALID_ARGUMENT for what is no such file.
  static Result<ElfFunctions> Read(const std::string& path);

  // The address that the file gives to what lies at `offset` in it; nothing where nothing is
  // loaded.
  std::optional<std::uint64_t> AddressAt(std::uint64_t offset) const;

  struct Function {
    std::string_view symbol{};  // as the linker knows it; empty: the file does not name it
    std::uint64_t start = 0;
  };
  // The function that has that address; nothing where none is known to.
  std::optional<Function> At(std::uint64_t address) const;

 private:
  struct Segment {
    std::uint64_t offset, byte_size, address;
  };
  struct Symbol {
    std::uint64_t start, byte_size;
    std::size_t names, name;  // which table of names, and where in it
  };
  friend class ElfReader;

  std::vector<Segment> segments_;
  std::vector<std::string> names_;
  std::vector<Symbol> symbols_;        // by start
  std::vector<std::uint64_t> starts_;  // ascending
};

}  // namespace headrace::profiling

#endif  // HEADRACE_PROFILING_ELF_FUNCTIONS_H_
