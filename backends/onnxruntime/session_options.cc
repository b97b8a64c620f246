#include "onnxruntime/session_options.h"

#include <charconv>
#include <string_view>

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

Error CheckThreadCount(const char* name, std::int64_t count) {
  constexpr std::int64_t kThreadCountMax = 1024;
  if (count < 0 || count > kThreadCountMax) {
    return InvalidArgument("parameter '{}' is {}; it takes 0 to {}", name, count, kThreadCountMax);
  }
  return {};
}

// An accelerator that is asked for and cannot be given changes speed and answers: refused, not
// ignored.
Error RefuseAccelerators(const ModelConfig& model) {
  for (const char* kind : {"cpu_execution_accelerator", "gpu_execution_accelerator"}) {
    const auto name =
        model.Text(fmt::format("/optimization/execution_accelerators/{}/0/name", kind));
    if (name) {
      return Unsupported(
          "optimization.execution_accelerators.{} '{}' is not supported by this version", kind,
          *name);
    }
  }
  return {};
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
  HEADRACE_BACKEND_RETURN_IF_ERROR(RefuseAccelerators(model));
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadGraphLevel(model, settings));
  HEADRACE_BACKEND_RETURN_IF_ERROR(ReadExecutionMode(model, settings));
  // The model's own setting wins over the command line's.
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      backend.Get("intra_op_thread_count", &settings->intra_op_thread_count));
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      backend.Get("inter_op_thread_count", &settings->inter_op_thread_count));
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      backend.Get("enable-global-threadpool", &settings->global_thread_pool));
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      model.GetParameter("intra_op_thread_count", &settings->intra_op_thread_count));
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      model.GetParameter("inter_op_thread_count", &settings->inter_op_thread_count));
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      CheckThreadCount("intra_op_thread_count", settings->intra_op_thread_count));
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      CheckThreadCount("inter_op_thread_count", settings->inter_op_thread_count));
  HEADRACE_BACKEND_RETURN_IF_ERROR(model.GetParameter("enable_mem_arena", &settings->memory_arena));
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      model.GetParameter("enable_mem_pattern", &settings->memory_pattern));
  HEADRACE_BACKEND_RETURN_IF_ERROR(
      model.GetParameter("memory.enable_memory_arena_shrinkage", &settings->arena_shrinkage));
  model.ForEachParameter([&](const std::string& key, const std::string& value) {
    if (key.starts_with("session.") || key.starts_with("optimization.")) {
      settings->entries[key] = value;
    }
  });
  return {};
}

Ort::SessionOptions MakeSessionOptions(const SessionSettings& settings) {
  Ort::SessionOptions options;
  options.SetGraphOptimizationLevel(settings.graph_level);
  if (settings.global_thread_pool) {
    options.DisablePerSessionThreads();
  } else {
    options.SetIntraOpNumThreads(static_cast<int>(settings.intra_op_thread_count));
    options.SetInterOpNumThreads(static_cast<int>(settings.inter_op_thread_count));
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
  return options;
}

const Ort::Env& SharedEnvironment(const SessionSettings& settings) {
  // Never destroyed: sessions of other models may outlive any order that the process's end would
  // choose.
  static const Ort::Env* const environment = [&]() -> const Ort::Env* {
    Ort::InitApi(OrtGetApiBase()->GetApi(HEADRACE_ORT_API_VERSION));
    if (!settings.global_thread_pool) {
      return new Ort::Env(ORT_LOGGING_LEVEL_WARNING, "headrace", LogMessage, nullptr);
    }
    Ort::ThreadingOptions threads;
    threads.SetGlobalIntraOpNumThreads(static_cast<int>(settings.intra_op_thread_count));
    threads.SetGlobalInterOpNumThreads(static_cast<int>(settings.inter_op_thread_count));
    return new Ort::Env(threads, LogMessage, nullptr, ORT_LOGGING_LEVEL_WARNING, "headrace");
  }();
  return *environment;
}

}  // namespace headrace::backend
