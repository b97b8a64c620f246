#include "repository/native_vocabulary.h"

#include <zlib.h>

#include <cstdint>
#include <string_view>
#include <utility>

#include "repository/repository_files.h"

namespace headrace::repository {
namespace {

using std::string_view_literals::operator""sv;

constexpr std::size_t kByteSizeMax = std::size_t{256} << 20;

// Of the header before an entry of a zip, and of the descriptor that may follow it.
constexpr std::string_view kHeaderMark = "PK\x03\x04"sv, kDescriptorMark = "PK\x07\x08"sv;
constexpr std::size_t kHeaderByteSize = 30, kDescriptorByteSize = 12;
constexpr std::size_t kFlagsAt = 6, kMethodAt = 8, kCrcAt = 14, kByteSizeAt = 22, kNameSizeAt = 26,
                      kExtraSizeAt = 28;
constexpr std::uint64_t kHasDescriptor = 8, kEncrypted = 1;

// Requires that there are so many bytes.
std::uint64_t Number(std::string_view bytes, std::size_t at, std::size_t byte_size) {
  std::uint64_t number = 0;
  for (std::size_t i = byte_size; i-- > 0;) {
    number = number << 8U | static_cast<std::uint8_t>(bytes[at + i]);
  }
  return number;
}

// torch.save puts all entries into one folder.
bool IsPickle(std::string_view name) {
  const std::size_t slash = name.find('/');
  return slash != std::string_view::npos && name.substr(slash) == "/data.pkl";
}

// The checksum and the size of the first entry, whose data begin at `data_at`, must be those of the
// pickle, which says itself where it ends.
Status CheckEntry(std::string_view file, std::size_t data_at, std::size_t byte_size) {
  std::uint64_t crc = Number(file, kCrcAt, 4), said = Number(file, kByteSizeAt, 4);
  if ((Number(file, kFlagsAt, 2) & kHasDescriptor) != 0) {
    const std::string_view behind = file.substr(data_at + byte_size);
    if (behind.size() < kDescriptorByteSize || !behind.starts_with(kDescriptorMark)) {
      return InvalidArgument("its data.pkl goes on behind the pickle, or is cut short");
    }
    crc = Number(behind, 4, 4);
    said = Number(behind, 8, 4);
  }
  const auto* const bytes = reinterpret_cast<const unsigned char*>(file.data() + data_at);
  if (said != byte_size || crc != crc32_z(0, bytes, byte_size)) {
    return InvalidArgument("its data.pkl does not have its size or its checksum");
  }
  return OkStatus();
}

}  // namespace

Result<handler::Vocabulary> ReadVocabulary(const std::string& path) {
  HEADRACE_ASSIGN_OR_RETURN(std::string file, ReadFile(path, kByteSizeMax));
  return ParseVocabulary(std::move(file));
}

Result<handler::Vocabulary> ParseVocabulary(std::string file) {
  if (handler::Vocabulary::IsLegacyFile(file)) {
    return handler::Vocabulary::FromLegacyFile(std::move(file));
  }
  if (file.size() < kHeaderByteSize || !file.starts_with(kHeaderMark)) {
    return InvalidArgument("it is no file of torch.save");
  }
  const std::size_t name_size = Number(file, kNameSizeAt, 2);
  const std::size_t data_at = kHeaderByteSize + name_size + Number(file, kExtraSizeAt, 2);
  if (data_at > file.size() ||
      !IsPickle(std::string_view(file).substr(kHeaderByteSize, name_size)) ||
      Number(file, kMethodAt, 2) != 0 || (Number(file, kFlagsAt, 2) & kEncrypted) != 0) {
    return InvalidArgument("its first entry is no data.pkl that is stored as it is");
  }
  std::size_t byte_size = 0;
  HEADRACE_ASSIGN_OR_RETURN(handler::Vocabulary vocabulary,
                            handler::Vocabulary::FromPickle(file.substr(data_at), &byte_size));
  HEADRACE_RETURN_IF_ERROR(CheckEntry(file, data_at, byte_size));
  return vocabulary;
}

}  // namespace headrace::repository
