#include "pytorch/torch_model.h"

#include "pytorch/archive.h"
#include "pytorch/package_model.h"
#include "pytorch/script_model.h"

namespace headrace::backend {

Error TorchModel::Load(const std::string& path, const ModelConfig& config,
                       const PyTorchSettings& settings, std::unique_ptr<TorchModel>* model) {
  Archive archive;
  HEADRACE_BACKEND_RETURN_IF_ERROR(Archive::Open(path, &archive));
  switch (archive.format) {
    case Archive::Format::kPackage:
      if (settings.detections) {
        return InvalidArgument("the parameter DETECTIONS is for TorchScript models");
      }
      return PackageModel::Load(path, std::move(archive), config, settings, model);
    case Archive::Format::kTorchScript:
      break;
  }
  return ScriptModel::Load(path, config, settings, model);
}

}  // namespace headrace::backend
