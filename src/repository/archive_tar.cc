// Gzipped tar: POSIX ustar and pax, and GNU's long names and large sizes.
#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/checked_math.h"
#include "repository/archive_unpack.h"
#include "repository/inflater.h"

namespace headrace::repository {
namespace {

constexpr std::size_t kBlockByteSize = 512;
constexpr std::size_t kPieceByteSize = std::size_t{128} << 10;
// Of what describes the next entry: pax records, a long name.
constexpr std::uint64_t kDescriptionByteSizeMax = std::uint64_t{64} << 10;

Status Damaged(std::string_view what) {
  return InvalidArgument("the archive is damaged: {}", what);
}

// The unpacked stream, in order.
class TarStream {
 public:
  explicit TarStream(const ArchiveFile& file)
      : file_(file), inflater_(Inflater::Format::kGzip), input_(kPieceByteSize) {}

  // Fills all of `bytes`; false at the end of the stream, where none are left.
  Result<bool> Read(std::span<char> bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
      HEADRACE_ASSIGN_OR_RETURN(const std::size_t size, inflater_.Read(bytes.subspan(done)));
      done += size;
      if (size == 0) {
        if (inflater_.done()) {
          break;
        }
        HEADRACE_RETURN_IF_ERROR(Feed());
      }
    }
    if (done != 0 && done != bytes.size()) {
      return Damaged("it ends within an entry");
    }
    return done != 0;
  }

  // Whether all of the file has been used.
  bool AtEndOfFile() const {
    return inflater_.done() && inflater_.input_byte_size() == 0 && read_ == file_.byte_size();
  }

 private:
  Status Feed() {
    if (inflater_.input_byte_size() > 0) {
      return OkStatus();
    }
    const auto size =
        static_cast<std::size_t>(std::min<std::uint64_t>(file_.byte_size() - read_, input_.size()));
    if (size == 0) {
      return Damaged("it is cut short");
    }
    HEADRACE_RETURN_IF_ERROR(file_.Read(read_, std::span(input_.data(), size)));
    read_ += size;
    inflater_.Feed({input_.data(), size});
    return OkStatus();
  }

  const ArchiveFile& file_;
  Inflater inflater_;
  std::vector<char> input_;
  std::uint64_t read_ = 0;
};

using Block = std::array<char, kBlockByteSize>;

std::string_view Field(const Block& block, std::size_t offset, std::size_t size) {
  const std::string_view field(block.data() + offset, size);
  return field.substr(0, field.find('\0'));
}

// Octal digits between blanks, or GNU's base 256.
std::optional<std::uint64_t> NumberField(const Block& block, std::size_t offset, std::size_t size) {
  if (static_cast<unsigned char>(block[offset]) == 0x80) {
    std::uint64_t number = 0;
    for (std::size_t i = 1; i < size; ++i) {
      if (number >> 55 != 0) {
        return std::nullopt;
      }
      number = number << 8 | static_cast<unsigned char>(block[offset + i]);
    }
    return number;
  }
  std::string_view digits = Field(block, offset, size);
  while (digits.starts_with(' ')) {
    digits.remove_prefix(1);
  }
  while (digits.ends_with(' ')) {
    digits.remove_suffix(1);
  }
  std::uint64_t number = 0;
  for (const char digit : digits) {
    if (digit < '0' || digit > '7' || number >> 60 != 0) {
      return std::nullopt;
    }
    number = number << 3 | static_cast<std::uint64_t>(digit - '0');
  }
  return number;
}

bool HasChecksum(const Block& block) {
  std::uint64_t sum = 0;
  for (std::size_t i = 0; i < block.size(); ++i) {
    sum += i >= 148 && i < 156 ? ' ' : static_cast<unsigned char>(block[i]);
  }
  return NumberField(block, 148, 8) == sum;
}

bool IsZero(const Block& block) {
  return std::all_of(block.begin(), block.end(), [](char c) { return c == 0; });
}

class TarReader {
 public:
  TarReader(const ArchiveFile& file, ArchiveTarget& target)
      : stream_(file), target_(target), piece_(kPieceByteSize) {}

  Status Run() {
    Block block;
    while (true) {
      HEADRACE_ASSIGN_OR_RETURN(const bool more, stream_.Read(block));
      if (!more) {
        return Damaged("its end is missing");
      }
      if (IsZero(block)) {
        return End();
      }
      HEADRACE_RETURN_IF_ERROR(Entry(block));
    }
  }

 private:
  Status Entry(const Block& block) {
    const std::optional<std::uint64_t> said = NumberField(block, 124, 12);
    const std::optional<std::uint64_t> mode = NumberField(block, 100, 8);
    if (!HasChecksum(block) || !said || !mode) {
      return Damaged("the head of an entry cannot be read");
    }
    switch (block[156]) {
      case 'x':
        HEADRACE_RETURN_IF_ERROR(Describe(*said));
        return ReadPax();
      case 'g':  // nothing that we would use
        HEADRACE_RETURN_IF_ERROR(Describe(*said));
        return OkStatus();
      case 'L':
        HEADRACE_RETURN_IF_ERROR(Describe(*said));
        name_ = description_.substr(0, description_.find('\0'));
        return OkStatus();
      default:
        break;
    }
    const std::string name = name_ ? *std::move(name_) : NameIn(block);
    const std::uint64_t byte_size = size_.value_or(*said);
    name_.reset();
    size_.reset();
    if ((*mode & 07000) != 0) {
      return InvalidArgument("entry {} has a set-user or set-group bit", ShownEntry(name));
    }
    switch (block[156]) {
      case '0':
      case '\0':
        return File(name, byte_size);
      case '5':
        return byte_size == 0 ? Directory(name) : Damaged("a directory has contents");
      default:
        return InvalidArgument("entry {} is a link or a special file", ShownEntry(name));
    }
  }

  static std::string NameIn(const Block& block) {
    std::string name(Field(block, 0, 100));
    const bool posix = std::memcmp(block.data() + 257, "ustar\0", 6) == 0;
    if (const std::string_view prefix = Field(block, 345, 155); posix && !prefix.empty()) {
      name = fmt::format("{}/{}", prefix, name);
    }
    return name;
  }

  // Without the folder that all entries lie in; empty for that itself.
  Result<std::string_view> Inner(std::string_view name) {
    const std::size_t slash = name.find('/');
    const std::string_view root = name.substr(0, slash);
    // The path as a whole must be good, too; "./" is how tar calls the folder that it is in.
    if (root != ".") {
      HEADRACE_RETURN_IF_ERROR(SplitArchivePath(name).status());
    }
    if (root_ && *root_ != root) {
      return InvalidArgument("entry {} is not in the folder '{}' of the entries before it",
                             ShownEntry(name), *root_);
    }
    root_ = root;
    return slash == std::string_view::npos ? std::string_view() : name.substr(slash + 1);
  }

  Status Directory(std::string_view name) {
    HEADRACE_ASSIGN_OR_RETURN(const std::string_view inner, Inner(name));
    return inner.empty() ? target_.CountEntry() : target_.AddDirectory(inner);
  }

  Status File(std::string_view name, std::uint64_t byte_size) {
    HEADRACE_ASSIGN_OR_RETURN(const std::string_view inner, Inner(name));
    if (inner.empty() || inner.ends_with('/')) {
      return InvalidArgument("entry {} must lie in the archive's folder", ShownEntry(name));
    }
    HEADRACE_RETURN_IF_ERROR(target_.BeginFile(inner, byte_size));
    HEADRACE_RETURN_IF_ERROR(
        Contents(byte_size, [this](std::string_view bytes) { return target_.Write(bytes); }));
    return target_.EndFile();
  }

  template <typename Take>
  Status Contents(std::uint64_t byte_size, Take take) {
    while (byte_size > 0) {
      const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(byte_size, piece_.size()));
      const std::size_t padded = (size + kBlockByteSize - 1) / kBlockByteSize * kBlockByteSize;
      HEADRACE_ASSIGN_OR_RETURN(const bool more, stream_.Read(std::span(piece_.data(), padded)));
      if (!more) {
        return Damaged("it ends within an entry");
      }
      HEADRACE_RETURN_IF_ERROR(take(std::string_view(piece_.data(), size)));
      byte_size -= size;
    }
    return OkStatus();
  }

  Status Describe(std::uint64_t byte_size) {
    HEADRACE_RETURN_IF_ERROR(target_.CountEntry());
    if (byte_size > kDescriptionByteSizeMax) {
      return InvalidArgument("the description of an entry has {} bytes, the limit is {}", byte_size,
                             kDescriptionByteSizeMax);
    }
    description_.clear();
    return Contents(byte_size, [this](std::string_view bytes) {
      description_ += bytes;
      return OkStatus();
    });
  }

  // "<size of the record> <key>=<value>\n" each.
  Status ReadPax() {
    std::string_view rest = description_;
    while (!rest.empty()) {
      const std::size_t blank = rest.find(' ');
      const auto size = ParseDecimal<std::size_t>(rest.substr(0, blank));
      if (!size || blank == std::string_view::npos || *size > rest.size() || *size < blank + 2) {
        return Damaged("the description of an entry cannot be read");
      }
      const std::string_view record = rest.substr(blank + 1, *size - blank - 2);
      const std::size_t equals = record.find('=');
      if (rest[*size - 1] != '\n' || equals == std::string_view::npos) {
        return Damaged("the description of an entry cannot be read");
      }
      const std::string_view key = record.substr(0, equals), value = record.substr(equals + 1);
      if (key == "path") {
        name_ = value;
      } else if (key == "size") {
        size_ = ParseDecimal<std::uint64_t>(value);
        if (!size_) {
          return Damaged("the size of an entry cannot be read");
        }
      } else if (key == "linkpath" || key.starts_with("GNU.sparse")) {
        return InvalidArgument("the archive holds a link or a sparse file");
      }
      rest.remove_prefix(*size);
    }
    return OkStatus();
  }

  // Behind the first zero block: more of them, and nothing else.
  Status End() {
    Block block;
    for (std::size_t count = 1;; ++count) {
      HEADRACE_ASSIGN_OR_RETURN(const bool more, stream_.Read(block));
      if (!more) {
        return count >= 2 && stream_.AtEndOfFile()
                   ? OkStatus()
                   : Damaged("its end is missing, or more follows it");
      }
      constexpr std::size_t kEndBlockCountMax = 2048;
      if (!IsZero(block) || count == kEndBlockCountMax) {
        return Damaged("more follows its end");
      }
    }
  }

  TarStream stream_;
  ArchiveTarget& target_;
  std::vector<char> piece_;
  std::string description_;
  std::optional<std::string> name_;    // of the next entry
  std::optional<std::uint64_t> size_;  // the same
  std::optional<std::string> root_;
};

}  // namespace

Status UnpackTar(const ArchiveFile& file, ArchiveTarget& target) {
  return TarReader(file, target).Run();
}

}  // namespace headrace::repository
