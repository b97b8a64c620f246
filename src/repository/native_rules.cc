#include "repository/native_rules.h"

#include <simdjson.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "handler/native_handler.h"
#include "repository/handler_config.h"
#include "repository/handler_manifest.h"
#include "repository/native_model.h"
#include "repository/native_vocabulary.h"
#include "repository/protobuf_messages.h"

namespace headrace::repository {
namespace {

namespace dom = simdjson::dom;
namespace fs = std::filesystem;

constexpr std::int64_t kClassCountMax = 100'000;
constexpr std::uint64_t kFilesLookedAtMax = 100'000;
constexpr std::streamoff kZipDirectoryByteSizeMax = 4 << 20;

const std::string* FindParameter(const inference::ModelConfig& config, const std::string& name) {
  const auto found = config.parameters().find(name);
  return found == config.parameters().end() ? nullptr : &found->second.string_value();
}

bool Says(const inference::ModelConfig& config, const std::string& name, std::string_view value) {
  const std::string* const said = FindParameter(config, name);
  return said != nullptr && *said == value;
}

bool IsCode(const fs::path& path) {
  const std::string extension = path.extension().string();
  return extension == ".py" || extension == ".pyc" || extension == ".so" || extension == ".zip";
}

// The first file of the version that could be imported.
std::optional<std::string> FindCode(const std::string& directory) {
  std::error_code error;
  std::uint64_t count = 0;
  for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end;
       entry.increment(error)) {
    if (++count > kFilesLookedAtMax || IsCode(entry->path())) {
      return entry->path().filename().string();
    }
  }
  return error ? std::optional<std::string>("(a directory that cannot be read)") : std::nullopt;
}

// Whether a .pt2 was compiled by AOTInductor: its zip directory, at the end of the file, has such
// entries. An exported program is PyTorch's Python code to run.
bool IsCompiledPackage(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  const std::streamoff size = file.tellg();
  if (size <= 0) {
    return false;
  }
  file.seekg(std::max<std::streamoff>(0, size - kZipDirectoryByteSizeMax));
  const std::string end((std::istreambuf_iterator<char>(file)), {});
  return end.find("/data/aotinductor/") != std::string::npos;
}

// What the model asks for that only a worker does.
std::string OnlyForWorkers(const inference::ModelConfig& config) {
  for (const char* parameter : {"handler", "model_file", "serialized_file", "service_envelope"}) {
    if (const std::string* const said = FindParameter(config, parameter);
        said != nullptr && !said->empty()) {
      return fmt::format("the parameter '{}' is set", parameter);
    }
  }
  if (const std::string* const ranks = FindParameter(config, kRankCountParameter);
      ranks != nullptr && *ranks != "1") {
    return fmt::format("its workers are groups of processes ('{}')", kRankCountParameter);
  }
  const bool usual = config.input_size() == 1 && config.input(0).name() == "data" &&
                     config.output_size() == 1 && config.output(0).name() == "body";
  if (!usual || config.has_sequence_batching() || !config.model_warmup().empty() ||
      config.model_transaction_policy().decoupled()) {
    return "its configuration has tensors, sequences or warm-up samples of its own";
  }
  return "";
}

Status BadSetting(std::string_view what) { return InvalidArgument("model-config.yaml: {}", what); }

Status ReadHandlerKeys(dom::object keys, NativeFacts& facts) {
  if (bool profile = false; keys["profile"].get(profile) == simdjson::SUCCESS && profile) {
    facts.why_not = "its stages are profiled ('handler: profile')";
  }
  dom::element topk;
  if (keys["topk"].get(topk) == simdjson::SUCCESS &&
      (topk.get(facts.class_count_max) != simdjson::SUCCESS || facts.class_count_max < 1 ||
       facts.class_count_max > kClassCountMax)) {
    return BadSetting("'handler: topk' must be a whole number of at least 1");
  }
  return OkStatus();
}

// Of model-config.yaml, as JSON.
Status ReadSettings(const std::string& json, NativeFacts& facts) {
  dom::parser parser;
  dom::object settings, inner, compile;
  if (parser.parse(json).get(settings) != simdjson::SUCCESS) {
    return OkStatus();  // it was read before
  }
  if (dom::element native; settings[kNativeParameter].get(native) == simdjson::SUCCESS) {
    bool wanted = true;
    if (native.get(wanted) != simdjson::SUCCESS) {
      return BadSetting("'native' must be true or false");
    }
    if (!wanted) {
      facts.why_not = "model-config.yaml says 'native: false'";
    }
  }
  if (settings["handler"].get(inner) == simdjson::SUCCESS) {
    HEADRACE_RETURN_IF_ERROR(ReadHandlerKeys(inner, facts));
  }
  if (std::string_view backend; settings["pt2"].get(backend) == simdjson::SUCCESS) {
    facts.why_not = "it is to be compiled when it is loaded ('pt2')";
  }
  bool enable = false;
  if (settings["pt2"].get(inner) == simdjson::SUCCESS &&
      (inner["compile"].get(compile) != simdjson::SUCCESS ||
       (compile["enable"].get(enable) == simdjson::SUCCESS && enable))) {
    facts.why_not = "it is to be compiled when it is loaded ('pt2')";
  }
  return OkStatus();
}

std::string JudgeWeights(const std::string& directory, const std::string& file) {
  if (file.ends_with(".pt")) {
    return "";
  }
  if (!file.ends_with(".pt2")) {
    return fmt::format("its weights '{}' are neither TorchScript (.pt) nor a package (.pt2)",
                       EscapeForLog(file, 128));
  }
  return IsCompiledPackage(directory + "/" + file)
             ? ""
             : fmt::format("'{}' is an exported program, not compiled by AOTInductor",
                           EscapeForLog(file, 128));
}

}  // namespace

Result<NativeFacts> JudgeNative(const std::string& directory, std::int64_t version,
                                const inference::ModelConfig& config) {
  NativeFacts facts;
  std::error_code error;
  const std::string canonical = fs::canonical(directory, error).string();
  auto manifest =
      error ? Result<HandlerManifest>(NotFound("no directory")) : ReadManifest(canonical);
  if (!manifest.ok()) {
    facts.why_not = "it has no manifest";
    return facts;
  }
  facts.handler = manifest->handler;
  facts.weights_file = manifest->serialized_file;
  facts.decode_parts = !Says(config, "decode_input_request", "false");
  facts.limit_pixels = !Says(config, "limit_max_image_pixels", "false");
  const auto no = [&facts](std::string why) {
    facts.why_not = std::move(why);
    return facts;
  };
  if (!handler::IsNativeHandler(manifest->handler)) {
    return no(
        fmt::format("'{}' is no handler that is built in", EscapeForLog(manifest->handler, 64)));
  }
  if (Says(config, kNativeParameter, "false")) {
    return no("its parameter 'native' is false");
  }
  if (!manifest->model_file.empty()) {
    return no("its model is Python code ('modelFile')");
  }
  const std::string settings_key = fmt::format("{}{}", kModelConfigParameter, version);
  if (const std::string* const settings = FindParameter(config, settings_key)) {
    HEADRACE_RETURN_IF_ERROR(ReadSettings(*settings, facts));
  }
  if (!facts.why_not.empty()) {
    return facts;
  }
  if (auto why = JudgeWeights(canonical, facts.weights_file); !why.empty()) {
    return no(std::move(why));
  }
  if (facts.handler == handler::kTextClassifier) {
    facts.vocabulary_file =
        manifest->source_vocabulary.empty() ? kVocabularyFile : manifest->source_vocabulary;
    if (!facts.weights_file.ends_with(".pt")) {
      return no("a package (.pt2) takes no text of any length");
    }
    if (config.max_batch_size() > 1) {
      return no("texts are batched by Python only ('batchSize')");
    }
  }
  if (facts.handler == "object_detector" && !facts.weights_file.ends_with(".pt")) {
    return no("a package (.pt2) has no list of detections for an answer");
  }
  if (auto why = OnlyForWorkers(config); !why.empty()) {
    return no(std::move(why));
  }
  if (const auto code = FindCode(canonical)) {
    return no(fmt::format("it brings code of its own ('{}')", EscapeForLog(*code, 128)));
  }
  return facts;
}

}  // namespace headrace::repository
