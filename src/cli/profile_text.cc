#include "cli/profile_text.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <vector>

namespace headrace::cli {
namespace {

namespace dom = simdjson::dom;

double Number(const dom::element& object, std::string_view key) {
  double number = 0;
  return object[key].get(number) == simdjson::SUCCESS ? number : 0;
}

std::string Text(const dom::element& object, std::string_view key) {
  std::string_view text;
  return object[key].get(text) == simdjson::SUCCESS ? std::string(text) : std::string();
}

// Empty where there is no such array.
std::vector<dom::element> List(const dom::element& object, std::string_view pointer) {
  dom::array list;
  if (object.at_pointer(pointer).get(list) != simdjson::SUCCESS) {
    return {};
  }
  return {list.begin(), list.end()};
}

double Milliseconds(const dom::element& object, std::string_view key) {
  return Number(object, key) / 1e3;
}

void AddBatches(const std::vector<dom::element>& batches, std::string& text) {
  if (batches.size() == 0) {
    return;
  }
  text += fmt::format("\n{:>10}  {:>10}  {:>14}  {:>14}  {:>14}\n", "batch size", "executions",
                      "mean", "longest", "queue mean");
  for (const dom::element& line : batches) {
    text += fmt::format(
        "{:>10.0f}  {:>10.0f}  {:>11.3f} ms  {:>11.3f} ms  {:>11.3f} ms\n",
        Number(line, "batch_size"), Number(line, "count"), Milliseconds(line, "execution_mean_us"),
        Milliseconds(line, "execution_max_us"), Milliseconds(line, "queue_mean_us"));
  }
}

void AddOperators(const dom::element& profile, std::size_t operators_max, std::string& text) {
  dom::element operators;
  if (profile["operators"].get(operators) != simdjson::SUCCESS) {
    return;
  }
  const std::vector<dom::element> table = List(operators, "/table");
  const std::string note = Text(operators, "note");
  if (!note.empty()) {
    text += fmt::format("\noperators: {}\n", note);
  }
  if (table.size() == 0) {
    return;
  }
  double all = 0;
  for (const dom::element& line : table) {
    all += Number(line, "self_us");
  }
  text += fmt::format("\n{:>6}  {:>12}  {:>8}  {:>12}  operator ({})\n", "self", "self time",
                      "calls", "each", Text(operators, "runtime"));
  std::size_t shown = 0;
  for (const dom::element& line : table) {
    if (shown++ == operators_max) {
      text += fmt::format("  ... and {} more in the file\n", table.size() - operators_max);
      break;
    }
    const double self = Number(line, "self_us");
    const std::string kind = Text(line, "kind");
    text += fmt::format("{:>4.1f} %  {:>9.3f} ms  {:>8.0f}  {:>9.1f} us  {}{}\n",
                        all > 0 ? 100 * self / all : 0, self / 1e3, Number(line, "count"),
                        self / std::max(1.0, Number(line, "count")), Text(line, "name"),
                        kind.empty() ? "" : " (" + kind + ")");
  }
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
    text += fmt::format("{:>4.1f} %  {:>12.1f} %  {}\n", Number(line, "ran_us") / seconds / 1e4,
                        Number(line, "waited_for_core_us") / seconds / 1e4, Text(line, "name"));
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
  const double seconds = Number(profile, "seconds");
  const double requests = Number(profile, "requests");
  std::string text = fmt::format(
      "model {} version {:.0f}: {:.0f} requests in {:.2f} s ({:.1f} /s), {:.0f} instance(s), "
      "{:.0f} "
      "core(s)\n",
      Text(profile, "model"), Number(profile, "version"), requests, seconds,
      seconds > 0 ? requests / seconds : 0, Number(profile, "instances"), Number(profile, "cores"));
  AddBatches(List(profile, "/batches"), text);
  AddOperators(profile, operators_max, text);
  AddThreads(List(profile, "/threads"), seconds, text);
  for (const dom::element& advice : List(profile, "/advice")) {
    text += fmt::format("\n{}: {}\n", Text(advice, "topic"), Text(advice, "text"));
  }
  return text;
}

}  // namespace headrace::cli
