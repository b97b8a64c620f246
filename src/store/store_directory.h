// The directory that holds the archives of models (contracts, TorchServe 2.2 and 5.3).
#ifndef HEADRACE_STORE_STORE_DIRECTORY_H_
#define HEADRACE_STORE_STORE_DIRECTORY_H_

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "store/store_error.h"

namespace headrace::store {

// Thread-safe; all functions block on the file system.
class StoreDirectory {
 public:
  // Empty: there is none.
  explicit StoreDirectory(std::string directory);

  struct Found {
    std::string path;  // canonical
    bool is_folder = false;
  };
  // What `url` names in here: a name, a path below the store, or an absolute path that lies in it.
  // kModelNotFound, in TorchServe's words where it has them, for a ".." in it, for what is not
  // there, for what lies elsewhere, and for links, which are never followed (CVE-2024-35198).
  StoreError Find(std::string_view url, Found& found) const;

  // Where an archive from `url` is kept; kModelNotFound for a URL whose last part is no name of a
  // file.
  StoreError PlaceFor(std::string_view url, std::string& path) const;

  // Archives and folders that are neither hidden nor links, sorted. INTERNAL when the directory
  // cannot be listed.
  Result<std::vector<std::string>> Archives() const;

  // The canonical path; empty: there is none.
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// What a model is called whose archive does not say: the archive's file name, without .mar or
// .model, with '_' for what no name may have.
std::string NameOfArchive(std::string_view file);

}  // namespace headrace::store

#endif  // HEADRACE_STORE_STORE_DIRECTORY_H_
