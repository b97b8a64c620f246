#include "bench/bench_workload.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <functional>
#include <utility>

#include "bench/bench_values.h"

namespace headrace::bench {
namespace {

Status SetCount(const char* name, const Text& flag, std::uint64_t min,
                const std::function<void(std::uint64_t)>& set) {
  if (!flag) {
    return OkStatus();
  }
  const Result<std::uint64_t> count = ParseCount(*flag, min);
  if (!count.ok()) {
    return count.status().WithPrefix(fmt::format("{}: ", name));
  }
  set(*count);
  return OkStatus();
}

Status SetTolerance(const char* name, const Text& flag, double& field) {
  if (!flag) {
    return OkStatus();
  }
  const Result<double> value = ParseNumber(*flag);
  if (!value.ok() || *value < 0) {
    return InvalidArgument("{}: '{}' is no number from 0", name, *flag);
  }
  field = *value;
  return OkStatus();
}

Status ResolveData(const BenchFlags& flags, load::ItemSpec& item) {
  if (flags.zero_data) {
    load::AddInputData("zero", item);
  }
  for (const std::string& data : flags.input_data) {
    load::AddInputData(data, item);
  }
  for (const std::string& shape : flags.shapes) {
    HEADRACE_RETURN_IF_ERROR(load::AddShape(shape, item).WithPrefix("--shape: "));
  }
  for (const std::string& parameter : flags.parameters) {
    HEADRACE_RETURN_IF_ERROR(
        load::AddParameter(parameter, item).WithPrefix("--request-parameter: "));
  }
  item.outputs = flags.outputs;
  item.string_data = flags.string_data;
  item.content_type = flags.content_type.value_or("");
  item.golden_file = flags.golden.value_or("");
  item.compare_answers = !flags.no_compare;
  if (flags.scaling) {
    HEADRACE_ASSIGN_OR_RETURN(item.scaling, load::ParsePixelScaling(*flags.scaling));
  }
  HEADRACE_RETURN_IF_ERROR(
      SetTolerance("--atol", flags.absolute_tolerance, item.absolute_tolerance));
  HEADRACE_RETURN_IF_ERROR(
      SetTolerance("--rtol", flags.relative_tolerance, item.relative_tolerance));
  HEADRACE_RETURN_IF_ERROR(SetCount("--batch-size", flags.batch, 1, [&](std::uint64_t n) {
    item.batch_size = static_cast<std::int64_t>(n);
  }));
  HEADRACE_RETURN_IF_ERROR(SetCount("--string-length", flags.string_length, 0,
                                    [&](std::uint64_t n) { item.string_length = n; }));
  HEADRACE_RETURN_IF_ERROR(
      SetCount("--content-count", flags.content_count, 1,
               [&](std::uint64_t n) { item.random_count = static_cast<int>(n); }));
  HEADRACE_RETURN_IF_ERROR(
      SetCount("--priority", flags.priority, 0, [&](std::uint64_t n) { item.priority = n; }));
  return SetCount("--request-timeout-us", flags.request_timeout_us, 0,
                  [&](std::uint64_t n) { item.timeout_us = n; });
}

Status ResolveSequences(const BenchFlags& flags, load::SequenceSpec& sequences) {
  HEADRACE_RETURN_IF_ERROR(
      SetCount("--num-of-sequences", flags.sequence_count, 1,
               [&](std::uint64_t n) { sequences.concurrent = static_cast<int>(n); }));
  HEADRACE_RETURN_IF_ERROR(
      SetCount("--sequence-length", flags.sequence_length, 1,
               [&](std::uint64_t n) { sequences.length = static_cast<int>(n); }));
  if (flags.sequence_variation) {
    const Result<double> percent = ParseNumber(*flags.sequence_variation);
    if (!percent.ok() || *percent < 0 || *percent > 100) {
      return InvalidArgument("--sequence-length-variation: '{}' is no percentage from 0 to 100",
                             *flags.sequence_variation);
    }
    sequences.length_variation = *percent / 100;
  }
  if (flags.sequence_ids) {
    const std::string_view text = *flags.sequence_ids;
    const std::size_t colon = std::min(text.find(':'), text.size());
    const Result<std::uint64_t> first = ParseCount(text.substr(0, colon), 1);
    const Result<std::uint64_t> end = colon == text.size()
                                          ? Result<std::uint64_t>(sequences.id_last)
                                          : ParseCount(text.substr(colon + 1), 1);
    if (!first.ok() || !end.ok() || *end <= *first) {
      return InvalidArgument("--sequence-id-range: '{}' is no range: write it as START:END", text);
    }
    sequences.id_first = *first;
    sequences.id_last = colon == text.size() ? *end : *end - 1;
  }
  return OkStatus();
}

}  // namespace

Result<std::uint64_t> ParseCount(std::string_view text, std::uint64_t min) {
  constexpr std::uint64_t kMax = INT32_MAX;
  std::uint64_t count = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, count);
  if (text.empty() || error != std::errc() || stop != end || count < min || count > kMax) {
    return InvalidArgument("'{}' is no whole number from {} to {}", text, min, kMax);
  }
  return count;
}

Status ResolveWorkload(const BenchFlags& flags, BenchOptions& options) {
  load::WorkloadSpec& workload = options.workload;
  workload.protocol = options.target.protocol;
  workload.mix_file = flags.mix.value_or("");
  load::ItemSpec& item = workload.item;
  item.model = flags.model.value_or("");
  item.version = flags.version.value_or("");
  const bool needs_model = workload.protocol != load::Protocol::kRawHttp &&
                           workload.protocol != load::Protocol::kInvocations;
  if (item.model.empty() && workload.mix_file.empty() && needs_model) {
    return InvalidArgument("which model? Give -m NAME, or --mix FILE");
  }
  HEADRACE_RETURN_IF_ERROR(ResolveData(flags, item));
  return ResolveSequences(flags, item.sequences);
}

Result<std::vector<Nanos>> ReadSchedule(const std::vector<std::string>& input_data) {
  namespace dom = simdjson::dom;
  std::vector<Nanos> offsets;
  for (const std::string& path : input_data) {
    dom::parser parser;
    dom::element root;
    dom::array entries;
    if (parser.load(path).get(root) != simdjson::SUCCESS ||
        root.at_key("data").get(entries) != simdjson::SUCCESS) {
      return InvalidArgument(
          "--fixed-schedule: {} is no JSON with a list \"data\" whose entries have a \"timestamp\"",
          path);
    }
    for (const dom::element entry : entries) {
      // A number, or a list of one, as all values of this form.
      double milliseconds = 0;
      if (entry.at_key("timestamp").get(milliseconds) != simdjson::SUCCESS &&
          entry.at_key("timestamp").at(0).get(milliseconds) != simdjson::SUCCESS) {
        return InvalidArgument("--fixed-schedule: {}: entry {} has no \"timestamp\" (milliseconds)",
                               path, offsets.size());
      }
      offsets.push_back(static_cast<Nanos>(milliseconds * 1e6));
    }
  }
  if (offsets.empty()) {
    return InvalidArgument("--fixed-schedule: needs --input-data FILE with entries");
  }
  const Nanos first = *std::min_element(offsets.begin(), offsets.end());
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    offsets[i] -= first;
    if (i > 0 && offsets[i] < offsets[i - 1]) {
      return InvalidArgument("--fixed-schedule: entry {} comes before entry {}", i, i - 1);
    }
  }
  return offsets;
}

}  // namespace headrace::bench
