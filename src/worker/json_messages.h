// The JSON parts of the messages (docs/workers.md). Pure.
//
// What is decoded came from a worker: unknown members are passed over, a member of the wrong type
// or a text that is no JSON is INVALID_ARGUMENT, which ends the worker. Every `json` to decode must
// be followed by 64 readable bytes.
#ifndef HEADRACE_WORKER_JSON_MESSAGES_H_
#define HEADRACE_WORKER_JSON_MESSAGES_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/parameter.h"
#include "base/result.h"
#include "base/thread.h"
#include "engine/backend.h"
#include "engine/request.h"
#include "protocol/json_cursor.h"

namespace headrace::worker {

// "INVALID_ARG" and its kin to our codes, and back; an unknown name is INTERNAL.
StatusCode CodeFromName(std::string_view name);
std::string_view NameOfCode(StatusCode code);

struct LoadMessage {
  std::string_view contract;  // "triton", "handler"
  std::string_view model_name, model_directory, model_file, config_json, instance_name;
  std::int64_t version = 1;
  engine::InstanceKind kind = engine::InstanceKind::kCpu;
  int device_id = 0;
  const std::vector<std::string>* input_names = nullptr;
  const std::vector<std::string>* output_names = nullptr;
  bool decoupled = false;
  std::uint64_t data_byte_size = 0, data_middle = 0;
  std::string_view handler_json;  // an object; empty: none
};
std::string EncodeLoad(const LoadMessage& load);

// What a copy of a template is to be (worker_template.h).
struct ForkMessage {
  std::string mark;                                // "HEADRACE_PROCESS=..."
  std::string name;                                // its own, as the system's tools show it
  CpuList cpus;                                    // empty: those of the template
  std::map<std::string, std::string> environment;  // what is not as in the template
};
std::string EncodeFork(const ForkMessage& fork);

// Appends the extras of a request to be executed; nothing if all of them are defaults. Wanted
// outputs that are `outputs`, the model's, are the default: most clients name them all.
void AppendRequestExtras(const engine::InferRequest& request,
                         const std::vector<std::string>& outputs, std::string& out);
// Extras of a response to a call of the worker's.
std::string EncodeResponseExtras(const Status& error, const std::vector<Parameter>& parameters);
std::string EncodeReply(std::uint64_t id, const Status& error, std::string_view value_json);
std::string EncodeId(std::uint64_t id);

struct HelloMessage {
  std::int64_t protocol = 0;
  std::string python, numpy;
};
struct LoadedMessage {
  Status error;
  bool says_ready = false;  // the model has is_ready
};
struct ResponseExtras {
  Status error;
  std::vector<Parameter> parameters;
};
struct CallExtras {
  std::string id, correlation_id, model_name;
  std::int64_t model_version = -1;
  std::vector<Parameter> parameters;
  std::vector<std::string> wanted_outputs;
  std::uint64_t priority = 0;
  std::optional<std::uint64_t> parent;
  bool decoupled = false;
};
struct LogFromWorker {
  LogLevel level = LogLevel::kInfo;
  std::string message, file;
  std::int64_t line = 0;
};
struct MetricMessage {
  std::string op, name, description, kind;
  std::uint64_t id = 0, family = 0;
  std::optional<std::uint64_t> call;
  std::vector<std::pair<std::string, std::string>> labels;
  std::vector<double> buckets;
  double value = 0;
};
struct ControlMessage {
  std::string op, model_name, config, model_version;
  std::uint64_t id = 0;
  bool unload_dependents = false;
  struct File {
    std::string path;
    std::uint64_t offset = 0, byte_size = 0;
  };
  std::vector<File> files;
};
struct ReadinessMessage {
  std::uint64_t id = 0;
  bool ready = false;
  Status error;
};

// Keeps the JSON reader's memory. Not thread-safe.
class JsonDecoder {
 public:
  Result<HelloMessage> Hello(std::string_view json);
  // The configuration as JSON text; nothing if the model completes none.
  Result<std::optional<std::string>> Config(std::string_view json);
  Result<LoadedMessage> Loaded(std::string_view json);
  // Of a response, and of FINALIZED, which is an error or nothing.
  Result<ResponseExtras> Response(std::string_view json);
  Result<CallExtras> Call(std::string_view json);
  Result<LogFromWorker> Log(std::string_view json);
  Result<MetricMessage> Metric(std::string_view json);
  Result<ControlMessage> Control(std::string_view json);
  Result<ReadinessMessage> Readiness(std::string_view json);

 private:
  template <typename F>
  Status Read(std::string_view json, F member);

  protocol::JsonCursor cursor_;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_JSON_MESSAGES_H_
