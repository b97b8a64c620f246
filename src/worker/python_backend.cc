#include "worker/python_backend.h"

#include <filesystem>
#include <string_view>
#include <utility>

#include "base/checked_math.h"
#include "worker/data_region.h"
#include "worker/python_model.h"

namespace headrace::worker {
namespace {

constexpr std::uint64_t kSecondsMax = 1'000'000;

// Leaves `value` as it is where the setting is not given.
Status ReadNumber(const std::map<std::string, std::string>& settings, const std::string& name,
                  std::uint64_t least, std::uint64_t most, std::uint64_t& value) {
  const auto found = settings.find(name);
  if (found == settings.end()) {
    return OkStatus();
  }
  const auto number = ParseDecimal<std::uint64_t>(found->second);
  if (!number || *number < least || *number > most) {
    return InvalidArgument("--backend-config: {} must be a number from {} to {}, got '{}'", name,
                           least, most, found->second);
  }
  value = *number;
  return OkStatus();
}

Status ReadSeconds(const std::map<std::string, std::string>& settings, const std::string& name,
                   std::uint64_t least, Nanos& value) {
  auto seconds = static_cast<std::uint64_t>(value / kSecond);
  HEADRACE_RETURN_IF_ERROR(ReadNumber(settings, name, least, kSecondsMax, seconds));
  value = static_cast<Nanos>(seconds) * kSecond;
  return OkStatus();
}

Result<PythonBackend::Settings> ReadSettings(const std::map<std::string, std::string>& given) {
  PythonBackend::Settings settings;
  HEADRACE_RETURN_IF_ERROR(ReadNumber(given, "data-byte-size", DataRegion::kByteSizeMin,
                                      DataRegion::kByteSizeMax, settings.data_byte_size));
  // Triton's name for the same.
  HEADRACE_RETURN_IF_ERROR(ReadSeconds(given, "stub-timeout-seconds", 1, settings.start_timeout));
  HEADRACE_RETURN_IF_ERROR(ReadSeconds(given, "start-timeout-seconds", 1, settings.start_timeout));
  HEADRACE_RETURN_IF_ERROR(
      ReadSeconds(given, "response-timeout-seconds", 0, settings.response_timeout));
  HEADRACE_RETURN_IF_ERROR(
      ReadSeconds(given, "restart-give-up-seconds", 0, settings.give_up));
  HEADRACE_RETURN_IF_ERROR(
      ReadSeconds(given, "finalize-timeout-seconds", 0, settings.finalize_timeout));
  if (const auto found = given.find("interpreter"); found != given.end()) {
    settings.interpreter = found->second;
  }
  return settings;
}

}  // namespace

Result<std::shared_ptr<PythonBackend>> PythonBackend::Create(PythonBackendOptions options) {
  HEADRACE_ASSIGN_OR_RETURN(Settings settings, ReadSettings(options.settings));
  std::string main_file = options.runtime_directory + "/headrace_worker/main.py";
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(main_file, ignored)) {
    return InvalidArgument("the runtime of Python models is not at '{}'; see --python-directory",
                           main_file);
  }
  return std::shared_ptr<PythonBackend>(
      new PythonBackend(std::move(options), std::move(settings), std::move(main_file)));
}

PythonBackend::PythonBackend(PythonBackendOptions options, Settings settings,
                             std::string main_file)
    : options_(std::move(options)),
      settings_(std::move(settings)),
      main_file_(std::move(main_file)) {}

Result<std::unique_ptr<engine::LoadedModel>> PythonBackend::Load(engine::LoadSpec spec) {
  auto model = std::make_unique<PythonModel>(WorkerCommon{.contract = options_.contract,
                                                          .main_file = main_file_,
                                                          .settings = settings_,
                                                          .services = options_.services,
                                                          .controls = controls_},
                                             std::move(spec));
  HEADRACE_RETURN_IF_ERROR(model->CompleteConfig());
  return std::unique_ptr<engine::LoadedModel>(std::move(model));
}

}  // namespace headrace::worker
