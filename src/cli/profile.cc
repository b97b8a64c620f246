#include "cli/profile.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "bench/background_load.h"
#include "bench/file_writer.h"
#include "cli/profile_flame.h"
#include "cli/profile_page.h"
#include "cli/profile_text.h"
#include "load/http_client.h"
#include "profiling/flame_graph.h"
#include "protocol/json_writer.h"

namespace headrace::cli {
namespace {

// What the answer takes beyond the seconds that were asked for: a second session is loaded,
// operators are gathered.
constexpr Nanos kGatherTime = 120 * kSecond;
constexpr double kSecondsMax = 600;  // the server's limit (docs/profile.md)

constexpr int kUsageError = 1;
constexpr int kFailed = 2;

struct Flags {
  std::string model;
  std::string version;
  std::string url = "127.0.0.1:8000";
  std::string out;
  std::string flame;
  double seconds = 5;
  std::optional<std::uint64_t> requests;
  // Load of its own; without a concurrency the traffic that is there is watched.
  std::optional<int> concurrency;
  std::optional<int> batch_size;
  std::vector<std::string> input_data;
  std::vector<std::string> shapes_of_inputs;
  bool no_operators = false;
  bool shapes = false;
  bool memory = false;
  bool stack = false;
  bool cpu_samples = false;
  bool json = false;
  std::size_t operators_max = 20;
};

void AddFlags(CLI::App& app, Flags& flags) {
  app.add_option("model", flags.model, "Model to watch")->required();
  app.add_option("-x,--model-version", flags.version,
                 "Its version; the server's choice if not given");
  app.add_option("-u,--url", flags.url, "HOST:PORT of the server's HTTP endpoint")
      ->capture_default_str();
  app.add_option("--seconds", flags.seconds, "How long it is watched at most")
      ->capture_default_str();
  app.add_option("--requests", flags.requests, "Ends after so many requests")
      ->check(CLI::PositiveNumber);
  app.add_option("-c,--concurrency", flags.concurrency,
                 "Sends requests itself, so many at a time; else what others send is watched");
  app.add_option("--input-data,--input", flags.input_data,
                 "Own load: random, zero, a file, a directory, JSON, or NAME=one of these, as "
                 "`headrace bench` takes it")
      ->expected(1)
      ->take_all();
  app.add_option("--shape", flags.shapes_of_inputs,
                 "Own load: NAME:D,D,... of an input that the model leaves open")
      ->expected(1)
      ->take_all();
  app.add_option("-b,--batch-size", flags.batch_size, "Own load: inferences in one request");
  app.add_option("--out", flags.out,
                 "File for the trace, which Perfetto opens; default MODEL.trace.json");
  app.add_option("--flame", flags.flame,
                 "Flame graph of operators, by the file's name: .html (a page with the tables), "
                 ".svg, or .txt (collapsed stacks, for flame graph programs)");
  app.add_flag("--no-operators", flags.no_operators, "Batches and threads only");
  app.add_flag("--shapes", flags.shapes,
               "With the shapes of operators' inputs; PyTorch's share of the roofline needs them");
  app.add_flag("--memory", flags.memory, "With what operators allocate");
  app.add_flag("--stack", flags.stack,
               "With the lines of the model's source that called operators (TorchScript)");
  app.add_flag("--cpu-samples", flags.cpu_samples,
               "With the functions that the server's threads are in, sampled each millisecond of "
               "processor time, where the kernel allows it");
  app.add_option("--top", flags.operators_max, "Lines of the table of operators")
      ->capture_default_str();
  app.add_flag("--json", flags.json, "Prints the document in place of the tables");
}

std::string BodyOf(const Flags& flags) {
  std::string body;
  protocol::JsonWriter json(body);
  json.BeginObject().Key("seconds").Double(flags.seconds);
  if (flags.requests) {
    json.Key("requests").Uint(*flags.requests);
  }
  json.Key("operators").Bool(!flags.no_operators).Key("shapes").Bool(flags.shapes);
  json.Key("memory").Bool(flags.memory).Key("stack").Bool(flags.stack);
  json.Key("cpu_samples").Bool(flags.cpu_samples).EndObject();
  return body;
}

Result<std::string> Ask(const Flags& flags) {
  HEADRACE_ASSIGN_OR_RETURN(const load::SplitUrl url, load::ParseUrl(flags.url));
  load::HttpClient client({.origin = url.origin,
                           .unix_socket = {},
                           .headers = {},
                           .tls = {},
                           .timeout = static_cast<Nanos>(flags.seconds * kSecond) + kGatherTime});
  std::string path = "/v2/models/" + load::EscapePath(flags.model);
  if (!flags.version.empty()) {
    path += "/versions/" + load::EscapePath(flags.version);
  }
  path += "/profile";
  const std::string body = BodyOf(flags);
  HEADRACE_ASSIGN_OR_RETURN(
      load::HttpReply reply,
      client.Call(
          {.method = "POST", .path = path, .body = body, .content_type = "application/json"}));
  if (!reply.ok()) {
    return load::ReplyError("POST", client.Url(path), reply);
  }
  return std::move(reply.body);
}

// What `headrace bench` would be asked for the same load. INVALID_ARGUMENT names the flag.
Result<std::optional<bench::BenchOptions>> LoadOf(const Flags& flags) {
  if (!flags.concurrency) {
    const char* alone = !flags.input_data.empty()         ? "--input-data"
                        : !flags.shapes_of_inputs.empty() ? "--shape"
                        : flags.batch_size                ? "--batch-size"
                                                          : nullptr;
    if (alone != nullptr) {
      return InvalidArgument("{}: is of the load that --concurrency N sends: add it", alone);
    }
    return std::optional<bench::BenchOptions>();
  }
  std::vector<std::string> arguments = {"--model",       flags.model,
                                        "--url",         flags.url,
                                        "--concurrency", std::to_string(*flags.concurrency),
                                        "--duration",    "unlimited",
                                        "--warmup",      "2s"};
  const auto add = [&arguments](const char* flag, const std::string& value) {
    arguments.insert(arguments.end(), {flag, value});
  };
  if (!flags.version.empty()) {
    add("--model-version", flags.version);
  }
  if (flags.batch_size) {
    add("--batch-size", std::to_string(*flags.batch_size));
  }
  for (const std::string& data : flags.input_data) {
    add("--input-data", data);
  }
  for (const std::string& shape : flags.shapes_of_inputs) {
    add("--shape", shape);
  }
  HEADRACE_ASSIGN_OR_RETURN(bench::BenchOptions options, bench::ParseBenchOptions(arguments));
  return std::optional(std::move(options));
}

std::string TracePath(const Flags& flags) {
  return flags.out.empty() && !flags.json ? flags.model + ".trace.json" : flags.out;
}

Status Check(const Flags& flags) {
  if (!(flags.seconds > 0) || flags.seconds > kSecondsMax) {
    return InvalidArgument("--seconds: must be above 0, and at most {}", kSecondsMax);
  }
  if (!flags.flame.empty()) {
    if (!flags.flame.ends_with(".html") && !flags.flame.ends_with(".svg") &&
        !flags.flame.ends_with(".txt")) {
      return InvalidArgument("--flame: {} ends in none of .html, .svg, .txt", flags.flame);
    }
    HEADRACE_RETURN_IF_ERROR(bench::CheckWritable(flags.flame).WithPrefix("--flame: "));
  }
  const std::string path = TracePath(flags);
  return path.empty() ? OkStatus() : bench::CheckWritable(path).WithPrefix("--out: ");
}

Status WriteFlame(const std::string& path, std::string_view document, std::string_view load_line) {
  HEADRACE_ASSIGN_OR_RETURN(const profiling::FlameFrame flame, profiling::FlameGraphOf(document));
  if (path.ends_with(".txt")) {
    return bench::WriteFile(path, profiling::CollapsedStacks(flame));
  }
  if (path.ends_with(".svg")) {
    return bench::WriteFile(path, FlameSvg(flame));
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::string page, ProfilePage(document, flame, load_line));
  return bench::WriteFile(path, page);
}

// `load`: null, or what is sent meanwhile.
Status Run(const Flags& flags, bench::BackgroundLoad* load) {
  HEADRACE_ASSIGN_OR_RETURN(const std::string document, Ask(flags));
  std::string load_line;
  if (load != nullptr) {
    HEADRACE_ASSIGN_OR_RETURN(const bench::LevelResult level, load->Stop());
    load_line = bench::LoadLine(level);
  }
  const std::string path = TracePath(flags);
  if (!path.empty()) {
    HEADRACE_RETURN_IF_ERROR(bench::WriteFile(path, document));
  }
  if (!flags.flame.empty()) {
    HEADRACE_RETURN_IF_ERROR(WriteFlame(flags.flame, document, load_line));
  }
  load_line = load_line.empty() ? "" : fmt::format("load: {}\n", load_line);
  if (flags.json) {
    fmt::print(stderr, "{}", load_line);
    fmt::print("{}\n", document);
    return OkStatus();
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::string text, ProfileText(document, flags.operators_max));
  fmt::print("{}{}\ntrace: {} (open it at https://ui.perfetto.dev)\n", load_line, text, path);
  if (!flags.flame.empty()) {
    fmt::print("flame graph: {}\n", flags.flame);
  }
  return OkStatus();
}

int Fail(int code, const Status& status) {
  fmt::print(stderr, "headrace profile: {}\n", status.message());
  return code;
}

}  // namespace

int Profile(const std::vector<std::string>& arguments) {
  CLI::App app("Watches a model of a running server: where its time goes.", "headrace profile");
  Flags flags;
  AddFlags(app, flags);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kUsageError;
  }
  if (const Status status = Check(flags); !status.ok()) {
    return Fail(kUsageError, status);
  }
  Result<std::optional<bench::BenchOptions>> load_options = LoadOf(flags);
  if (!load_options.ok()) {
    return Fail(kUsageError, load_options.status());
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::unique_ptr<bench::BackgroundLoad> load;
  if (*load_options) {
    auto started = bench::BackgroundLoad::Start(**std::move(load_options));
    if (!started.ok()) {
      const bool usage = started.status().code() == StatusCode::kInvalidArgument;
      return Fail(usage ? kUsageError : kFailed, started.status());
    }
    load = *std::move(started);
  }
  const Status status = Run(flags, load.get());
  return status.ok() ? 0 : Fail(kFailed, status);
}

}  // namespace headrace::cli
