#include "repository/native_vocabulary.h"

#include <zlib.h>

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include "repository/archive_file.h"
#include "repository/archive_zip_directory.h"

namespace headrace::repository {
namespace {

constexpr std::uint64_t kByteSizeMax = std::uint64_t{256} << 20;
constexpr std::uint16_t kStored = 0;

Result<std::string> ReadBytes(const ArchiveFile& file, std::uint64_t offset,
                              std::uint64_t byte_size) {
  if (byte_size > kByteSizeMax) {
    return InvalidArgument("it has {} bytes, the limit is {}", byte_size, kByteSizeMax);
  }
  std::string bytes(static_cast<std::size_t>(byte_size), '\0');
  HEADRACE_RETURN_IF_ERROR(file.Read(offset, bytes));
  return bytes;
}

// torch.save puts all entries into one folder, and packs none.
bool IsPickle(const ZipEntry& entry) {
  const std::size_t slash = entry.name.find('/');
  return slash != std::string::npos && entry.name.substr(slash) == "/data.pkl" &&
         entry.method == kStored;
}

Result<std::string> ReadPickle(const ArchiveFile& file) {
  HEADRACE_ASSIGN_OR_RETURN(const std::vector<ZipEntry> entries, ReadZipDirectory(file, {}));
  const auto entry = std::find_if(entries.begin(), entries.end(), IsPickle);
  if (entry == entries.end()) {
    return InvalidArgument("it has no data.pkl that is stored as it is");
  }
  HEADRACE_ASSIGN_OR_RETURN(std::string pickle,
                            ReadBytes(file, entry->data_offset, entry->byte_size));
  if (entry->crc !=
      crc32_z(0, reinterpret_cast<const unsigned char*>(pickle.data()), pickle.size())) {
    return InvalidArgument("its data.pkl does not have its checksum");
  }
  return pickle;
}

}  // namespace

Result<handler::Vocabulary> ReadVocabulary(const std::string& path) {
  HEADRACE_ASSIGN_OR_RETURN(const ArchiveFile file, ArchiveFile::Open(path));
  HEADRACE_ASSIGN_OR_RETURN(const std::string begin,
                            ReadBytes(file, 0, std::min<std::uint64_t>(file.byte_size(), 2)));
  if (begin != "PK") {
    HEADRACE_ASSIGN_OR_RETURN(std::string all, ReadBytes(file, 0, file.byte_size()));
    return handler::Vocabulary::FromLegacyFile(std::move(all));
  }
  HEADRACE_ASSIGN_OR_RETURN(std::string pickle, ReadPickle(file));
  const std::size_t byte_size = pickle.size();
  std::size_t read_byte_size = 0;
  HEADRACE_ASSIGN_OR_RETURN(handler::Vocabulary vocabulary,
                            handler::Vocabulary::FromPickle(std::move(pickle), &read_byte_size));
  if (read_byte_size != byte_size) {
    return InvalidArgument("its data.pkl goes on behind the pickle");
  }
  return vocabulary;
}

}  // namespace headrace::repository
