#include "server/option_rows.h"

namespace headrace::server {

void AppendArchiveOptions(std::vector<Option>& options) {
  constexpr std::uint64_t kByteSizeMax = std::uint64_t{1} << 50;
  options.push_back(Number("archive-bytes-max", "Limits", &ServerConfig::archive_byte_size_max,
                           "BYTES", {1, kByteSizeMax},
                           "All that an archive of a model may unpack to."));
  options.push_back(Number("archive-entry-bytes-max", "Limits",
                           &ServerConfig::archive_entry_byte_size_max, "BYTES", {1, kByteSizeMax},
                           "The same of one file in it."));
  options.push_back(Number("archive-entry-count-max", "Limits",
                           &ServerConfig::archive_entry_count_max, "COUNT", {1, 1'000'000},
                           "Files and directories that an archive of a model may hold."));
}

}  // namespace headrace::server
