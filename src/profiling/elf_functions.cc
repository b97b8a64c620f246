#include "profiling/elf_functions.h"

#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>

#include "base/unique_fd.h"

namespace headrace::profiling {
namespace {

constexpr std::uint64_t kSectionByteSizeMax = std::uint64_t{1} << 30;

// .eh_frame_hdr: pairs of 32-bit distances from it, sorted by the first, which is of a function's
// start. The encodings that linkers write (System V ABI; "DW_EH_PE_...").
struct FrameHeader {
  std::uint8_t version, frame_encoding, count_encoding, table_encoding;
};
constexpr std::uint8_t kFrameHeaderVersion = 1;
constexpr std::uint8_t kUnsigned32 = 0x03;
constexpr std::uint8_t kSigned32FromHeader = 0x3b;
constexpr std::uint8_t kSigned32FromHere = 0x1b;

}  // namespace

class ElfReader {
 public:
  explicit ElfReader(const std::string& path)
      : path_(path), file_(open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}

  Result<ElfFunctions> Read() {
    struct stat status {};
    if (!file_ || fstat(file_.get(), &status) != 0) {
      return NotAFile();
    }
    byte_size_ = static_cast<std::uint64_t>(status.st_size);
    Elf64_Ehdr header{};
    if (!ReadAt(0, sizeof(header), &header) || std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 ||
        header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_phentsize != sizeof(Elf64_Phdr)) {
      return NotAFile();
    }
    std::vector<Elf64_Phdr> segments(header.e_phnum);
    if (!ReadAll(header.e_phoff, segments)) {
      return NotAFile();
    }
    for (const Elf64_Phdr& segment : segments) {
      if (segment.p_type == PT_LOAD) {
        functions_.segments_.push_back({segment.p_offset, segment.p_filesz, segment.p_vaddr});
      } else if (segment.p_type == PT_GNU_EH_FRAME) {
        ReadStarts(segment);
      }
    }
    // A file without a table of sections has its segments alone.
    std::vector<Elf64_Shdr> sections(header.e_shnum);
    if (header.e_shentsize == sizeof(Elf64_Shdr) && ReadAll(header.e_shoff, sections)) {
      for (const Elf64_Shdr& section : sections) {
        if (section.sh_type == SHT_SYMTAB || section.sh_type == SHT_DYNSYM) {
          ReadSymbols(section, sections);
        }
      }
    }
    std::stable_sort(functions_.symbols_.begin(), functions_.symbols_.end(),
                     [](const auto& a, const auto& b) { return a.start < b.start; });
    return std::move(functions_);
  }

 private:
  Status NotAFile() const { return InvalidArgument("'{}' is no ELF file of 64 bits", path_); }

  bool ReadAt(std::uint64_t offset, std::uint64_t size, void* to) const {
    if (offset > byte_size_ || size > byte_size_ - offset) {
      return false;
    }
    auto* bytes = static_cast<std::byte*>(to);
    while (size > 0) {
      const ssize_t count = pread(file_.get(), bytes, size, static_cast<off_t>(offset));
      if (count <= 0) {
        return false;
      }
      bytes += count;
      offset += static_cast<std::uint64_t>(count);
      size -= static_cast<std::uint64_t>(count);
    }
    return true;
  }
  template <typename T>
  bool ReadAll(std::uint64_t offset, std::vector<T>& items) const {
    return ReadAt(offset, items.size() * sizeof(T), items.data());
  }

  void ReadSymbols(const Elf64_Shdr& section, const std::vector<Elf64_Shdr>& sections) {
    if (section.sh_link >= sections.size() || section.sh_size > kSectionByteSizeMax ||
        sections[section.sh_link].sh_size > kSectionByteSizeMax) {
      return;
    }
    const Elf64_Shdr& strings = sections[section.sh_link];
    if (std::max(section.sh_size, strings.sh_size) > byte_size_) {
      return;
    }
    std::vector<Elf64_Sym> symbols(section.sh_size / sizeof(Elf64_Sym));
    std::string names(strings.sh_size, '\0');
    if (!ReadAll(section.sh_offset, symbols) ||
        !ReadAt(strings.sh_offset, names.size(), names.data())) {
      return;
    }
    for (const Elf64_Sym& symbol : symbols) {
      const auto type = ELF64_ST_TYPE(symbol.st_info);
      if ((type == STT_FUNC || type == STT_GNU_IFUNC) && symbol.st_shndx != SHN_UNDEF &&
          symbol.st_name < names.size()) {
        functions_.symbols_.push_back(
            {symbol.st_value, symbol.st_size, functions_.names_.size(), symbol.st_name});
      }
    }
    functions_.names_.push_back(std::move(names));
  }

  void ReadStarts(const Elf64_Phdr& segment) {
    FrameHeader header{};
    std::uint32_t count = 0;
    struct Entry {
      std::int32_t start, frame;
    };
    const std::uint64_t table = sizeof(header) + sizeof(std::int32_t) + sizeof(count);
    if (segment.p_filesz < table || !ReadAt(segment.p_offset, sizeof(header), &header) ||
        header.version != kFrameHeaderVersion || header.frame_encoding != kSigned32FromHere ||
        header.count_encoding != kUnsigned32 || header.table_encoding != kSigned32FromHeader ||
        !ReadAt(segment.p_offset + table - sizeof(count), sizeof(count), &count) ||
        count > (segment.p_filesz - table) / sizeof(Entry)) {
      return;
    }
    std::vector<Entry> entries(count);
    if (!ReadAll(segment.p_offset + table, entries)) {
      return;
    }
    for (const Entry& entry : entries) {
      functions_.starts_.push_back(segment.p_vaddr +
                                   static_cast<std::uint64_t>(std::int64_t{entry.start}));
    }
    std::sort(functions_.starts_.begin(), functions_.starts_.end());
  }

  const std::string path_;
  const UniqueFd file_;
  std::uint64_t byte_size_ = 0;
  ElfFunctions functions_;
};

Result<ElfFunctions> ElfFunctions::Read(const std::string& path) { return ElfReader(path).Read(); }

std::optional<std::uint64_t> ElfFunctions::AddressAt(std::uint64_t offset) const {
  for (const Segment& segment : segments_) {
    if (offset >= segment.offset && offset - segment.offset < segment.byte_size) {
      return offset - segment.offset + segment.address;
    }
  }
  return std::nullopt;
}

std::optional<ElfFunctions::Function> ElfFunctions::At(std::uint64_t address) const {
  // Symbols without a size, and those of parts of a function, may lie between it and the address.
  constexpr int kLooksMax = 16;
  const auto above = [](const auto& items, std::uint64_t wanted, const auto& start_of) {
    return std::upper_bound(
        items.begin(), items.end(), wanted,
        [&](std::uint64_t value, const auto& item) { return value < start_of(item); });
  };
  std::optional<Function> found;
  auto next = above(symbols_, address, [](const Symbol& symbol) { return symbol.start; });
  for (int look = 0; look < kLooksMax && next != symbols_.begin(); ++look) {
    --next;
    // Of several names of one function the first.
    if (found && next->start != found->start) {
      break;
    }
    if (address - next->start < next->byte_size) {
      found = {.symbol = names_[next->names].c_str() + next->name, .start = next->start};
    }
  }
  if (found) {
    return found;
  }
  const auto start = above(starts_, address, [](std::uint64_t value) { return value; });
  if (start == starts_.begin()) {
    return std::nullopt;
  }
  return Function{.start = *(start - 1)};
}

}  // namespace headrace::profiling
