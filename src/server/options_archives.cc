#include "server/option_rows.h"

namespace headrace::server {

void AppendArchiveOptions(std::vector<Option>& options) {
  options.push_back(Number("archive-bytes-max", "Limits", &ServerConfig::archive_byte_size_max,
                           "BYTES", "All that an archive of a model may unpack to."));
  options.push_back(Number("archive-entry-bytes-max", "Limits",
                           &ServerConfig::archive_entry_byte_size_max, "BYTES",
                           "The same of one file in it."));
  options.push_back(Number("archive-entry-count-max", "Limits",
                           &ServerConfig::archive_entry_count_max, "COUNT",
                           "Files and directories that an archive of a model may hold."));
}

}  // namespace headrace::server
