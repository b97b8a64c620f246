#include "cli/profile_text.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <iterator>
#include <string>
#include <vector>

#include "cli/profile_json.h"

namespace headrace::cli {
namespace {

namespace dom = simdjson::dom;

double Milliseconds(const dom::element& object, std::string_view key) {
  return JsonNumber(object, key) / 1e3;
}

void AddBatches(const std::vector<dom::element>& batches, std::string& text) {
  if (batches.size() == 0) {
    return;
  }
  text += fmt::format("\n{:>10}  {:>10}  {:>14}  {:>14}  {:>14}\n", "batch size", "executions",
                      "mean", "longest", "queue mean");
  for (const dom::element& line : batches) {
    text +=
        fmt::format("{:>10.0f}  {:>10.0f}  {:>11.3f} ms  {:>11.3f} ms  {:>11.3f} ms\n",
                    JsonNumber(line, "batch_size"), JsonNumber(line, "count"),
                    Milliseconds(line, "execution_mean_us"), Milliseconds(line, "execution_max_us"),
                    Milliseconds(line, "queue_mean_us"));
  }
}

// Three digits and a prefix of 1000: "236 M". Empty for what is not known.
std::string Prefixed(double amount) {
  constexpr const char* kPrefixes[] = {"", " k", " M", " G", " T", " P"};
  constexpr double kStep = 1000;
  std::size_t prefix = 0;
  while (amount >= kStep && prefix + 1 < std::size(kPrefixes)) {
    amount /= kStep;
    ++prefix;
  }
  return amount <= 0 ? "" : fmt::format("{:.3g}{}", amount, kPrefixes[prefix]);
}

// Of one call; empty where it is not known.
std::string WorkColumns(const dom::element& line) {
  const double count = std::max(1.0, JsonNumber(line, "worked_count"));
  const double percent = JsonNumber(line, "roofline_percent");
  return fmt::format("{:>8}  {:>8}  {:>8}  ", Prefixed(JsonNumber(line, "flops") / count),
                     Prefixed(JsonNumber(line, "moved_bytes") / count),
                     percent > 0 ? fmt::format("{:.1f} % {}", percent,
                                               JsonText(line, "roofline_bound").substr(0, 1))
                                 : "");
}

void AddRoofline(const dom::element& profile, const dom::element& operators, bool known,
                 std::string& text) {
  const std::string note = JsonText(operators, "roofline_note");
  dom::element machine;
  if (known && profile["machine"].get(machine) == simdjson::SUCCESS) {
    text += fmt::format(
        "roofline: {:.0f} GFLOP/s (c: an operator's nearer ceiling) and {:.1f} GB/s (m), with "
        "{:.0f} thread(s), {}. Flops and bytes of one call; empty: not known. Percents: {}\n",
        JsonNumber(machine, "gflops"), JsonNumber(machine, "gbytes_per_s"),
        JsonNumber(machine, "threads"), JsonText(machine, "how"), note);
  } else if (!note.empty()) {
    text += fmt::format("roofline: {}\n", note);
  }
}

void AddOperators(const dom::element& profile, std::size_t operators_max, std::string& text) {
  dom::element operators;
  if (profile["operators"].get(operators) != simdjson::SUCCESS) {
    return;
  }
  const std::vector<dom::element> table = JsonList(operators, "/table");
  const std::string note = JsonText(operators, "note");
  if (!note.empty()) {
    text += fmt::format("\noperators: {}\n", note);
  }
  if (JsonFlag(operators, "truncated")) {
    text += fmt::format("\noperators: {}\n", kOperatorsLeftOut);
  }
  if (table.size() == 0) {
    return;
  }
  double all = 0;
  for (const dom::element& line : table) {
    all += JsonNumber(line, "self_us");
  }
  const auto any = [&table](const char* key) {
    return std::any_of(table.begin(), table.end(),
                       [key](const dom::element& line) { return JsonNumber(line, key) > 0; });
  };
  const bool memory = any("bytes");
  const bool work = any("worked_count");
  text +=
      fmt::format("\n{:>6}  {:>12}  {:>8}  {:>12}  {}{}operator ({})\n", "self", "self time",
                  "calls", "each", memory ? fmt::format("{:>12}  ", "memory each") : "",
                  work ? fmt::format("{:>8}  {:>8}  {:>8}  ", "flops", "bytes", "roofline") : "",
                  JsonText(operators, "runtime"));
  std::size_t shown = 0;
  for (const dom::element& line : table) {
    if (shown++ == operators_max) {
      text += fmt::format("  ... and {} more in the file\n", table.size() - operators_max);
      break;
    }
    const double self = JsonNumber(line, "self_us");
    const std::string kind = JsonText(line, "kind");
    const double count = std::max(1.0, JsonNumber(line, "count"));
    const std::string bytes =
        memory ? fmt::format("{:>8.1f} KiB  ", JsonNumber(line, "bytes") / count / (1 << 10)) : "";
    text += fmt::format("{:>4.1f} %  {:>9.3f} ms  {:>8.0f}  {:>9.1f} us  {}{}{}{}\n",
                        all > 0 ? 100 * self / all : 0, self / 1e3, JsonNumber(line, "count"),
                        self / count, bytes, work ? WorkColumns(line) : "", JsonText(line, "name"),
                        kind.empty() ? "" : " (" + kind + ")");
  }
  AddRoofline(profile, operators, work, text);
  if (memory) {
    text += fmt::format("memory: {}\n", JsonText(operators, "memory_note"));
  }
}

void AddCpu(const dom::element& profile, std::size_t functions_max, std::string& text) {
  dom::element cpu;
  if (profile["cpu"].get(cpu) != simdjson::SUCCESS) {
    return;
  }
  if (const std::string note = JsonText(cpu, "perf_note"); !note.empty()) {
    text += fmt::format("\ncpu samples: {}\n", note);
  }
  const std::vector<dom::element> table = JsonList(cpu, "/table");
  const double all = JsonNumber(cpu, "samples");
  if (table.empty() || all <= 0) {
    return;
  }
  text += fmt::format("\n{:>6}  {:>12}  function (sampled, each {:.2f} ms of processor time)\n",
                      "CPU", "CPU time", JsonNumber(cpu, "sample_us") / 1e3);
  std::size_t shown = 0;
  for (const dom::element& line : table) {
    if (shown++ == functions_max) {
      text += fmt::format("  ... and {} more in the file\n", table.size() - functions_max);
      break;
    }
    const std::string module = JsonText(line, "module");
    text += fmt::format("{:>4.1f} %  {:>9.3f} ms  {}{}\n", 100 * JsonNumber(line, "samples") / all,
                        JsonNumber(line, "self_us") / 1e3, JsonText(line, "function"),
                        module.empty() ? "" : " (" + module + ")");
  }
  if (!JsonFlag(cpu, "kernel")) {
    text += std::string(kWithoutKernel) + "\n";
  }
  if (JsonFlag(cpu, "truncated") || JsonNumber(cpu, "lost") > 0) {
    text += fmt::format("{}: {:.0f} lost\n", kSamplesLeftOut, JsonNumber(cpu, "lost"));
  }
}

void AddMemory(const dom::element& profile, std::string& text) {
  dom::element memory;
  if (profile["memory"].get(memory) != simdjson::SUCCESS) {
    return;
  }
  text += fmt::format("\nmemory: at most {:.1f} MiB resident",
                      JsonNumber(memory, "resident_peak_bytes") / (1 << 20));
  for (const dom::element& device : JsonList(memory, "/device_peaks")) {
    text += fmt::format(", {:.1f} MiB of GPU {:.0f} in use",
                        JsonNumber(device, "bytes") / (1 << 20), JsonNumber(device, "device"));
  }
  text += '\n';
}

void AddThreads(const std::vector<dom::element>& threads, double seconds, std::string& text) {
  constexpr std::size_t kThreadsMax = 8;
  if (threads.size() == 0 || seconds <= 0) {
    return;
  }
  text += fmt::format("\n{:>6}  {:>14}  thread\n", "ran", "without a core");
  std::size_t shown = 0;
  for (const dom::element& line : threads) {
    if (shown++ == kThreadsMax) {
      break;
    }
    text +=
        fmt::format("{:>4.1f} %  {:>12.1f} %  {}\n", JsonNumber(line, "ran_us") / seconds / 1e4,
                    JsonNumber(line, "waited_for_core_us") / seconds / 1e4, JsonText(line, "name"));
  }
}

}  // namespace

Result<std::string> ProfileText(std::string_view document, std::size_t operators_max) {
  dom::parser parser;
  const simdjson::padded_string padded(document);
  dom::element profile;
  if (parser.parse(padded)["headrace"].get(profile) != simdjson::SUCCESS) {
    return Internal("the server's answer is no profile");
  }
  const double seconds = JsonNumber(profile, "seconds");
  const double requests = JsonNumber(profile, "requests");
  std::string text = fmt::format(
      "model {} version {:.0f}: {:.0f} requests in {:.2f} s ({:.1f} /s), {:.0f} instance(s), "
      "{:.0f} "
      "core(s)\n",
      JsonText(profile, "model"), JsonNumber(profile, "version"), requests, seconds,
      seconds > 0 ? requests / seconds : 0, JsonNumber(profile, "instances"),
      JsonNumber(profile, "cores"));
  AddBatches(JsonList(profile, "/batches"), text);
  AddOperators(profile, operators_max, text);
  AddCpu(profile, operators_max, text);
  AddMemory(profile, text);
  AddThreads(JsonList(profile, "/threads"), seconds, text);
  if (JsonFlag(profile, "truncated")) {
    text += fmt::format("\n{}\n", kBatchesLeftOut);
  }
  for (const dom::element& advice : JsonList(profile, "/advice")) {
    text += fmt::format("\n{}: {}\n", JsonText(advice, "topic"), JsonText(advice, "text"));
  }
  return text;
}

}  // namespace headrace::cli
