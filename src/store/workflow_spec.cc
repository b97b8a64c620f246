#include "store/workflow_spec.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>

#include "base/log.h"
#include "repository/names.h"
#include "repository/yaml_json.h"

namespace headrace::store {
namespace {

namespace dom = simdjson::dom;

struct Setting {
  std::string_view key;
  std::int64_t WorkflowNodeSettings::*member;
  std::int64_t min, max;
};

constexpr Setting kSettings[] = {
    {"min-workers", &WorkflowNodeSettings::worker_count_min, 0, 1'000'000},
    {"max-workers", &WorkflowNodeSettings::worker_count_max, 0, 1'000'000},
    {"batch-size", &WorkflowNodeSettings::batch_size, 1, 1'000'000},
    {"max-batch-delay", &WorkflowNodeSettings::batch_delay_ms, 0, 3'600'000},
    {"retry-attempts", &WorkflowNodeSettings::retry_attempts, 0, 100},
    {"timeout-ms", &WorkflowNodeSettings::timeout_ms, 1, 3'600'000},
};

const Setting* FindSetting(std::string_view key) {
  const auto found = std::find_if(std::begin(kSettings), std::end(kSettings),
                                  [&](const Setting& setting) { return setting.key == key; });
  return found == std::end(kSettings) ? nullptr : found;
}

std::string Shown(std::string_view text) { return EscapeForLog(text, 128); }

Status ReadSetting(const Setting& setting, std::string_view where, dom::element value,
                   WorkflowNodeSettings& settings) {
  std::int64_t number = 0;
  std::string_view text;
  bool read = value.get(number) == simdjson::SUCCESS;
  if (!read && value.get(text) == simdjson::SUCCESS) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    read = error == std::errc() && end == text.data() + text.size();
  }
  if (!read || number < setting.min || number > setting.max) {
    return InvalidArgument("models{}.{} must be a whole number from {} to {}", where, setting.key,
                           setting.min, setting.max);
  }
  settings.*setting.member = number;
  return OkStatus();
}

Status CheckCounts(std::string_view where, const WorkflowNodeSettings& settings) {
  if (settings.worker_count_max < settings.worker_count_min || settings.worker_count_max == 0) {
    return InvalidArgument(
        "models{}: max-workers ({}) must be at least one and no less than min-workers ({})", where,
        settings.worker_count_max, settings.worker_count_min);
  }
  return OkStatus();
}

using Models = std::map<std::string, WorkflowNode, std::less<>>;

Status ReadModel(std::string_view name, dom::object object, WorkflowNodeSettings settings,
                 Models& models) {
  const std::string where = "." + Shown(name);
  WorkflowNode node{std::string(name), {}, settings};
  for (const auto [key, value] : object) {
    if (const Setting* setting = FindSetting(key)) {
      HEADRACE_RETURN_IF_ERROR(ReadSetting(*setting, where, value, node.settings));
    } else if (std::string_view url; key == "url" && value.get(url) == simdjson::SUCCESS) {
      node.url = url;
    }
  }
  if (node.url.empty()) {
    return InvalidArgument("models{}.url is missing: it names the model's archive", where);
  }
  // Who says min-workers alone means that many.
  if (object["max-workers"].error() != simdjson::SUCCESS) {
    node.settings.worker_count_max =
        std::max(node.settings.worker_count_max, node.settings.worker_count_min);
  }
  HEADRACE_RETURN_IF_ERROR(CheckCounts(where, node.settings));
  models.emplace(name, std::move(node));
  return OkStatus();
}

Status ReadModels(dom::object section, WorkflowNodeSettings& defaults, Models& models) {
  for (const auto [key, value] : section) {
    if (const Setting* setting = FindSetting(key)) {
      HEADRACE_RETURN_IF_ERROR(ReadSetting(*setting, "", value, defaults));
    }
  }
  if (section["max-workers"].error() != simdjson::SUCCESS) {
    defaults.worker_count_max = std::max(defaults.worker_count_max, defaults.worker_count_min);
  }
  HEADRACE_RETURN_IF_ERROR(CheckCounts("", defaults));
  for (const auto [key, value] : section) {
    if (FindSetting(key) != nullptr) {
      continue;
    }
    dom::object object;
    if (value.get(object) != simdjson::SUCCESS) {
      return InvalidArgument("models.{} must be a map with the model's url", Shown(key));
    }
    HEADRACE_RETURN_IF_ERROR(ReadModel(key, object, defaults, models));
  }
  return OkStatus();
}

bool IsFunctionName(std::string_view name) {
  const auto letter = [](unsigned char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  };
  return !name.empty() && letter(static_cast<unsigned char>(name[0])) &&
         std::all_of(name.begin(), name.end(),
                     [&](unsigned char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

// Nodes in the order in which the dag names them first.
class DagReader {
 public:
  DagReader(const Models& models, const WorkflowNodeSettings& defaults, bool has_handler)
      : models_(models), defaults_(defaults), has_handler_(has_handler) {}

  Status Read(dom::object section) {
    text_ = "{";
    for (const auto [from, value] : section) {
      HEADRACE_RETURN_IF_ERROR(AddNode(from));
      text_.append(text_.size() > 1 ? ", " : "").append(from).append("=[");
      dom::array children;
      if (!value.is_null() && value.get(children) != simdjson::SUCCESS) {
        return InvalidArgument("dag.{} must be a list of nodes", Shown(from));
      }
      bool first = true;
      for (dom::element child : ChildrenOf(value)) {
        std::string_view to;
        if (child.get(to) != simdjson::SUCCESS) {
          return InvalidArgument("dag.{} must be a list of nodes", Shown(from));
        }
        HEADRACE_RETURN_IF_ERROR(AddNode(to));
        edges_.emplace_back(from, to);
        text_.append(first ? "" : ", ").append(to);
        first = false;
      }
      text_ += "]";
    }
    text_ += "}";
    return OkStatus();
  }

  Result<WorkflowGraph> Graph() { return WorkflowGraph::Make(std::move(nodes_), edges_); }
  std::string TakeText() { return std::move(text_); }

 private:
  static std::vector<dom::element> ChildrenOf(dom::element value) {
    dom::array array;
    if (value.get(array) != simdjson::SUCCESS) {
      return {};
    }
    return {array.begin(), array.end()};
  }

  Status AddNode(std::string_view name) {
    if (known_.contains(name)) {
      return OkStatus();
    }
    if (known_.size() == kWorkflowNodeCountMax) {
      return InvalidArgument("dag: a workflow may have {} nodes", kWorkflowNodeCountMax);
    }
    known_.emplace(name, true);
    if (const auto model = models_.find(name); model != models_.end()) {
      HEADRACE_RETURN_IF_ERROR(repository::CheckModelName(name).WithPrefix("dag: "));
      nodes_.push_back(model->second);
      return OkStatus();
    }
    if (!has_handler_) {
      return InvalidArgument(
          "dag: '{}' is no model of `models`, and the archive has no handler file that could have "
          "a "
          "function of that name",
          Shown(name));
    }
    if (!IsFunctionName(name)) {
      return InvalidArgument("dag: '{}' is no model of `models` and no name of a function",
                             Shown(name));
    }
    WorkflowNodeSettings settings;
    settings.batch_delay_ms = 0;
    settings.retry_attempts = defaults_.retry_attempts;
    settings.timeout_ms = defaults_.timeout_ms;
    nodes_.push_back({std::string(name), {}, settings});
    return OkStatus();
  }

  const Models& models_;
  const WorkflowNodeSettings& defaults_;
  const bool has_handler_;
  std::map<std::string, bool, std::less<>> known_;
  std::vector<WorkflowNode> nodes_;
  std::vector<WorkflowGraph::Edge> edges_;
  std::string text_;
};

}  // namespace

Result<WorkflowSpec> ParseWorkflowSpec(std::string_view yaml, bool has_handler) {
  HEADRACE_ASSIGN_OR_RETURN(const std::string json, repository::YamlToJson(yaml));
  dom::parser parser;
  dom::object root, models_section, dag_section;
  if (parser.parse(json).get(root) != simdjson::SUCCESS) {
    return InvalidArgument("it must be a map with `models` and `dag`");
  }
  if (root["models"].get(models_section) != simdjson::SUCCESS) {
    return InvalidArgument("`models` must be a map of nodes");
  }
  if (root["dag"].get(dag_section) != simdjson::SUCCESS) {
    return InvalidArgument("`dag` must be a map of nodes to lists of nodes");
  }
  WorkflowSpec spec;
  Models models;
  HEADRACE_RETURN_IF_ERROR(ReadModels(models_section, spec.defaults, models));
  DagReader dag(models, spec.defaults, has_handler);
  HEADRACE_RETURN_IF_ERROR(dag.Read(dag_section));
  HEADRACE_ASSIGN_OR_RETURN(spec.graph, dag.Graph());
  spec.dag_text = dag.TakeText();
  return spec;
}

}  // namespace headrace::store
