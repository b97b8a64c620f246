// Opens workflow archives (contracts, TorchServe 7.3).
#ifndef HEADRACE_STORE_WORKFLOW_ARCHIVE_H_
#define HEADRACE_STORE_WORKFLOW_ARCHIVE_H_

#include <memory>
#include <string>
#include <string_view>

#include "repository/archive_limits.h"
#include "repository/model_plan.h"
#include "repository/override_store.h"
#include "store/store_error.h"
#include "store/workflow_spec.h"

namespace headrace::store {

inline constexpr char kWorkflowManifestFile[] = "WAR-INF/MANIFEST.json";

// Members that are absent are empty.
struct WorkflowManifest {
  std::string name, spec_file, handler;
};
// INVALID_ARGUMENT, in TorchServe's words where it has them.
Result<WorkflowManifest> ParseWorkflowManifest(std::string_view json);

struct WorkflowArchive {
  WorkflowManifest manifest;
  WorkflowSpec spec;
  std::string directory;              // of its files, canonical
  std::shared_ptr<const void> files;  // the directory goes with the last owner of this
};

// `path` is a file or a folder. Blocks on the file system. kInvalidModel for what is no archive or
// is refused (D7), for a manifest without what it must have, and for files that it names and that
// are not in the archive; kBadRequest "Invalid workflow specification: ..." for the specification.
StoreError OpenWorkflowArchive(const std::string& path, const repository::ArchiveLimits& limits,
                               repository::OverrideStore& unpacked, WorkflowArchive& archive);

}  // namespace headrace::store

#endif  // HEADRACE_STORE_WORKFLOW_ARCHIVE_H_
