// Entries of families "server" and "server_metrics", as far as they need a server that exists: a
// backend's own, or one made by ServerNew.
#include <cstring>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "plugin/server_handle.h"
#include "plugin/server_request.h"
#include "plugin/trace_handle.h"

using headrace::InvalidArgument;
using headrace::Result;
using headrace::Unavailable;
using headrace::engine::ModelHandle;
using headrace::plugin::Answer;
using headrace::plugin::RefuseCall;
using headrace::plugin::ServerControl;
using headrace::plugin::ToTriton;
using headrace::plugin::VersionOf;

struct TRITONSERVER_Metrics {
  std::string page;
};

namespace {

// Runs `body` with what is behind the handle.
template <typename Body>
TRITONSERVER_Error* Ask(TRITONSERVER_Server* server, Body&& body) {
  if (server == nullptr || server->control == nullptr) {
    return ToTriton(Unavailable("this host has no server to ask"));
  }
  return Answer([&] { return body(*server->control); });
}

template <typename Body>
TRITONSERVER_Error* AskModel(TRITONSERVER_Server* server, const char* name, std::int64_t version,
                             Body&& body) {
  return Ask(server, [&](ServerControl& control) {
    const Result<ModelHandle> model = control.registry().Load()->Lookup(name, VersionOf(version));
    return model.ok() ? body(**model) : ToTriton(model.status());
  });
}

TRITONSERVER_Error* GiveMessage(Result<std::string> json, TRITONSERVER_Message** message) {
  if (!json.ok()) {
    return ToTriton(json.status());
  }
  *message = new TRITONSERVER_Message{*std::move(json)};
  return nullptr;
}

// "file:<path>" -> "<path>"; nothing for other names.
std::string_view FilePath(std::string_view name) {
  constexpr std::string_view kPrefix = "file:";
  return name.substr(0, kPrefix.size()) == kPrefix ? name.substr(kPrefix.size())
                                                   : std::string_view();
}

}  // namespace

extern "C" {

TRITONSERVER_Error* TRITONSERVER_ServerIsLive(TRITONSERVER_Server* server, bool* live) {
  *live = false;
  return Ask(server, [&](ServerControl&) -> TRITONSERVER_Error* {
    *live = true;
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_ServerIsReady(TRITONSERVER_Server* server, bool* ready) {
  *ready = false;
  return Ask(server, [&](ServerControl& control) -> TRITONSERVER_Error* {
    *ready = control.Ready();
    return nullptr;
  });
}

// An unknown model is not ready, which is no failure.
TRITONSERVER_Error* TRITONSERVER_ServerModelIsReady(TRITONSERVER_Server* server,
                                                    const char* model_name,
                                                    const int64_t model_version, bool* ready) {
  *ready = false;
  return Ask(server, [&](ServerControl& control) -> TRITONSERVER_Error* {
    const Result<ModelHandle> model =
        control.registry().Load()->Lookup(model_name, VersionOf(model_version));
    *ready = model.ok() && (*model)->Health().ok();
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_ServerModelBatchProperties(TRITONSERVER_Server* server,
                                                            const char* model_name,
                                                            const int64_t model_version,
                                                            uint32_t* flags, void** voidp) {
  return AskModel(server, model_name, model_version,
                  [&](const headrace::engine::Model& model) -> TRITONSERVER_Error* {
                    *flags = model.signature().batch_size_max > 0 ? TRITONSERVER_BATCH_FIRST_DIM
                                                                  : TRITONSERVER_BATCH_UNKNOWN;
                    if (voidp != nullptr) {
                      *voidp = nullptr;
                    }
                    return nullptr;
                  });
}

TRITONSERVER_Error* TRITONSERVER_ServerModelTransactionProperties(TRITONSERVER_Server* server,
                                                                  const char* model_name,
                                                                  const int64_t model_version,
                                                                  uint32_t* txn_flags,
                                                                  void** voidp) {
  return AskModel(server, model_name, model_version,
                  [&](const headrace::engine::Model& model) -> TRITONSERVER_Error* {
                    *txn_flags = model.options().decoupled ? TRITONSERVER_TXN_DECOUPLED
                                                           : TRITONSERVER_TXN_ONE_TO_ONE;
                    if (voidp != nullptr) {
                      *voidp = nullptr;
                    }
                    return nullptr;
                  });
}

TRITONSERVER_Error* TRITONSERVER_ServerMetadata(TRITONSERVER_Server* server,
                                                TRITONSERVER_Message** server_metadata) {
  *server_metadata = nullptr;
  return Ask(server, [&](ServerControl& control) {
    return GiveMessage(control.MetadataJson(), server_metadata);
  });
}

TRITONSERVER_Error* TRITONSERVER_ServerModelMetadata(TRITONSERVER_Server* server,
                                                     const char* model_name,
                                                     const int64_t model_version,
                                                     TRITONSERVER_Message** model_metadata) {
  *model_metadata = nullptr;
  return Ask(server, [&](ServerControl& control) {
    return GiveMessage(control.ModelMetadataJson(model_name, VersionOf(model_version)),
                       model_metadata);
  });
}

TRITONSERVER_Error* TRITONSERVER_ServerModelStatistics(TRITONSERVER_Server* server,
                                                       const char* model_name,
                                                       const int64_t model_version,
                                                       TRITONSERVER_Message** model_stats) {
  *model_stats = nullptr;
  return Ask(server, [&](ServerControl& control) {
    return GiveMessage(
        control.StatisticsJson(model_name == nullptr ? "" : model_name, VersionOf(model_version)),
        model_stats);
  });
}

TRITONSERVER_Error* TRITONSERVER_ServerModelConfig(TRITONSERVER_Server* server,
                                                   const char* model_name,
                                                   const int64_t model_version,
                                                   const uint32_t config_version,
                                                   TRITONSERVER_Message** model_config) {
  *model_config = nullptr;
  if (config_version != 1) {
    return RefuseCall("model configuration version must be 1");
  }
  return AskModel(server, model_name, model_version, [&](const headrace::engine::Model& model) {
    return GiveMessage(model.config_json(), model_config);
  });
}

TRITONSERVER_Error* TRITONSERVER_ServerModelIndex(TRITONSERVER_Server* server, uint32_t flags,
                                                  TRITONSERVER_Message** model_index) {
  *model_index = nullptr;
  return Ask(server, [&](ServerControl& control) {
    return GiveMessage(control.IndexJson((flags & TRITONSERVER_INDEX_FLAG_READY) != 0),
                       model_index);
  });
}

TRITONSERVER_Error* TRITONSERVER_ServerLoadModel(TRITONSERVER_Server* server,
                                                 const char* model_name) {
  return TRITONSERVER_ServerLoadModelWithParameters(server, model_name, nullptr, 0);
}

TRITONSERVER_Error* TRITONSERVER_ServerLoadModelWithParameters(
    TRITONSERVER_Server* server, const char* model_name, const TRITONSERVER_Parameter** parameters,
    const uint64_t parameter_count) {
  return Ask(server, [&](ServerControl& control) {
    std::string config_json;
    std::map<std::string, std::string> files;
    for (std::uint64_t i = 0; i < parameter_count; ++i) {
      const TRITONSERVER_Parameter& parameter = *parameters[i];
      const auto* const text = std::get_if<std::string>(&parameter.value);
      const std::string_view path = FilePath(parameter.name);
      if (!path.empty() && parameter.type == TRITONSERVER_PARAMETER_BYTES) {
        files[std::string(path)].assign(static_cast<const char*>(parameter.bytes),
                                        parameter.bytes_size);
      } else if (parameter.name == "config" && parameter.type == TRITONSERVER_PARAMETER_STRING) {
        config_json = *text;
      } else {
        return ToTriton(InvalidArgument(
            "unrecognized load parameter '{}' of type {} for model '{}': a string 'config' or "
            "bytes 'file:<path>' are expected",
            parameter.name, TRITONSERVER_ParameterTypeString(parameter.type), model_name));
      }
    }
    return ToTriton(control.Load(model_name, std::move(config_json), std::move(files)));
  });
}

TRITONSERVER_Error* TRITONSERVER_ServerUnloadModel(TRITONSERVER_Server* server,
                                                   const char* model_name) {
  return Ask(server, [&](ServerControl& control) {
    return ToTriton(control.Unload(model_name, /*unload_dependents=*/false));
  });
}

TRITONSERVER_Error* TRITONSERVER_ServerUnloadModelAndDependents(TRITONSERVER_Server* server,
                                                                const char* model_name) {
  return Ask(server, [&](ServerControl& control) {
    return ToTriton(control.Unload(model_name, /*unload_dependents=*/true));
  });
}

TRITONSERVER_Error* TRITONSERVER_ServerRegisterModelRepository(
    TRITONSERVER_Server* server, const char* repository_path,
    const TRITONSERVER_Parameter** name_mapping, const uint32_t mapping_count) {
  return Ask(server, [&](ServerControl& control) {
    std::map<std::string, std::string> mapping;
    for (std::uint32_t i = 0; i < mapping_count; ++i) {
      const TRITONSERVER_Parameter& parameter = *name_mapping[i];
      const auto* const model = std::get_if<std::string>(&parameter.value);
      if (parameter.type != TRITONSERVER_PARAMETER_STRING || model == nullptr) {
        return ToTriton(InvalidArgument(
            "Mapped model name must be a string, found another type for {}", parameter.name));
      }
      if (!mapping.try_emplace(*model, parameter.name).second) {
        return ToTriton(
            InvalidArgument("failed to register '{}', there is a conflicting mapping for '{}'",
                            repository_path, *model));
      }
    }
    return ToTriton(control.RegisterRepository(repository_path, mapping));
  });
}

TRITONSERVER_Error* TRITONSERVER_ServerUnregisterModelRepository(TRITONSERVER_Server* server,
                                                                 const char* repository_path) {
  return Ask(server, [&](ServerControl& control) {
    return ToTriton(control.UnregisterRepository(repository_path));
  });
}

TRITONSERVER_Error* TRITONSERVER_ServerPollModelRepository(TRITONSERVER_Server* server) {
  return Ask(server, [&](ServerControl& control) { return ToTriton(control.Poll()); });
}

TRITONSERVER_Error* TRITONSERVER_ServerMetrics(TRITONSERVER_Server* server,
                                               TRITONSERVER_Metrics** metrics) {
  *metrics = nullptr;
  return Ask(server, [&](ServerControl& control) -> TRITONSERVER_Error* {
    *metrics = new TRITONSERVER_Metrics{control.MetricsPage()};
    return nullptr;
  });
}

TRITONSERVER_Error* TRITONSERVER_MetricsDelete(TRITONSERVER_Metrics* metrics) {
  delete metrics;
  return nullptr;
}

TRITONSERVER_Error* TRITONSERVER_MetricsFormatted(TRITONSERVER_Metrics* metrics,
                                                  TRITONSERVER_MetricFormat format,
                                                  const char** base, size_t* byte_size) {
  if (format != TRITONSERVER_METRIC_PROMETHEUS) {
    return RefuseCall("there is no such format of metrics");
  }
  *base = metrics->page.c_str();
  *byte_size = metrics->page.size();
  return nullptr;
}

// On success the server has the request until its release callback; the trace is taken in any case.
TRITONSERVER_Error* TRITONSERVER_ServerInferAsync(TRITONSERVER_Server* server,
                                                  TRITONSERVER_InferenceRequest* inference_request,
                                                  TRITONSERVER_InferenceTrace* trace) {
  return Answer([&] {
    std::shared_ptr<headrace::engine::RequestTrace> adopted = headrace::plugin::AdoptTrace(trace);
    return Ask(server, [&](ServerControl&) {
      return ToTriton(headrace::plugin::SubmitInProcess(*inference_request, std::move(adopted)));
    });
  });
}

}  // extern "C"
