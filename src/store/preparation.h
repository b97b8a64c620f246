// From a registration to what can be loaded: finds or fetches the archive, unpacks it, reads what
// it says.
#ifndef HEADRACE_STORE_PREPARATION_H_
#define HEADRACE_STORE_PREPARATION_H_

#include <string>
#include <vector>

#include "repository/handler_settings.h"
#include "repository/model_plan.h"
#include "repository/override_store.h"
#include "store/archive_fetcher.h"
#include "store/catalog.h"
#include "store/model_store.h"
#include "store/store_directory.h"
#include "store/store_error.h"

namespace headrace::store {

// An archive that was unpacked, with what is known of its model.
struct Preparation {
  ~Preparation() { Discard(); }
  Preparation() = default;
  Preparation(const Preparation&) = delete;
  Preparation& operator=(const Preparation&) = delete;
  // Removes what was unpacked, and the file that was fetched unless somebody has taken it over.
  void Discard();

  std::string name, version, runtime;
  std::string handler;             // in place of the manifest's; empty: it says
  repository::ModelSource source;  // whose directory has one, "content": the archive's files
  repository::HandlerSettings archive;
  std::vector<std::string> warnings;
  std::string fetched_file;  // empty: none
};

// Thread-safe; borrows everything.
class Preparer {
 public:
  Preparer(const ModelStoreOptions& options, const StoreDirectory& directory,
           ArchiveFetcher* fetcher, repository::OverrideStore& unpacked)
      : options_(options), directory_(directory), fetcher_(fetcher), unpacked_(unpacked) {}

  // Blocks. Whatever is in the way is told in TorchServe's words (contracts, TorchServe 2.2); an
  // archive that is none, or that is refused (D7), is kInvalidModel and names the entry.
  StoreError Prepare(const Registration& registration, Preparation& preparation) const;

  // What to load of it under the version's number. kInvalidModel where the configuration that comes
  // out cannot be one.
  StoreError Plan(const Registration& registration, const ModelSettings& settings,
                  std::int64_t number, Preparation& preparation, repository::ModelPlan& plan) const;

 private:
  StoreError Locate(const Registration& registration, Preparation& preparation,
                    StoreDirectory::Found& found) const;
  StoreError Unpack(const StoreDirectory::Found& found, const Registration& registration,
                    Preparation& preparation) const;
  StoreError ReadContent(const Registration& registration, Preparation& preparation) const;

  const ModelStoreOptions& options_;
  const StoreDirectory& directory_;
  ArchiveFetcher* const fetcher_;  // null: only what lies in the store
  repository::OverrideStore& unpacked_;
};

}  // namespace headrace::store

#endif  // HEADRACE_STORE_PREPARATION_H_
