#include "bench/describe.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <ctime>

#include "bench/bench_target.h"

namespace headrace::bench {
namespace {

std::string InputsText(const load::Content& content) {
  std::string text;
  for (const load::TensorContent& input : content.inputs) {
    std::string shape;
    for (const std::int64_t dimension : input.shape) {
      shape += fmt::format("{}{}", shape.empty() ? "" : ",", dimension);
    }
    text += fmt::format("{}{} {} [{}]", text.empty() ? "" : "; ", input.name,
                        DataTypeName(input.data_type), shape);
  }
  if (text.empty() && content.body) {
    text = fmt::format("{} bytes{}{}", content.body->size(),
                       content.content_type.empty() ? "" : " of ", content.content_type);
  }
  return text;
}

}  // namespace

TargetDescription DescribeTarget(const load::TargetSpec& target) {
  TargetDescription description;
  description.protocol = ProtocolText(target.protocol);
  description.address = AddressText(target);
  const auto add = [&description](bool is_so, std::string_view words) {
    if (is_so) {
      description.options += description.options.empty() ? "" : ", ";
      description.options += words;
    }
  };
  const bool v2_http = target.protocol == load::Protocol::kV2Http;
  add(target.tls.enabled, "TLS");
  add(target.streaming, "streaming");
  add(v2_http && !target.binary_input, "JSON inputs");
  add(v2_http && !target.binary_output, "JSON outputs");
  add(target.shared_memory == load::TargetSpec::SharedMemory::kSystem, "shared memory");
  add(!target.grpc_compression.empty(), target.grpc_compression);
  return description;
}

std::vector<ItemDescription> DescribeWorkload(const load::Workload& workload,
                                              load::ServerControl* control) {
  std::vector<ItemDescription> items;
  for (const load::Item& item : workload.items) {
    ItemDescription& description = items.emplace_back();
    description.name = item.name;
    description.model = item.model;
    description.version = item.version;
    description.weight = item.weight;
    description.batch_size = item.batch_size;
    description.content_count = item.contents.size();
    if (!item.contents.empty()) {
      description.inputs = InputsText(item.contents.front());
    }
    if (control == nullptr || item.model.empty()) {
      continue;
    }
    const Result<load::ModelFacts> facts = control->Model(item.model, item.version);
    if (facts.ok()) {
      description.platform = facts->platform;
      if (description.version.empty() && facts->versions.size() == 1) {
        description.version = facts->versions.front();
      }
      if (!facts->config_json.empty()) {
        description.model_hash = fmt::format(
            "{:016x}", XXH3_64bits(facts->config_json.data(), facts->config_json.size()));
      }
    }
  }
  return items;
}

std::string TimeText() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  char text[32];
  const std::size_t size = std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts);
  return std::string(text, size);
}

}  // namespace headrace::bench
