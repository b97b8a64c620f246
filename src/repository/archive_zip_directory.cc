#include "repository/archive_zip_directory.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>

#include "repository/archive_names.h"

namespace headrace::repository {
namespace {

constexpr std::size_t kEndByteSize = 22, kEnd64ByteSize = 56, kLocatorByteSize = 20;
constexpr std::size_t kCentralByteSize = 46, kLocalByteSize = 30;
constexpr std::size_t kCommentByteSizeMax = 1024;
constexpr std::uint64_t kDirectoryByteSizeMax = std::uint64_t{64} << 20;
constexpr std::uint16_t kFull16 = 0xffff;
constexpr std::uint32_t kFull32 = 0xffffffff;
constexpr std::uint16_t kZip64Extra = 1;
constexpr std::uint16_t kEncrypted = 1, kStrongEncryption = 1 << 6, kMaskedHeaders = 1 << 13;
constexpr std::uint16_t kSizesFollow = 1 << 3;
constexpr std::uint8_t kMadeOnUnix = 3;

std::uint64_t Number(std::string_view bytes, std::size_t offset, std::size_t size) {
  std::uint64_t number = 0;
  std::memcpy(&number, bytes.data() + offset, size);  // little-endian, as we are
  return number;
}
std::uint16_t U16(std::string_view bytes, std::size_t offset) {
  return static_cast<std::uint16_t>(Number(bytes, offset, 2));
}
std::uint32_t U32(std::string_view bytes, std::size_t offset) {
  return static_cast<std::uint32_t>(Number(bytes, offset, 4));
}
std::uint64_t U64(std::string_view bytes, std::size_t offset) { return Number(bytes, offset, 8); }

Status Damaged(std::string_view what) {
  return InvalidArgument("the archive is damaged: {}", what);
}

struct Directory {
  std::uint64_t entry_count = 0, byte_size = 0, offset = 0;
  bool operator==(const Directory&) const = default;
};

Result<std::string> ReadString(const ArchiveFile& file, std::uint64_t offset, std::size_t size) {
  std::string bytes(size, '\0');
  HEADRACE_RETURN_IF_ERROR(file.Read(offset, bytes));
  return bytes;
}

// What a 64-bit end says, where the archive has one.
Status ReadEnd64(const ArchiveFile& file, std::uint64_t end_offset, Directory& directory) {
  if (end_offset < kLocatorByteSize + kEnd64ByteSize) {
    return Damaged("its 64-bit end is missing");
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::string locator,
                            ReadString(file, end_offset - kLocatorByteSize, kLocatorByteSize));
  if (U32(locator, 0) != 0x07064b50 || U32(locator, 16) != 1) {
    return Damaged("its 64-bit end is missing");
  }
  const std::uint64_t offset = U64(locator, 8);
  if (offset != end_offset - kLocatorByteSize - kEnd64ByteSize) {
    return Damaged("its 64-bit end is not where it should be");
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::string end, ReadString(file, offset, kEnd64ByteSize));
  if (U32(end, 0) != 0x06064b50 || U32(end, 16) != 0 || U32(end, 20) != 0 ||
      U64(end, 24) != U64(end, 32)) {
    return Damaged("its 64-bit end cannot be read, or it is one of several volumes");
  }
  directory = {U64(end, 32), U64(end, 40), U64(end, 48)};
  return directory.offset <= offset && directory.byte_size == offset - directory.offset
             ? OkStatus()
             : Damaged("its directory does not end where the end begins");
}

Result<Directory> FindDirectory(const ArchiveFile& file) {
  if (file.byte_size() < kEndByteSize) {
    return InvalidArgument("the file is no archive: it has only {} bytes", file.byte_size());
  }
  const auto tail_size = static_cast<std::size_t>(
      std::min<std::uint64_t>(file.byte_size(), kEndByteSize + kCommentByteSizeMax));
  HEADRACE_ASSIGN_OR_RETURN(const std::string tail,
                            ReadString(file, file.byte_size() - tail_size, tail_size));
  for (std::size_t at = tail_size - kEndByteSize + 1; at-- > 0;) {
    const std::string_view end = std::string_view(tail).substr(at);
    if (U32(end, 0) != 0x06054b50 || end.size() != kEndByteSize + U16(end, 20)) {
      continue;
    }
    if (U16(end, 4) != 0 || U16(end, 6) != 0 || U16(end, 8) != U16(end, 10)) {
      return InvalidArgument("the archive is one of several volumes");
    }
    const std::uint64_t end_offset = file.byte_size() - end.size();
    Directory directory{U16(end, 10), U32(end, 12), U32(end, 16)};
    if (directory.entry_count == kFull16 || directory.byte_size == kFull32 ||
        directory.offset == kFull32) {
      HEADRACE_RETURN_IF_ERROR(ReadEnd64(file, end_offset, directory));
    } else if (directory.offset > end_offset ||
               directory.byte_size != end_offset - directory.offset) {
      // Some, torch.save among them, write a 64-bit end that is not needed. It must say the same.
      Directory again;
      if (!ReadEnd64(file, end_offset, again).ok() || again != directory) {
        return Damaged("its directory does not end where the end begins");
      }
    }
    return directory;
  }
  return Damaged("it has no end, or a comment of more than 1024 bytes");
}

// Takes from the extra fields what did not fit into 32 bits.
Status ReadZip64Extra(std::string_view extra, ZipEntry& entry) {
  while (extra.size() >= 4) {
    const std::uint16_t id = U16(extra, 0), size = U16(extra, 2);
    extra.remove_prefix(4);
    if (size > extra.size()) {
      break;
    }
    if (id == kZip64Extra) {
      std::string_view values = extra.substr(0, size);
      for (std::uint64_t* value : {&entry.byte_size, &entry.packed_byte_size, &entry.offset}) {
        if (*value == kFull32) {
          if (values.size() < 8) {
            return Damaged("the size of an entry is missing");
          }
          *value = U64(values, 0);
          values.remove_prefix(8);
        }
      }
      return OkStatus();
    }
    extra.remove_prefix(size);
  }
  const bool needed =
      entry.byte_size == kFull32 || entry.packed_byte_size == kFull32 || entry.offset == kFull32;
  return needed ? Damaged("the size of an entry is missing") : OkStatus();
}

Status CheckMode(const ZipEntry& entry, std::uint32_t mode) {
  const std::uint32_t type = mode & S_IFMT;
  if (type != 0 && type != S_IFREG && type != S_IFDIR) {
    return InvalidArgument("entry {} is a link or a special file", ShownEntry(entry.name));
  }
  if ((type == S_IFDIR) && !entry.name.ends_with('/')) {
    return InvalidArgument("entry {} is a directory by its mode and none by its name",
                           ShownEntry(entry.name));
  }
  if ((mode & (S_ISUID | S_ISGID | S_ISVTX)) != 0) {
    return InvalidArgument("entry {} has a set-user or set-group bit", ShownEntry(entry.name));
  }
  return OkStatus();
}

Status CheckEntry(const ZipEntry& entry) {
  const std::string shown = ShownEntry(entry.name);
  if ((entry.flags & (kEncrypted | kStrongEncryption | kMaskedHeaders)) != 0) {
    return InvalidArgument("entry {} is encrypted", shown);
  }
  constexpr std::uint16_t kStored = 0, kDeflated = 8;
  if (entry.method != kStored && entry.method != kDeflated) {
    return InvalidArgument("entry {} is packed by method {}; stored and deflate are known", shown,
                           entry.method);
  }
  if (entry.method == kStored && entry.packed_byte_size != entry.byte_size) {
    return InvalidArgument("entry {} is stored and has two sizes", shown);
  }
  if (entry.name.ends_with('/') && entry.byte_size != 0) {
    return InvalidArgument("entry {} is a directory with contents", shown);
  }
  return OkStatus();
}

// One entry of the directory; takes its bytes from `bytes`.
Result<ZipEntry> ReadCentral(std::string_view& bytes) {
  if (bytes.size() < kCentralByteSize || U32(bytes, 0) != 0x02014b50) {
    return Damaged("an entry of its directory cannot be read");
  }
  const std::size_t name_size = U16(bytes, 28), extra_size = U16(bytes, 30),
                    comment_size = U16(bytes, 32);
  const std::size_t size = kCentralByteSize + name_size + extra_size + comment_size;
  if (bytes.size() < size || U16(bytes, 34) != 0) {
    return Damaged("an entry of its directory cannot be read");
  }
  ZipEntry entry;
  entry.flags = U16(bytes, 8);
  entry.method = U16(bytes, 10);
  entry.crc = U32(bytes, 16);
  entry.packed_byte_size = U32(bytes, 20);
  entry.byte_size = U32(bytes, 24);
  entry.offset = U32(bytes, 42);
  entry.name = bytes.substr(kCentralByteSize, name_size);
  HEADRACE_RETURN_IF_ERROR(
      ReadZip64Extra(bytes.substr(kCentralByteSize + name_size, extra_size), entry));
  if (static_cast<std::uint8_t>(bytes[5]) == kMadeOnUnix) {
    HEADRACE_RETURN_IF_ERROR(CheckMode(entry, U32(bytes, 38) >> 16));
  }
  HEADRACE_RETURN_IF_ERROR(CheckEntry(entry));
  bytes.remove_prefix(size);
  return entry;
}

// Compares with the entry's own header, and finds its data.
Status ReadLocal(const ArchiveFile& file, ZipEntry& entry) {
  std::array<char, kLocalByteSize> head;
  HEADRACE_RETURN_IF_ERROR(file.Read(entry.offset, head));
  const std::string_view bytes(head.data(), head.size());
  const std::size_t name_size = U16(bytes, 26), extra_size = U16(bytes, 28);
  const bool same = U32(bytes, 0) == 0x04034b50 && U16(bytes, 6) == entry.flags &&
                    U16(bytes, 8) == entry.method && name_size == entry.name.size();
  if (!same) {
    return Damaged(fmt::format("entry {} has two descriptions", ShownEntry(entry.name)));
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::string rest, ReadString(file, entry.offset + kLocalByteSize,
                                                               name_size + extra_size));
  ZipEntry local;
  local.crc = U32(bytes, 14);
  local.packed_byte_size = U32(bytes, 18);
  local.byte_size = U32(bytes, 22);
  HEADRACE_RETURN_IF_ERROR(ReadZip64Extra(std::string_view(rest).substr(name_size), local));
  const bool sizes_follow = (entry.flags & kSizesFollow) != 0;
  const bool sizes_are_zero = local.crc == 0 && local.packed_byte_size == 0 && local.byte_size == 0;
  if (rest.substr(0, name_size) != entry.name ||
      !((sizes_follow && sizes_are_zero) ||
        (local.crc == entry.crc && local.packed_byte_size == entry.packed_byte_size &&
         local.byte_size == entry.byte_size))) {
    return Damaged(fmt::format("entry {} has two descriptions", ShownEntry(entry.name)));
  }
  entry.data_offset = entry.offset + kLocalByteSize + name_size + extra_size;
  return OkStatus();
}

Status CheckOverlap(const std::vector<ZipEntry>& entries, std::uint64_t directory_offset) {
  std::uint64_t end = 0;
  for (const ZipEntry& entry : entries) {
    if (entry.offset < end) {
      return Damaged(fmt::format("entry {} overlaps another", ShownEntry(entry.name)));
    }
    if (entry.data_offset > directory_offset ||
        entry.packed_byte_size > directory_offset - entry.data_offset) {
      return Damaged(
          fmt::format("entry {} does not end before the directory", ShownEntry(entry.name)));
    }
    end = entry.data_offset + entry.packed_byte_size;
  }
  return OkStatus();
}

}  // namespace

Result<std::vector<ZipEntry>> ReadZipDirectory(const ArchiveFile& file,
                                               const ArchiveLimits& limits) {
  HEADRACE_ASSIGN_OR_RETURN(const Directory directory, FindDirectory(file));
  if (directory.entry_count > limits.entry_count_max) {
    return InvalidArgument(
        "the archive has {} entries, the limit is {} (--archive-entry-count-max)",
        directory.entry_count, limits.entry_count_max);
  }
  if (directory.byte_size > kDirectoryByteSizeMax) {
    return InvalidArgument("the archive's directory has {} bytes, the limit is {}",
                           directory.byte_size, kDirectoryByteSizeMax);
  }
  HEADRACE_ASSIGN_OR_RETURN(
      const std::string bytes,
      ReadString(file, directory.offset, static_cast<std::size_t>(directory.byte_size)));
  std::string_view rest = bytes;
  std::vector<ZipEntry> entries;
  for (std::uint64_t i = 0; i < directory.entry_count; ++i) {
    HEADRACE_ASSIGN_OR_RETURN(ZipEntry entry, ReadCentral(rest));
    entries.push_back(std::move(entry));
  }
  if (!rest.empty()) {
    return Damaged("its directory has more entries than its end says");
  }
  std::sort(entries.begin(), entries.end(),
            [](const ZipEntry& a, const ZipEntry& b) { return a.offset < b.offset; });
  for (ZipEntry& entry : entries) {
    HEADRACE_RETURN_IF_ERROR(ReadLocal(file, entry));
  }
  HEADRACE_RETURN_IF_ERROR(CheckOverlap(entries, directory.offset));
  return entries;
}

}  // namespace headrace::repository
