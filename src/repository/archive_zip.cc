#include <zlib.h>

#include <algorithm>
#include <vector>

#include "repository/archive_unpack.h"
#include "repository/archive_zip_directory.h"
#include "repository/inflater.h"

namespace headrace::repository {
namespace {

constexpr std::size_t kPieceByteSize = std::size_t{128} << 10;

Status Damaged(const ZipEntry& entry, std::string_view what) {
  return InvalidArgument("the archive is damaged: entry {} {}", ShownEntry(entry.name), what);
}

// Reads the data of one entry, hands it on unpacked, and checks that it is what the directory says.
class EntryReader {
 public:
  EntryReader(const ArchiveFile& file, const ZipEntry& entry, ArchiveTarget& target,
              std::vector<char>& input, std::vector<char>& output)
      : file_(file), entry_(entry), target_(target), input_(input), output_(output) {}

  Status Run() {
    HEADRACE_RETURN_IF_ERROR(target_.BeginFile(entry_.name, entry_.byte_size));
    HEADRACE_RETURN_IF_ERROR(entry_.method == 0 ? Copy() : Inflate());
    if (byte_size_ != entry_.byte_size) {
      return Damaged(entry_, "has another size than the directory says");
    }
    if (crc_ != entry_.crc) {
      return Damaged(entry_, "does not have its checksum");
    }
    return target_.EndFile();
  }

 private:
  // The next packed bytes; none at their end.
  Result<std::span<const char>> Next() {
    const std::uint64_t left = entry_.packed_byte_size - read_;
    const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(left, input_.size()));
    const std::span<char> piece(input_.data(), size);
    HEADRACE_RETURN_IF_ERROR(file_.Read(entry_.data_offset + read_, piece));
    read_ += size;
    return std::span<const char>(piece);
  }

  Status Take(std::span<const char> bytes) {
    byte_size_ += bytes.size();
    if (byte_size_ > entry_.byte_size) {
      return Damaged(entry_, "has another size than the directory says");
    }
    crc_ = static_cast<std::uint32_t>(
        crc32_z(crc_, reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size()));
    return target_.Write({bytes.data(), bytes.size()});
  }

  Status Copy() {
    while (read_ < entry_.packed_byte_size) {
      HEADRACE_ASSIGN_OR_RETURN(const auto bytes, Next());
      HEADRACE_RETURN_IF_ERROR(Take(bytes));
    }
    return OkStatus();
  }

  Status Inflate() {
    Inflater inflater(Inflater::Format::kRaw);
    while (!inflater.done()) {
      if (inflater.input_byte_size() == 0 && read_ < entry_.packed_byte_size) {
        HEADRACE_ASSIGN_OR_RETURN(const auto bytes, Next());
        inflater.Feed(bytes);
      }
      HEADRACE_ASSIGN_OR_RETURN(const std::size_t size, inflater.Read(output_));
      const bool starved = inflater.input_byte_size() == 0 && read_ == entry_.packed_byte_size;
      if (size == 0 && starved && !inflater.done()) {
        return Damaged(entry_, "ends before its data do");
      }
      HEADRACE_RETURN_IF_ERROR(Take({output_.data(), size}));
    }
    return inflater.input_byte_size() == 0 && read_ == entry_.packed_byte_size
               ? OkStatus()
               : Damaged(entry_, "goes on behind its data");
  }

  const ArchiveFile& file_;
  const ZipEntry& entry_;
  ArchiveTarget& target_;
  std::vector<char>& input_;
  std::vector<char>& output_;
  std::uint64_t read_ = 0;
  std::uint64_t byte_size_ = 0;
  std::uint32_t crc_ = 0;
};

}  // namespace

Status UnpackZip(const ArchiveFile& file, const ArchiveLimits& limits, ArchiveTarget& target) {
  HEADRACE_ASSIGN_OR_RETURN(const std::vector<ZipEntry> entries, ReadZipDirectory(file, limits));
  std::vector<char> input(kPieceByteSize), output(kPieceByteSize);
  for (const ZipEntry& entry : entries) {
    HEADRACE_RETURN_IF_ERROR(entry.name.ends_with('/')
                                 ? target.AddDirectory(entry.name)
                                 : EntryReader(file, entry, target, input, output).Run());
  }
  return OkStatus();
}

}  // namespace headrace::repository
