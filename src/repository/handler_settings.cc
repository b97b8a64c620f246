#include "repository/handler_settings.h"

#include <simdjson.h>

#include <limits>
#include <utility>

#include "repository/yaml_json.h"

namespace headrace::repository {
namespace {

namespace dom = simdjson::dom;

constexpr std::int64_t kPriorityLevelCountMax = 1024;
constexpr std::int64_t kThreadCountMax = 1024;

class Reader {
 public:
  Reader(dom::object settings, HandlerSettings& result) : settings_(settings), result_(result) {}

  void Read() {
    ReadWorkers();
    result_.batch_size = Number("batchSize", 1);
    result_.batch_delay_ms = Number("maxBatchDelay", 1);
    result_.response_timeout_s = Number("responseTimeout", 1);
    result_.startup_timeout_s = Number("startupTimeout", 1);
    result_.retry_timeout_s = Number("maxRetryTimeoutInSec", 1);
    result_.job_queue_size = Number("jobQueueSize", 1);
    result_.client_timeout_ms = Number("clientTimeoutInMills", 1);
    result_.job_ticket = Flag("useJobTicket");
    result_.continuous_batching = Flag("continuousBatching");
    result_.own_environment = Flag("useVenv");
    ReadAsyncCommunication();
    result_.fork_workers = Flag("forkWorkers");
    ReadThreads();
    ReadPriorities();
    ReadSequences();
    ReadDevices();
    result_.parallel = ReadParallelSettings(result_.json);
    const std::vector<std::string>& warnings = result_.parallel.warnings;
    result_.warnings.insert(result_.warnings.end(), warnings.begin(), warnings.end());
  }

 private:
  void Warn(std::string_view key, std::string_view what) {
    result_.warnings.push_back(fmt::format("model-config.yaml: '{}' {}", key, what));
  }

  // An integer of at least `min`; 0 counts as not said.
  std::optional<std::int64_t> Number(std::string_view key, std::int64_t min) {
    dom::element value;
    if (settings_.at_key(key).get(value) != simdjson::SUCCESS || value.is_null()) {
      return std::nullopt;
    }
    std::int64_t number = 0;
    if (value.get(number) != simdjson::SUCCESS || number < 0 ||
        number > std::numeric_limits<std::int32_t>::max()) {
      Warn(key, "is ignored: it must be a whole number of at least 0");
      return std::nullopt;
    }
    return number >= min ? std::optional(number) : std::nullopt;
  }

  bool Flag(std::string_view key) {
    dom::element value;
    if (settings_.at_key(key).get(value) != simdjson::SUCCESS || value.is_null()) {
      return false;
    }
    bool on = false;
    if (value.get(on) != simdjson::SUCCESS) {
      Warn(key, "is ignored: it must be true or false");
    }
    return on;
  }

  // The worker acts on it; a batch would only make its first request wait for the others.
  void ReadAsyncCommunication() {
    if (!Flag("asyncCommunication")) {
      return;
    }
    if (result_.continuous_batching) {
      Warn("asyncCommunication", "is ignored: the model batches continuously");
    } else if (result_.batch_size > 1) {
      Warn("batchSize", "is ignored: with 'asyncCommunication' the handler gets single requests");
      result_.batch_size = 1;
    }
  }

  void ReadThreads() {
    result_.thread_count = Number("threadsPerWorker", 1);
    if (result_.thread_count > kThreadCountMax) {
      Warn("threadsPerWorker", fmt::format("is ignored: it must be at most {}", kThreadCountMax));
      result_.thread_count.reset();
    }
  }

  void ReadPriorities() {
    const auto count = Number("priorityLevels", 1), otherwise = Number("defaultPriority", 1);
    if (count > kPriorityLevelCountMax || (otherwise && (!count || *otherwise > *count))) {
      Warn("priorityLevels",
           fmt::format("and 'defaultPriority' are ignored: there are at most {} levels, and the "
                       "default must be one of them",
                       kPriorityLevelCountMax));
      return;
    }
    result_.priority_level_count = count;
    result_.default_priority = otherwise;
  }

  void ReadSequences() {
    const bool on = Flag("sequenceBatching");
    result_.sequence_idle_ms = Number("sequenceMaxIdleMSec", 1);
    if (!result_.sequence_idle_ms) {
      if (on) {
        Warn("sequenceBatching", "is ignored: it needs 'sequenceMaxIdleMSec' of at least 1");
      }
      return;
    }
    if (result_.continuous_batching) {
      Warn("sequenceMaxIdleMSec", "is ignored: the model batches continuously");
      result_.sequence_idle_ms.reset();
      return;
    }
    result_.sequence_timeout_ms = Number("sequenceTimeoutMSec", 1);
    result_.sequence_count_max = Number("maxNumSequence", 1);
    result_.sequence_queue_size = Number("maxSequenceJobQueueSize", 1);
  }

  void ReadWorkers() {
    const auto min = Number("minWorkers", 1), max = Number("maxWorkers", 1);
    if (!min && !max) {
      return;
    }
    if (!min || !max || *max < *min) {
      Warn("minWorkers",
           "and 'maxWorkers' are ignored: both are needed, with 0 < minWorkers <= maxWorkers");
      return;
    }
    result_.worker_count_min = min;
    result_.worker_count_max = max;
  }

  void ReadDevices() {
    dom::element value;
    if (settings_.at_key("deviceType").get(value) == simdjson::SUCCESS && !value.is_null()) {
      std::string_view type;
      if (value.get(type) == simdjson::SUCCESS && (type == "cpu" || type == "gpu")) {
        result_.device_type = type;
      } else {
        Warn("deviceType", "is ignored: it must be cpu or gpu");
      }
    }
    if (settings_.at_key("deviceIds").get(value) != simdjson::SUCCESS || value.is_null()) {
      return;
    }
    dom::array ids;
    bool good = value.get(ids) == simdjson::SUCCESS;
    std::vector<int> found;
    for (const dom::element id : good ? ids : dom::array()) {
      std::int64_t number = -1;
      good = good && id.get(number) == simdjson::SUCCESS && number >= 0 && number < 1024;
      found.push_back(static_cast<int>(number));
    }
    if (good) {
      result_.device_ids = std::move(found);
    } else {
      Warn("deviceIds", "is ignored: it must be a list of numbers of GPUs");
    }
  }

  const dom::object settings_;
  HandlerSettings& result_;
};

}  // namespace

Result<HandlerSettings> ReadHandlerSettings(std::string_view yaml) {
  HandlerSettings settings;
  HEADRACE_ASSIGN_OR_RETURN(settings.json, YamlToJson(yaml));
  dom::parser parser;
  dom::object object;
  if (parser.parse(settings.json).get(object) != simdjson::SUCCESS) {
    return InvalidArgument("the file must hold one map");
  }
  Reader(object, settings).Read();
  return settings;
}

}  // namespace headrace::repository
