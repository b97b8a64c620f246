#include "tune/zip_rewrite.h"

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <span>
#include <string_view>
#include <vector>

#include "repository/archive_file.h"
#include "repository/archive_zip_directory.h"

namespace headrace::tune {
namespace {

using repository::ArchiveFile;

// APPNOTE 4.3.7, 4.3.12, 4.3.16.
constexpr std::uint32_t kLocalSignature = 0x04034b50, kCentralSignature = 0x02014b50,
                        kEndSignature = 0x06054b50;
constexpr std::size_t kCentralByteSize = 46;
constexpr std::size_t kOffsetAt = 42;  // in an entry of the directory
constexpr std::uint64_t kFull32 = 0xffffffff;
constexpr std::size_t kEntryCountMax = 0xfffe, kChunk = std::size_t{1} << 20;
constexpr std::uint16_t kVersion = 20, kMadeOnUnix = 3 << 8, kNamesAreUtf8 = 1 << 11;
constexpr std::uint16_t kFirstOfJanuary1980 = 0x21;
constexpr std::uint32_t kRegularFile = std::uint32_t{0100644} << 16;

std::uint64_t Number(std::string_view bytes, std::size_t at, std::size_t size) {
  std::uint64_t number = 0;
  std::memcpy(&number, bytes.data() + at, size);  // little-endian, as we are
  return number;
}

void Put16(std::string& to, std::uint16_t number) {
  to.append(reinterpret_cast<const char*>(&number), sizeof number);
}
void Put32(std::string& to, std::uint64_t number) {
  const auto narrow = static_cast<std::uint32_t>(number);
  to.append(reinterpret_cast<const char*>(&narrow), sizeof narrow);
}

struct Record {
  std::string bytes;  // of the directory
  std::string name;
  std::uint64_t begin = 0, end = 0;  // of the entry itself, with its header
};

// The entries have been looked at by ReadZipDirectory.
Result<std::vector<Record>> ReadRecords(const ArchiveFile& file) {
  HEADRACE_ASSIGN_OR_RETURN(const repository::ZipDirectoryPlace place,
                            repository::FindZipDirectory(file));
  if (place.is_64 || place.entry_count >= kEntryCountMax) {
    return InvalidArgument("archives of 4 GiB, or of 65,534 files, are not written anew");
  }
  std::string directory(static_cast<std::size_t>(place.byte_size), '\0');
  HEADRACE_RETURN_IF_ERROR(file.Read(place.offset, directory));
  std::vector<Record> records;
  for (std::size_t from = 0; from + kCentralByteSize <= directory.size();) {
    const std::size_t name_size = Number(directory, from + 28, 2);
    const std::size_t whole = kCentralByteSize + name_size + Number(directory, from + 30, 2) +
                              Number(directory, from + 32, 2);
    if (Number(directory, from, 4) != kCentralSignature || whole > directory.size() - from) {
      return InvalidArgument("the archive is damaged: its directory cannot be read");
    }
    Record record{.bytes = directory.substr(from, whole),
                  .name = directory.substr(from + kCentralByteSize, name_size)};
    record.begin = Number(record.bytes, kOffsetAt, 4);
    records.push_back(std::move(record));
    from += whole;
  }
  std::sort(records.begin(), records.end(),
            [](const Record& a, const Record& b) { return a.begin < b.begin; });
  for (std::size_t i = 0; i < records.size(); ++i) {
    records[i].end = i + 1 < records.size() ? records[i + 1].begin : place.offset;
    if (records[i].begin > records[i].end) {
      return InvalidArgument("the archive is damaged: an entry lies behind its end");
    }
  }
  return records;
}

class Writer {
 public:
  explicit Writer(const std::string& path)
      : path_(path), out_(path, std::ios::binary | std::ios::trunc) {}

  Status Copy(const ArchiveFile& file, const Record& record) {
    std::string entry = record.bytes;
    const auto place = static_cast<std::uint32_t>(at_);
    std::memcpy(entry.data() + kOffsetAt, &place, sizeof place);
    directory_ += entry;
    ++count_;
    for (std::uint64_t from = record.begin; from < record.end;) {
      chunk_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(kChunk, record.end - from)));
      HEADRACE_RETURN_IF_ERROR(file.Read(from, chunk_));
      Add(chunk_);
      from += chunk_.size();
    }
    return OkStatus();
  }

  void AddFile(const std::string& name, const std::string& content) {
    const auto crc =
        crc32(0, reinterpret_cast<const Bytef*>(content.data()), static_cast<uInt>(content.size()));
    std::string common;  // to both headers
    Put16(common, kVersion);
    Put16(common, kNamesAreUtf8);
    Put16(common, 0);  // not packed
    Put16(common, 0);
    Put16(common, kFirstOfJanuary1980);
    Put32(common, crc);
    Put32(common, content.size());
    Put32(common, content.size());
    Put16(common, static_cast<std::uint16_t>(name.size()));
    Put16(common, 0);
    std::string local;
    Put32(local, kLocalSignature);
    local += common + name;
    Put32(directory_, kCentralSignature);
    Put16(directory_, kMadeOnUnix | kVersion);
    directory_ += common;
    Put16(directory_, 0);  // no comment
    Put16(directory_, 0);
    Put16(directory_, 0);
    Put32(directory_, kRegularFile);
    Put32(directory_, at_);
    directory_ += name;
    ++count_;
    Add(local);
    Add(content);
  }

  Status End() {
    const std::uint64_t offset = at_;
    Add(directory_);
    if (at_ >= kFull32) {
      return InvalidArgument("the archive would have 4 GiB and more");
    }
    std::string end;
    Put32(end, kEndSignature);
    Put32(end, 0);
    Put16(end, count_);
    Put16(end, count_);
    Put32(end, directory_.size());
    Put32(end, offset);
    Put16(end, 0);
    Add(end);
    out_.close();
    return out_ ? OkStatus() : Unavailable("{}: it cannot be written", path_);
  }

 private:
  void Add(std::string_view bytes) {
    out_.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    at_ += bytes.size();
  }

  const std::string path_;
  std::ofstream out_;
  std::uint64_t at_ = 0;
  std::string directory_, chunk_;
  std::uint16_t count_ = 0;
};

}  // namespace

Status RewriteZip(const std::string& from, const std::string& to,
                  const std::map<std::string, std::string>& files) {
  HEADRACE_ASSIGN_OR_RETURN(const ArchiveFile file, ArchiveFile::Open(from));
  HEADRACE_RETURN_IF_ERROR(repository::ReadZipDirectory(file, {}).status());
  HEADRACE_ASSIGN_OR_RETURN(const std::vector<Record> records, ReadRecords(file));
  Writer writer(to);
  for (const Record& record : records) {
    if (files.count(record.name) == 0) {
      HEADRACE_RETURN_IF_ERROR(writer.Copy(file, record));
    }
  }
  for (const auto& [name, content] : files) {
    writer.AddFile(name, content);
  }
  return writer.End();
}

}  // namespace headrace::tune
