#include "repository/parallel_settings.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>

namespace headrace::repository {
namespace {

namespace dom = simdjson::dom;

// Of the processes of one worker, and of its GPUs.
constexpr std::int64_t kCountMax = 256;

class Reader {
 public:
  Reader(dom::object settings, ParallelSettings& result) : settings_(settings), result_(result) {}

  void Read() {
    const bool ranks = ReadType();
    dom::element value;
    ReadLevel();
    if (ranks) {
      ReadTorchrun();
    } else if (settings_.at_key("torchrun").get(value) == simdjson::SUCCESS) {
      Warn("torchrun", "is ignored: it needs 'parallelType' pp, tp or pptp");
    }
    if (result_.rank_count > 1 && Says("asyncCommunication")) {
      Warn("asyncCommunication", "does not go with 'parallelType': the workers will not start");
    }
    if (result_.rank_count > 1 && Says("forkWorkers")) {
      Warn("forkWorkers", "is ignored: it does not go with 'parallelType'");
    }
  }

 private:
  void Warn(std::string_view key, std::string_view what) {
    result_.warnings.push_back(fmt::format("model-config.yaml: '{}' {}", key, what));
  }

  bool Says(std::string_view key) const {
    bool says = false;
    return settings_.at_key(key).get(says) == simdjson::SUCCESS && says;
  }

  void ReadLevel() {
    dom::element value;
    if (settings_.at_key("parallelLevel").get(value) != simdjson::SUCCESS || value.is_null()) {
      return;
    }
    // 0 counts as not said.
    if (std::int64_t level = -1;
        value.get(level) == simdjson::SUCCESS && level >= 0 && level <= kCountMax) {
      result_.level = level;
      result_.gpus_per_worker = std::max<std::int64_t>(1, level);
    } else {
      Warn("parallelLevel", fmt::format("is ignored: it must be a number from 1 to {}", kCountMax));
    }
  }

  // Whether torchrun would start the worker.
  bool ReadType() {
    dom::element value;
    if (settings_.at_key("parallelType").get(value) != simdjson::SUCCESS || value.is_null()) {
      return false;
    }
    std::string_view type;
    if (value.get(type) == simdjson::SUCCESS) {
      if (type == "pp" || type == "tp" || type == "pptp" || type == "custom") {
        result_.type = type;
        return type != "custom";
      }
    }
    Warn("parallelType", "is ignored: it must be pp, tp, pptp or custom");
    return false;
  }

  void ReadTorchrun() {
    dom::element torchrun;
    if (settings_.at_key("torchrun").get(torchrun) == simdjson::SUCCESS && !torchrun.is_null()) {
      if (dom::object map; torchrun.get(map) == simdjson::SUCCESS) {
        for (const auto& [key, value] : map) {
          ReadTorchrun(key, value);
        }
      } else {
        Warn("torchrun", "is ignored: it must be a map, with 'nproc-per-node' for one key");
      }
    }
    result_.level = result_.gpus_per_worker = result_.rank_count;
  }

  void ReadTorchrun(std::string_view key, dom::element value) {
    const std::string name = fmt::format("torchrun.{}", key);
    std::int64_t number = -1;
    const bool is_number = value.get(number) == simdjson::SUCCESS;
    if (key == "nproc-per-node" || key == "OMP_NUMBER_THREADS") {
      if (!is_number || number < 1 || number > kCountMax) {
        Warn(name, fmt::format("is ignored: it must be a number from 1 to {}", kCountMax));
      } else {
        (key == "nproc-per-node" ? result_.rank_count : result_.rank_thread_count) = number;
      }
    } else if (key == "nnodes" || key == "node-rank") {
      if (number != (key == "nnodes" ? 1 : 0)) {
        Warn(name, "is ignored: all processes of a worker run on this machine");
      }
    } else if (std::string_view text; value.get(text) != simdjson::SUCCESS || text != "c10d") {
      Warn(name, "has no effect: the server starts the processes, and they meet on loopback");
    }
  }

  const dom::object settings_;
  ParallelSettings& result_;
};

}  // namespace

ParallelSettings ReadParallelSettings(std::string_view json) {
  ParallelSettings result;
  dom::parser parser;
  dom::object object;
  if (!json.empty() && parser.parse(json.data(), json.size()).get(object) == simdjson::SUCCESS) {
    Reader(object, result).Read();
  }
  return result;
}

std::vector<int> FirstOfGroups(const std::vector<int>& gpus, std::int64_t size) {
  const auto step = static_cast<std::size_t>(std::max<std::int64_t>(1, size));
  if (step == 1 || step > gpus.size()) {
    return gpus;
  }
  std::vector<int> first;
  for (std::size_t i = 0; i + step <= gpus.size(); i += step) {
    first.push_back(gpus[i]);
  }
  return first;
}

}  // namespace headrace::repository
