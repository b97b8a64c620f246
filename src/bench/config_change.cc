#include "bench/config_change.h"

#include <fmt/format.h>

#include <charconv>

#include "bench/json_value.h"

namespace headrace::bench {
namespace {

struct Device {
  std::string kind;
  JsonValue::Array gpus;
};

Result<Device> ReadDevice(std::string_view text) {
  if (text == "cpu" || text == "gpu" || text == "auto" || text == "model") {
    std::string kind = "KIND_";
    for (const char c : text) {
      kind += static_cast<char>(c - 'a' + 'A');
    }
    return Device{kind, {}};
  }
  Device device{"KIND_GPU", {}};
  std::string_view rest = text.starts_with("gpu:") ? text.substr(4) : std::string_view();
  while (!rest.empty()) {
    int number = 0;
    const auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    const bool last = end == rest.data() + rest.size();
    if (error != std::errc() || number < 0 || (!last && *end != ',')) {
      break;
    }
    device.gpus.emplace_back(number);
    if (last) {
      return device;
    }
    rest.remove_prefix(static_cast<std::size_t>(end - rest.data()) + 1);
  }
  return InvalidArgument("device '{}' is none of cpu, gpu, gpu:NUMBER[,NUMBER], auto and model",
                         text);
}

Status ChangeInstances(JsonValue& config, const ConfigChange& change) {
  if (!change.instance_count && !change.device) {
    return OkStatus();
  }
  if (change.instance_count && *change.instance_count < 1) {
    return InvalidArgument("instance count {} is below 1", *change.instance_count);
  }
  const JsonValue::Array groups = config.At("instance_group").elements();
  JsonValue group = groups.empty() ? JsonValue(JsonValue::Object()) : groups.front();
  if (change.instance_count) {
    group["count"] = *change.instance_count;
  }
  if (change.device) {
    HEADRACE_ASSIGN_OR_RETURN(const Device device, ReadDevice(*change.device));
    if (group.At("kind").AsString("KIND_AUTO") != device.kind) {
      for (const char* of_the_old : {"secondary_devices", "host_policy"}) {
        group.Erase(of_the_old);
      }
    }
    group["kind"] = device.kind;
    group.Erase("gpus");
    if (!device.gpus.empty()) {
      group["gpus"] = device.gpus;
    }
  }
  config["instance_group"] = JsonValue::Array{std::move(group)};
  return OkStatus();
}

Status ChangeBatching(JsonValue& config, const ConfigChange& change) {
  if (change.max_batch_size) {
    if (*change.max_batch_size < 0) {
      return InvalidArgument("max_batch_size {} is below 0", *change.max_batch_size);
    }
    config["max_batch_size"] = *change.max_batch_size;
  }
  const bool batcher_asked_for = change.queue_delay_us || change.preferred_batch_sizes;
  if (!change.dynamic_batching.value_or(true)) {
    if (batcher_asked_for) {
      return InvalidArgument("a queue delay and preferred batch sizes need dynamic batching");
    }
    config.Erase("dynamic_batching");
    return OkStatus();
  }
  if (change.dynamic_batching.value_or(false) || batcher_asked_for) {
    for (const char* other : {"sequence_batching", "ensemble_scheduling"}) {
      if (config.Find(other) != nullptr) {
        return InvalidArgument("the model has {}, so it cannot have dynamic batching", other);
      }
    }
    if (config.At("max_batch_size").AsInt() == 0) {
      return InvalidArgument("dynamic batching needs a max_batch_size of 1 or more");
    }
    JsonValue& batching = config["dynamic_batching"];
    if (!batching.is_object()) {
      batching = JsonValue::Object();
    }
    if (change.queue_delay_us) {
      batching["max_queue_delay_microseconds"] = *change.queue_delay_us;
    }
    if (change.preferred_batch_sizes) {
      JsonValue::Array sizes;
      for (const std::int64_t size : *change.preferred_batch_sizes) {
        sizes.emplace_back(size);
      }
      batching["preferred_batch_size"] = std::move(sizes);
    }
  }
  // Sizes that are no longer possible are no wish of anybody's.
  if (change.max_batch_size && !change.preferred_batch_sizes) {
    if (const JsonValue* batching = config.Find("dynamic_batching"); batching != nullptr) {
      JsonValue::Array kept;
      for (const JsonValue& size : batching->At("preferred_batch_size").elements()) {
        if (size.AsInt() <= *change.max_batch_size) {
          kept.push_back(size);
        }
      }
      JsonValue& changed = config["dynamic_batching"];
      if (changed.Find("preferred_batch_size") != nullptr) {
        changed["preferred_batch_size"] = std::move(kept);
      }
    }
    if (*change.max_batch_size == 0) {
      config.Erase("dynamic_batching");
    }
  }
  return OkStatus();
}

}  // namespace

std::string Describe(const ConfigChange& change) {
  std::string text;
  const auto add = [&](const std::string& part) { text += (text.empty() ? "" : ", ") + part; };
  if (change.instance_count) {
    add(fmt::format("instances {}{}", *change.instance_count,
                    change.device ? " x " + *change.device : ""));
  } else if (change.device) {
    add("device " + *change.device);
  }
  if (change.max_batch_size) {
    add(fmt::format("max batch {}", *change.max_batch_size));
  }
  if (change.queue_delay_us) {
    add(fmt::format("delay {} us", *change.queue_delay_us));
  }
  if (change.preferred_batch_sizes) {
    add(fmt::format("preferred batches {}", fmt::join(*change.preferred_batch_sizes, ", ")));
  }
  if (change.dynamic_batching && !change.queue_delay_us && !change.preferred_batch_sizes) {
    add(*change.dynamic_batching ? "dynamic batching" : "no dynamic batching");
  }
  if (!change.merge_patch.empty()) {
    add(change.merge_patch);
  }
  return text.empty() ? "as the repository has it" : text;
}

Result<std::string> ChangedConfig(std::string_view config_json, const ConfigChange& change) {
  HEADRACE_ASSIGN_OR_RETURN(JsonValue config, JsonValue::Parse(config_json));
  if (!config.is_object()) {
    return InvalidArgument("a model configuration is a JSON object");
  }
  HEADRACE_RETURN_IF_ERROR(ChangeInstances(config, change));
  HEADRACE_RETURN_IF_ERROR(ChangeBatching(config, change));
  if (!change.merge_patch.empty()) {
    auto patch = JsonValue::Parse(change.merge_patch);
    if (!patch.ok() || !patch->is_object()) {
      return InvalidArgument("the merge patch '{}' is no JSON object", change.merge_patch);
    }
    config.MergePatch(*patch);
  }
  return config.Text();
}

}  // namespace headrace::bench
