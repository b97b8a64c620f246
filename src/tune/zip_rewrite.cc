#include "tune/zip_rewrite.h"

#include <zip.h>

#include <cstdint>
#include <memory>

#include "repository/archive_file.h"
#include "repository/archive_zip_directory.h"

namespace headrace::tune {
namespace {

struct Discard {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
using Archive = std::unique_ptr<zip_t, Discard>;

// Always the same, so that the same files make the same archive.
constexpr std::uint16_t kFirstOfJanuary1980 = 0x21;
constexpr std::uint32_t kRegularFile = std::uint32_t{0100644} << 16;

Status Failed(const std::string& path, zip_error_t* error) {
  return zip_error_system_type(error) == ZIP_ET_SYS
             ? Unavailable("{}: it cannot be written: {}", path, zip_error_strerror(error))
             : InvalidArgument("the archive cannot be written anew: {}", zip_error_strerror(error));
}

// `content` must live until the archive is written.
bool Put(zip_t* archive, const std::string& name, const std::string& content) {
  zip_source_t* source = zip_source_buffer(archive, content.data(), content.size(), 0);
  if (source == nullptr) {
    return false;
  }
  const zip_int64_t added =
      zip_file_add(archive, name.c_str(), source, ZIP_FL_OVERWRITE | ZIP_FL_ENC_UTF_8);
  if (added < 0) {
    zip_source_free(source);
    return false;
  }
  const auto entry = static_cast<zip_uint64_t>(added);
  return zip_set_file_compression(archive, entry, ZIP_CM_STORE, 0) == 0 &&
         zip_file_set_dostime(archive, entry, 0, kFirstOfJanuary1980, 0) == 0 &&
         zip_file_set_external_attributes(archive, entry, 0, ZIP_OPSYS_UNIX, kRegularFile) == 0;
}

// libzip reads what the server refuses, and would write it anew as something else.
Status Check(const std::string& path) {
  HEADRACE_ASSIGN_OR_RETURN(const auto file, repository::ArchiveFile::Open(path));
  return repository::ReadZipDirectory(file, {}).status();
}

}  // namespace

Status RewriteZip(const std::string& path, const std::map<std::string, std::string>& files) {
  HEADRACE_RETURN_IF_ERROR(Check(path));
  int code = 0;
  Archive archive(zip_open(path.c_str(), 0, &code));
  if (archive == nullptr) {
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    Status failed = Failed(path, &error);
    zip_error_fini(&error);
    return failed;
  }
  for (const auto& [name, content] : files) {
    if (!Put(archive.get(), name, content)) {
      return Failed(path, zip_get_error(archive.get()));
    }
  }
  // Writes a file beside it, which gets its name in the end.
  if (zip_close(archive.get()) != 0) {
    return Failed(path, zip_get_error(archive.get()));
  }
  static_cast<void>(archive.release());  // closed is freed
  return OkStatus();
}

}  // namespace headrace::tune
