#include "worker/worker_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <string_view>

#include "base/checked_math.h"

namespace headrace::worker {
namespace {

constexpr std::uint64_t kDataByteSizeMin = 1ull << 20;
constexpr std::uint64_t kDataByteSizeMax = 1ull << 46;  // a quarter of what a process can address
constexpr std::uint64_t kSecondsMax = 365ull * 24 * 3600;

// Of all backends: for others than this one.
constexpr std::string_view kCommonKeys[] = {"default-max-batch-size", "backend-directory",
                                            "min-compute-capability", "auto-complete-config"};

struct Range {
  std::uint64_t min = 0;
  std::uint64_t max = UINT64_MAX;
  std::string_view unit;
};

Status Bad(std::string_view key, std::string_view value, std::string_view right) {
  return InvalidArgument("--backend-config=python,{}={}: {}", key, value, right);
}

Result<std::uint64_t> ParseNumber(std::string_view key, std::string_view value, Range range) {
  const auto number = ParseDecimal<std::uint64_t>(value);
  if (!number || *number < range.min || *number > range.max) {
    return Bad(key, value,
               range.max == UINT64_MAX
                   ? fmt::format("must be a number of {}, {} or more", range.unit, range.min)
                   : fmt::format("must be a number of {} from {} to {}", range.unit, range.min,
                                 range.max));
  }
  return *number;
}

Result<bool> ParseSwitch(std::string_view key, std::string_view value) {
  if (value == "on" || value == "true" || value == "1") {
    return true;
  }
  if (value == "off" || value == "false" || value == "0") {
    return false;
  }
  return Bad(key, value, "must be 'on' or 'off'");
}

// Names with commas or semicolons between them.
Result<std::vector<std::string>> ParseNames(std::string_view key, std::string_view value) {
  std::vector<std::string> names;
  std::string_view rest = value;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find_first_of(",;"), rest.size());
    const std::string_view name = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (name.find_first_of("= \t\"'") != name.npos) {
      return Bad(key, value,
                 fmt::format("'{}' is no name of a variable; give names, as in A;B", name));
    }
    if (!name.empty()) {
      names.emplace_back(name);
    }
  }
  return names;
}

using Setter =
    std::function<Status(WorkerOptions&, std::string_view key, const std::string& value)>;

Setter Number(std::uint64_t& (*field)(WorkerOptions&), Range range) {
  return [=](WorkerOptions& options, std::string_view key, const std::string& value) {
    HEADRACE_ASSIGN_OR_RETURN(field(options), ParseNumber(key, value, range));
    return OkStatus();
  };
}

Setter Seconds(std::function<void(WorkerOptions&, Nanos)> set, std::uint64_t min) {
  return [=](WorkerOptions& options, std::string_view key, const std::string& value) {
    HEADRACE_ASSIGN_OR_RETURN(const std::uint64_t seconds,
                              ParseNumber(key, value, {min, kSecondsMax, "seconds"}));
    set(options, static_cast<Nanos>(seconds) * kSecond);
    return OkStatus();
  };
}

const std::map<std::string, Setter, std::less<>>& Setters() {
  static const auto& setters = *new std::map<std::string, Setter, std::less<>>{
      {"interpreter",
       [](WorkerOptions& options, std::string_view key, const std::string& value) {
         if (value.empty()) {
           return Bad(key, value, "must be the path of a Python interpreter, or its name in PATH");
         }
         options.interpreter = value;
         return OkStatus();
       }},
      {"data-byte-size",
       Number([](WorkerOptions& options) -> std::uint64_t& { return options.data_byte_size; },
              {kDataByteSizeMin, kDataByteSizeMax, "bytes"})},
      {"start-timeout-seconds",
       Seconds([](WorkerOptions& options, Nanos time) { options.life.start_timeout = time; }, 1)},
      {"restart-give-up-seconds",
       Seconds([](WorkerOptions& options, Nanos time) { options.life.give_up = time; }, 0)},
      {"response-timeout-seconds",
       Seconds([](WorkerOptions& options, Nanos time) { options.response_timeout = time; }, 0)},
      {"second-batch",
       [](WorkerOptions& options, std::string_view key, const std::string& value) {
         if (value != "auto" && value != "on" && value != "off") {
           return Bad(key, value, "must be 'auto', 'on' or 'off'");
         }
         options.second_batch = value == "auto" ? SecondBatch::kAuto
                                : value == "on" ? SecondBatch::kOn
                                                : SecondBatch::kOff;
         return OkStatus();
       }},
      {"memory-byte-size-max", Number(
                                   [](WorkerOptions& options) -> std::uint64_t& {
                                     return options.limits.address_space_bytes_max;
                                   },
                                   {0, UINT64_MAX, "bytes"})},
      {"file-byte-size-max",
       Number(
           [](WorkerOptions& options) -> std::uint64_t& { return options.limits.file_bytes_max; },
           {0, UINT64_MAX, "bytes"})},
      {"open-files-max",
       Number(
           [](WorkerOptions& options) -> std::uint64_t& { return options.limits.open_files_max; },
           {64, 1 << 20, "files"})},
      {"processes-max",
       Number([](WorkerOptions& options) -> std::uint64_t& { return options.limits.processes_max; },
              {0, 1 << 22, "processes"})},
      {"sandbox",
       [](WorkerOptions& options, std::string_view key, const std::string& value) {
         HEADRACE_ASSIGN_OR_RETURN(options.confinement.system_calls, ParseSwitch(key, value));
         return OkStatus();
       }},
      {"network",
       [](WorkerOptions& options, std::string_view key, const std::string& value) {
         HEADRACE_ASSIGN_OR_RETURN(const bool network, ParseSwitch(key, value));
         options.confinement.no_network = !network;
         return OkStatus();
       }},
      {"install-requirements",
       [](WorkerOptions& options, std::string_view key, const std::string& value) {
         HEADRACE_ASSIGN_OR_RETURN(options.install_requirements, ParseSwitch(key, value));
         return OkStatus();
       }},
      {"install-timeout-seconds",
       Seconds([](WorkerOptions& options, Nanos time) { options.install_timeout = time; }, 1)},
      {"environment",
       [](WorkerOptions& options, std::string_view key, const std::string& value) {
         HEADRACE_ASSIGN_OR_RETURN(options.environment, ParseNames(key, value));
         return OkStatus();
       }},
  };
  return setters;
}

// Triton's keys: what it demands of them.
const std::map<std::string, Range, std::less<>>& TritonNumbers() {
  static const auto& numbers = *new std::map<std::string, Range, std::less<>>{
      {"shm-default-byte-size", {1 << 20, UINT64_MAX, "bytes"}},
      {"shm-growth-byte-size", {1, UINT64_MAX, "bytes"}},
      {"stub-timeout-seconds", {1, UINT64_MAX, "seconds"}},
      {"thread-pool-size", {1, UINT64_MAX, "threads"}},
      {"shm_message_queue_size", {1, UINT64_MAX, "messages"}},
  };
  return numbers;
}

std::string KnownKeys() {
  std::string names;
  for (const auto& [name, setter] : Setters()) {
    names += (names.empty() ? "" : ", ") + name;
  }
  return names;
}

}  // namespace

Result<ParsedWorkerOptions> ParseWorkerOptions(const std::map<std::string, std::string>& settings) {
  ParsedWorkerOptions parsed;
  for (const auto& [key, value] : settings) {
    if (const auto setter = Setters().find(key); setter != Setters().end()) {
      HEADRACE_RETURN_IF_ERROR(setter->second(parsed.options, key, value));
      continue;
    }
    if (std::find(std::begin(kCommonKeys), std::end(kCommonKeys), key) != std::end(kCommonKeys)) {
      continue;
    }
    const auto triton = TritonNumbers().find(key);
    if (triton != TritonNumbers().end()) {
      if (const auto number = ParseNumber(key, value, triton->second); !number.ok()) {
        return number.status();
      }
    } else if (key != "shm-region-prefix-name") {
      parsed.warnings.push_back(fmt::format(
          "--backend-config=python,{}={}: no such key; there are {}", key, value, KnownKeys()));
      continue;
    } else if (value.empty()) {
      return Bad(key, value, "must not be empty");
    }
    parsed.warnings.push_back(fmt::format(
        "--backend-config=python,{}={} has no effect: {}", key, value,
        key == "stub-timeout-seconds" ? "start-timeout-seconds limits a worker's start"
                                      : "data-byte-size limits a worker's shared memory, which "
                                        "grows by itself up to there"));
  }
  if (parsed.options.confinement.no_network && !parsed.options.confinement.system_calls) {
    return InvalidArgument(
        "--backend-config=python,network=off needs sandbox=on, which enforces it");
  }
  return parsed;
}

}  // namespace headrace::worker
