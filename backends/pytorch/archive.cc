#include "pytorch/archive.h"

#include <caffe2/serialize/inline_container.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <vector>

#include "pytorch/tensors.h"

namespace headrace::backend {
namespace {

constexpr std::string_view kCompiledFolder = "data/aotinductor/";
constexpr std::size_t kSourceByteSizeMax = std::size_t{256} << 20;

bool HasUnder(const std::vector<std::string>& records, std::string_view folder) {
  return std::any_of(records.begin(), records.end(),
                     [&](const std::string& name) { return name.starts_with(folder); });
}

std::string ReadText(caffe2::serialize::PyTorchStreamReader& reader, const std::string& name) {
  if (reader.getRecordSize(name) > kSourceByteSizeMax) {
    return {};
  }
  const auto [data, byte_size] = reader.getRecord(name);
  return {static_cast<const char*>(data.get()), byte_size};
}

// The file of the model's wrapper, which is the only one that names inputs.
std::string FindSource(caffe2::serialize::PyTorchStreamReader& reader,
                       const std::vector<std::string>& records, const std::string& folder) {
  for (const std::string& name : records) {
    if (!name.starts_with(folder) || !name.ends_with(".cpp")) {
      continue;
    }
    if (std::string text = ReadText(reader, name); text.find("inputs_info_[") != text.npos) {
      return text;
    }
  }
  return {};
}

// The files of metadata say the same, as far as they are about the same model.
std::map<std::string, std::string> ReadMetadata(caffe2::serialize::PyTorchStreamReader& reader,
                                                const std::vector<std::string>& records,
                                                const std::string& folder) {
  std::map<std::string, std::string> metadata;
  for (const std::string& name : records) {
    if (!name.starts_with(folder) || !name.ends_with("metadata.json")) {
      continue;
    }
    const auto root = nlohmann::json::parse(ReadText(reader, name), nullptr, false);
    if (!root.is_object()) {
      continue;
    }
    for (const auto& [key, value] : root.items()) {
      if (value.is_string()) {
        metadata[key] = value.get<std::string>();
      }
    }
  }
  return metadata;
}

Error ReadPackage(caffe2::serialize::PyTorchStreamReader& reader,
                  const std::vector<std::string>& records, const std::string& path,
                  Archive* archive) {
  std::set<std::string> models;
  for (const std::string& name : records) {
    if (!name.starts_with(kCompiledFolder)) {
      continue;
    }
    const std::string_view rest = std::string_view(name).substr(kCompiledFolder.size());
    if (const std::size_t slash = rest.find('/'); slash != rest.npos) {
      models.emplace(rest.substr(0, slash));
    }
  }
  archive->format = Archive::Format::kPackage;
  archive->model_name = models.size() == 1 ? *models.begin() : "model";
  if (!models.contains(archive->model_name)) {
    return InvalidArgument("'{}' holds the compiled models {}; one of them must be called 'model'",
                           path, fmt::join(models, ", "));
  }
  const std::string folder = fmt::format("{}{}/", kCompiledFolder, archive->model_name);
  archive->metadata = ReadMetadata(reader, records, folder);
  archive->source = FindSource(reader, records, folder);
  return {};
}

}  // namespace

Error Archive::Open(const std::string& path, Archive* archive) {
  return GuardedTorch("the model file does not read", [&]() -> Error {
    caffe2::serialize::PyTorchStreamReader reader(path);
    const std::vector<std::string> records = reader.getAllRecords();
    if (HasUnder(records, kCompiledFolder)) {
      return ReadPackage(reader, records, path, archive);
    }
    if (HasUnder(records, "code/") || reader.hasRecord("constants.pkl")) {
      archive->format = Format::kTorchScript;
      return {};
    }
    if (HasUnder(records, "models/")) {
      return InvalidArgument(
          "'{}' holds an exported program that is not compiled; make the package with "
          "torch._inductor.aoti_compile_and_package",
          path);
    }
    return InvalidArgument(
        "'{}' is neither TorchScript nor a compiled package{}; save the model with "
        "torch.jit.script(model).save(...)",
        path, reader.hasRecord("data.pkl") ? ", but Python objects (torch.save)" : "");
  });
}

}  // namespace headrace::backend
