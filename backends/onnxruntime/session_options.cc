#include "onnxruntime/session_options.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>

#include "common/host_placement.h"
#include "common/log.h"

namespace headrace::backend {
namespace {

Error ReadGraphLevel(const ModelConfig& model, SessionSettings* settings) {
  const auto text = model.Text("/optimization/graph/level");
  if (!text || *text == "0") {
    return {};
  }
  if (*text == "-1") {
    settings->graph_level = ORT_ENABLE_BASIC;
  } else if (*text == "1") {
    settings->graph_level = ORT_ENABLE_EXTENDED;
  } else if (*text == "2") {
    settings->graph_level = ORT_DISABLE_ALL;
  } else {
    return InvalidArgument(
        "optimization.graph.level is {}; it takes -1 (basic), 0 (all), 1 (extended) or 2 (none)",
        *text);
  }
  return {};
}

Error ReadExecutionMode(const ModelConfig& model, SessionSettings* settings) {
  std::int64_t mode = 0;
  HEADRACE_BACKEND_RETURN_IF_ERROR(model.GetParameter("execution_mode", &mode));
  if (mode != 0 && mode != 1) {
    return InvalidArgument(
        "parameter 'execution_mode' is {}; it takes 0 (sequential) or 1 (parallel)", mode);
  }
  settings->parallel_execution = mode == 1;
  return {};
}

constexpr std::int64_t kNotGiven = std::numeric_limits<std::int64_t>::min();

Error CheckThreadCount(const char* name, std::int64_t count) {
  constexpr std::int64_t kThreadCountMax = 1024;
  if (count == kNotGiven) {
    return {};
  }
  if (count < 0 || count > kThreadCountMax) {
    return InvalidArgument("parameter '{}' is {}; it takes 0 to {}", name, count, kThreadCountMax);
  }
  return {};
}

// From the command line's settings or the model's parameters.
template <typename Source>
Error ReadThreads(const Source& source, ThreadCounts* threads) {
  HEADRACE_BACKEND_RETURN_IF_ERROR(source("intra_op_thread_count", &threads->intra_op));
  HEADRACE_BACKEND_RETURN_IF_ERROR(source("inter_op_thread_count", &threads->inter_op));
  HEADRACE_BACKEND_RETURN_IF_ERROR(CheckThreadCount("intra_op_thread_count", threads->intra_op));
  return CheckThreadCount("inter_op_thread_count", threads->inter_op);
}

constexpr std::array<std::string_view, 6> kParameters = {
    "intra_op_thread_count", "inter_op_thread_count", "execution_mode",
    "enable_mem_arena",      "enable_mem_pattern",    "memory.enable_memory_arena_shrinkage"};

bool IsSessionEntry(const std::string& key) {
  return key.starts_with("session.") || key.starts_with("optimization.") || key.starts_with("ep.");
}

void ReadEntries(const ModelConfig& model, SessionSettings* settings) {
  model.ForEachParameter([&](const std::string& key, const std::string& value) {
    if (IsSessionEntry(key)) {
      settings->entries[key] = value;
    } else if (std::find(kParameters.begin(), kParameters.end(), key) == kParameters.end()) {
      HEADRACE_BACKEND_LOG(TRITONSERVER_LOG_WARN,
                           "parameter '{}' has no effect: the onnxruntime backend does not know it",
                           key);
    }
  });
}

// Instances compute at once, each with a thread of its own and what the session has besides.
std::int64_t DefaultThreadCount(const ModelConfig& model) {
  const std::int64_t core_count = ProcessCoreCount();
  const std::int64_t instance_count = model.InstanceCount("KIND_CPU");
  return instance_count <= 1 ? 0 : std::max<std::int64_t>(1, core_count - instance_count + 1);
}

void LogMessage(void*, OrtLoggingLevel severity, const char*, const char*, const char* location,
                const char* message) {
  const auto level = severity >= ORT_LOGGING_LEVEL_ERROR     ? TRITONSERVER_LOG_ERROR
                     : severity == ORT_LOGGING_LEVEL_WARNING ? TRITONSERVER_LOG_WARN
                                                             : TRITONSERVER_LOG_VERBOSE;
  HEADRACE_BACKEND_LOG(level, "onnxruntime: {} ({})", message, location);
}

}  // namespace

Error SessionSettings::Read(const ModelConfig& model, const BackendConfig& backend,
                            SessionSettings* settings) {
  HEADRACE_BACKEND_RETURN_IF_ERROR(Accelerators::Read(model, &settings->accelerators));
  settings->op_libraries = model.op_libraries;
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadGraphLevel(model, settings));
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadExecutionMode(model, settings));
  const auto command_line = [&](const char* key, std::int64_t* value) {
    return backend.Get(key, value);
  };
  bool global = false;
  HEADRACE_BACKEND_RETURN_IF_ERROR(backend.Get("enable-global-threadpool", &global));
  if (global) {
    HEADRACE_BACKEND_RETURN_IF_ERROR(ReadThreads(command_line, &settings->global_pool.emplace()));
  }
  // The model's own setting wins over the command line's.
  settings->threads.intra_op = kNotGiven;
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadThreads(command_line, &settings->threads));
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadThreads(
      [&](const char* key, std::int64_t* value) { return model.GetParameter(key, value); },
      &settings->threads));
  settings->default_threads = settings->threads.intra_op == kNotGiven;
  if (settings->default_threads) {
    settings->threads.intra_op = DefaultThreadCount(model);
  }
  HEADRACE_BACKEND_RETURN_IF_ERROR(model.GetParameter("enable_mem_arena", &settings->memory_arena));
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      model.GetParameter("enable_mem_pattern", &settings->memory_pattern));
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      model.GetParameter("memory.enable_memory_arena_shrinkage", &settings->arena_shrinkage));
  ReadEntries(model, settings);
  return {};
}

SessionSettings SessionSettings::OnCores(std::int64_t core_count, std::int64_t thread_count) const {
  SessionSettings bound = *this;
  if (default_threads && core_count > 0) {
    // As many instances share the cores as their threads leave room for; each brings its own.
    const std::int64_t instance_count =
        core_count / std::clamp<std::int64_t>(thread_count, 1, core_count);
    bound.threads.intra_op = std::max<std::int64_t>(1, core_count - instance_count + 1);
  }
  return bound;
}

Ort::SessionOptions MakeSessionOptions(const SessionSettings& settings) {
  Ort::SessionOptions options;
  options.SetGraphOptimizationLevel(settings.graph_level);
  if (settings.global_pool) {
    options.DisablePerSessionThreads();
  } else {
    options.SetIntraOpNumThreads(static_cast<int>(settings.threads.intra_op));
    options.SetInterOpNumThreads(static_cast<int>(settings.threads.inter_op));
  }
  options.SetExecutionMode(settings.parallel_execution ? ORT_PARALLEL : ORT_SEQUENTIAL);
  if (!settings.memory_arena) {
    options.DisableCpuMemArena();
  }
  if (!settings.memory_pattern) {
    options.DisableMemPattern();
  }
  for (const auto& [key, value] : settings.entries) {
    options.AddConfigEntry(key.c_str(), value.c_str());
  }
  for (const std::string& library : settings.op_libraries) {
    options.RegisterCustomOpsLibrary(library.c_str());
  }
  return options;
}

const Ort::Env& SharedEnvironment(const SessionSettings& settings) {
  // Never destroyed: sessions of other models may outlive any order that the process's end would
  // choose.
  static const Ort::Env* const environment = [&]() -> const Ort::Env* {
    Ort::InitApi(OrtGetApiBase()->GetApi(HEADRACE_ORT_API_VERSION));
    if (!settings.global_pool) {
      return new Ort::Env(ORT_LOGGING_LEVEL_WARNING, "headrace", LogMessage, nullptr);
    }
    Ort::ThreadingOptions threads;
    threads.SetGlobalIntraOpNumThreads(static_cast<int>(settings.global_pool->intra_op));
    threads.SetGlobalInterOpNumThreads(static_cast<int>(settings.global_pool->inter_op));
    return new Ort::Env(threads, LogMessage, nullptr, ORT_LOGGING_LEVEL_WARNING, "headrace");
  }();
  return *environment;
}

}  // namespace headrace::backend
