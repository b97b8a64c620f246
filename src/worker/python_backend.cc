#include "worker/python_backend.h"

#include <filesystem>
#include <utility>

#include "base/log.h"
#include "worker/python_model.h"

namespace headrace::worker {

Result<std::shared_ptr<PythonBackend>> PythonBackend::Create(PythonBackendOptions options) {
  HEADRACE_ASSIGN_OR_RETURN(ParsedWorkerOptions parsed, ParseWorkerOptions(options.settings));
  for (const std::string& warning : parsed.warnings) {
    HEADRACE_LOG_WARNING("{}", warning);
  }
  WorkerCommon common;
  common.contract = std::move(options.contract);
  common.main_file = options.runtime_directory + "/headrace_worker/main.py";
  common.options = std::move(parsed.options);
  common.services = options.services;
  common.topology = Topology::Read();
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(common.main_file, ignored)) {
    return InvalidArgument("the runtime of Python models is not at '{}'; see --python-directory",
                           common.main_file);
  }
  return std::shared_ptr<PythonBackend>(new PythonBackend(std::move(common)));
}

PythonBackend::PythonBackend(WorkerCommon common)
    : common_(std::make_shared<const WorkerCommon>(std::move(common))) {}

Result<std::unique_ptr<engine::LoadedModel>> PythonBackend::Load(engine::LoadSpec spec) {
  HEADRACE_ASSIGN_OR_RETURN(auto model, PythonModel::Create(common_, std::move(spec)));
  HEADRACE_RETURN_IF_ERROR(model->CompleteConfig());
  return std::unique_ptr<engine::LoadedModel>(std::move(model));
}

}  // namespace headrace::worker
