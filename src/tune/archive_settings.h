// model-config.yaml inside an archive of TorchServe's form: read, and put in.
#ifndef HEADRACE_TUNE_ARCHIVE_SETTINGS_H_
#define HEADRACE_TUNE_ARCHIVE_SETTINGS_H_

#include <string>
#include <string_view>

#include "base/result.h"

namespace headrace::tune {

struct ArchiveSettings {
  std::string manifest;     // MAR-INF/MANIFEST.json
  std::string config_file;  // that it names; "" = none
  std::string yaml;         // that file's text
  bool zip = true;          // else a tar, which is not written anew
};

// Unpacks the archive into a folder for the time of the call. Fails as a load of it would. Blocks.
Result<ArchiveSettings> ReadArchiveSettings(const std::string& archive);

// `archive` with `yaml` as its settings' file, which the manifest names then; everything else in it
// stays as it is. The file as it was is kept beside it (KeepBeside, whose path is returned), and is
// in its place until the new one is whole and has been read back. `settings`: of
// ReadArchiveSettings, with `zip`. Blocks.
Result<std::string> WriteArchiveSettings(const std::string& archive,
                                         const ArchiveSettings& settings, std::string_view yaml);

// A copy of the file, or another name of it, `path`.before-tune; with a number behind it where that
// is there already, so that nothing is ever lost. Returns its path.
Result<std::string> KeepBeside(const std::string& path);

}  // namespace headrace::tune

#endif  // HEADRACE_TUNE_ARCHIVE_SETTINGS_H_
