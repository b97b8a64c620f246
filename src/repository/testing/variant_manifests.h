// Manifests of variants as text.
#ifndef HEADRACE_REPOSITORY_TESTING_VARIANT_MANIFESTS_H_
#define HEADRACE_REPOSITORY_TESTING_VARIANT_MANIFESTS_H_

#include <fmt/format.h>
#include <openssl/sha.h>

#include <string>
#include <utility>
#include <vector>

namespace headrace::repository::testing_support {

inline std::string Sha256(const std::string& content) {
  unsigned char digest[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(content.data()), content.size(), digest);
  std::string text;
  for (const unsigned char byte : digest) {
    text += fmt::format("{:02x}", byte);
  }
  return text;
}

// {"path", content} for each file.
using Contents = std::vector<std::pair<std::string, std::string>>;

inline std::string FilesText(const Contents& files) {
  std::string text;
  for (const auto& [path, content] : files) {
    text += fmt::format(R"({}{{"path": "{}", "byte_size": {}, "sha256": "{}"}})",
                        text.empty() ? "" : ", ", path, content.size(), Sha256(content));
  }
  return text;
}

// A good variant of the backend "fake", whose file model.xml holds "IR".
inline std::string VariantText(const std::string& name, int items_per_s = 200) {
  return fmt::format(
      R"({{"name": "{}", "backend": "fake", "file": "model.xml", "files": [{}],
          "parameters": {{"NUM_STREAMS": "1"}}, "instances": 2,
          "needs": {{"architecture": "x86_64", "instruction_sets": ["avx512_vnni"],
                     "runtimes": {{"openvino": "2026.4.1"}}}},
          "accuracy": {{"accepted": true}},
          "measured": {{"items_per_s": {}, "speed_up": {{"low": 3.5}}}}}})",
      name, FilesText({{"model.xml", "IR"}}), items_per_s);
}

inline std::string ManifestText(const std::string& applied, const Contents& source,
                                const std::string& variants) {
  return fmt::format(
      R"({{"schema_version": 1, "applied": "{}", "source": {{"files": [{}]}}, "variants": [{}]}})",
      applied, FilesText(source), variants);
}

// `text` with the first `from`, which must be there, as `to`.
inline std::string Replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

}  // namespace headrace::repository::testing_support

#endif  // HEADRACE_REPOSITORY_TESTING_VARIANT_MANIFESTS_H_
