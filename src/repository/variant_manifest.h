// MODEL/VERSION/variants/manifest.json: what `headrace optimize` has made of a version
// (docs/optimize.md). Read as outside data: sizes, names and paths are checked.
#ifndef HEADRACE_REPOSITORY_VARIANT_MANIFEST_H_
#define HEADRACE_REPOSITORY_VARIANT_MANIFEST_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace headrace::repository {

inline constexpr char kVariantsDirectory[] = "variants";  // in a version's directory
inline constexpr char kVariantManifestFile[] = "manifest.json";
inline constexpr std::size_t kVariantManifestByteSizeMax = std::size_t{4} << 20;
inline constexpr std::size_t kVariantCountMax = 64;
inline constexpr std::size_t kVariantFileCountMax = 256;       // of one variant, and of the source
inline constexpr std::size_t kVariantParameterCountMax = 128;  // of one variant
inline constexpr int kVariantInstanceCountMax = 1024;

struct ListedFile {
  std::string path;  // relative, without ".."
  std::uint64_t byte_size = 0;
  std::string sha256;  // 64 hexadecimal digits in small letters
};

struct Variant {
  std::string name;  // also of its directory below variants/
  std::string backend;
  std::string file;               // in its directory; empty: the version's own file
  std::vector<ListedFile> files;  // in its directory
  std::map<std::string, std::string> parameters;
  std::optional<int> instance_count;
  std::optional<int> graph_level;

  // What a machine must have.
  std::string architecture;
  std::vector<std::string> instruction_sets;    // as in /proc/cpuinfo
  std::map<std::string, std::string> runtimes;  // "torch" -> "2.15.0"

  bool accepted = false;  // its answers were within the bound that was given
  double items_per_s = 0;
  double speed_up_low = 0;  // the lower end of the interval, over the original
};

struct VariantManifest {
  std::string applied;                   // "best", a variant's name, or empty: none is in force
  std::vector<ListedFile> source_files;  // of the version, from which the variants were made
  std::vector<Variant> variants;
};

// INVALID_ARGUMENT names the member: what is no JSON object of schema_version 1, nested deeper than
// 32 levels, lacks a member, is out of a limit; names that are no directory names, or twice the
// same; paths that are absolute or have a part ".."; a backend that is no name of a library.
Result<VariantManifest> ParseVariantManifest(std::string_view json);

// That of a version. NOT_FOUND when there is none; else as above. A link may not lead out of
// `root`. Blocks on the file system.
Result<VariantManifest> ReadVariantManifest(const std::string& root,
                                            const std::string& version_directory);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_VARIANT_MANIFEST_H_
