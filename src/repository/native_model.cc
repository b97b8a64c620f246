#include "repository/native_model.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "handler/native_handler.h"
#include "handler/native_stages.h"
#include "repository/config_json.h"
#include "repository/handler_config.h"
#include "repository/native_rules.h"
#include "repository/native_vocabulary.h"
#include "repository/protobuf_messages.h"
#include "repository/repository_files.h"
#include "repository/variant_config.h"

namespace headrace::repository {
namespace {

constexpr char kLabelFile[] = "index_to_name.json";
constexpr std::size_t kLabelFileByteSizeMax = std::size_t{64} << 20;

// The backend's model under a configuration of its own: it never sees the handler's.
class NativeLoadedModel final : public engine::LoadedModel {
 public:
  explicit NativeLoadedModel(std::unique_ptr<engine::LoadedModel> model)
      : model_(std::move(model)) {}
  void SetFinalConfig(std::string) override {}
  Result<std::unique_ptr<engine::Instance>> CreateInstance(
      const engine::InstancePlacement& placement) override {
    return model_->CreateInstance(placement);
  }
  bool ParallelInstanceLoading() const override { return model_->ParallelInstanceLoading(); }

 private:
  const std::unique_ptr<engine::LoadedModel> model_;
};

template <typename Tensor>
void Describe(const engine::TensorSpec& spec, Tensor& tensor) {
  tensor.set_name(spec.name);
  tensor.set_data_type(static_cast<inference::DataType>(spec.dtype));
  for (const std::int64_t dim : spec.dims) {
    tensor.add_dims(dim);
  }
}

// Parameters in capitals are the pytorch backend's (docs/pytorch.md).
bool IsBackendParameter(const std::string& name) {
  return name.find_first_of("abcdefghijklmnopqrstuvwxyz") == std::string::npos;
}

inference::ModelConfig BackendConfig(const inference::ModelConfig& config,
                                     const handler::NativeHandler& handler,
                                     const std::string& weights_file, const Variant* variant) {
  const engine::ModelSignature& signature = handler.signature();
  inference::ModelConfig made;
  made.set_name(config.name());
  made.set_backend("pytorch");
  made.set_default_model_filename(weights_file);
  made.set_max_batch_size(static_cast<int>(signature.batch_size_max));
  for (const engine::TensorSpec& input : signature.inputs) {
    Describe(input, *made.add_input());
  }
  for (const engine::TensorSpec& output : signature.outputs) {
    Describe(output, *made.add_output());
  }
  *made.mutable_instance_group() = config.instance_group();
  for (const auto& [name, value] : config.parameters()) {
    if (IsBackendParameter(name)) {
      (*made.mutable_parameters())[name] = value;
    }
  }
  if (handler.takes_detections()) {
    (*made.mutable_parameters())["DETECTIONS"].set_string_value("true");
  }
  if (variant != nullptr) {
    PutVariantInForce(*variant, made);
  }
  return made;
}

Result<handler::LabelMap> ReadLabelMap(const std::string& directory) {
  const auto json = ReadFile(directory + "/" + kLabelFile, kLabelFileByteSizeMax);
  if (!json.ok()) {
    return json.status().code() == StatusCode::kNotFound
               ? Result<handler::LabelMap>(handler::LabelMap())
               : json.status();
  }
  auto labels = handler::LabelMap::Parse(*json);
  return labels.ok() ? std::move(labels)
                     : labels.status().WithPrefix(fmt::format("{}: ", kLabelFile));
}

}  // namespace

Result<NativeModel> LoadNativeModel(const ModelPlan& plan, std::int64_t version,
                                    const Variant* variant, const NativeParts& parts) {
  const inference::ModelConfig& config = *plan.config;
  NativeModel native;
  if (config.backend() != kHandlerBackend || !config.runtime().empty()) {
    return native;
  }
  if (parts.cpu == nullptr) {
    native.why_not = "native handlers are off (--native-handlers)";
    return native;
  }
  const std::string directory = fmt::format("{}/{}", plan.source.location.directory, version);
  HEADRACE_ASSIGN_OR_RETURN(const NativeFacts facts, JudgeNative(directory, version, config));
  if (!facts.why_not.empty()) {
    native.why_not = facts.why_not;
    return native;
  }
  handler::NativeHandlerOptions options;
  options.batch_size_max = std::max(1, config.max_batch_size());
  options.class_count_max = facts.class_count_max;
  HEADRACE_ASSIGN_OR_RETURN(options.labels, ReadLabelMap(directory));
  if (!facts.vocabulary_file.empty()) {
    auto vocabulary = ReadVocabulary(directory + "/" + facts.vocabulary_file);
    if (!vocabulary.ok()) {
      native.why_not =
          fmt::format("its vocabulary '{}' is not read without Python: {}",
                      EscapeForLog(facts.vocabulary_file, 128), vocabulary.status().message());
      return native;
    }
    options.vocabulary = std::make_shared<handler::Vocabulary>(*std::move(vocabulary));
  }
  auto made = handler::MakeNativeHandler(facts.handler, std::move(options));

  engine::LoadSpec spec;
  spec.model_name = plan.name();
  spec.version = version;
  const inference::ModelConfig backend_config =
      BackendConfig(config, *made, facts.weights_file, variant);
  spec.backend = backend_config.backend();
  // An archive was unpacked elsewhere; its variants lie beside it.
  spec.model_directory = variant != nullptr && !variant->file.empty()
                             ? plan.watched.directory
                             : plan.source.location.directory;
  spec.config_json = ConfigToJson(backend_config);
  const auto backend = parts.backends.Find(spec);
  if (!backend.ok()) {
    native.why_not = backend.status().message();
    return native;
  }
  auto loaded = (*backend)->Load(std::move(spec));
  if (!loaded.ok() && (made->takes_detections() || !facts.vocabulary_file.empty())) {
    // It may be made of operators that only torchvision itself has, or be called or answer in
    // another form.
    native.why_not = loaded.status().message();
    return native;
  }
  HEADRACE_RETURN_IF_ERROR(loaded.status());
  native.loaded = std::make_unique<NativeLoadedModel>(*std::move(loaded));
  native.stages = std::make_shared<handler::NativeStages>(
      std::move(made),
      handler::NativeStages::Options{.decode_parts = facts.decode_parts,
                                     .limit_pixels = facts.limit_pixels},
      parts.cpu, parts.pool);
  HEADRACE_LOG_INFO("model '{}' version {}: {} is native, '{}' runs in the {} backend", plan.name(),
                    version, facts.handler,
                    EscapeForLog(backend_config.default_model_filename(), 128),
                    backend_config.backend());
  return native;
}

}  // namespace headrace::repository
