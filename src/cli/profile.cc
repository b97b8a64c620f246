#include "cli/profile.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <string>

#include "base/clock.h"
#include "base/result.h"
#include "bench/file_writer.h"
#include "cli/profile_text.h"
#include "load/http_client.h"
#include "protocol/json_writer.h"

namespace headrace::cli {
namespace {

// What the answer takes beyond the seconds that were asked for: a second session is loaded,
// operators are gathered.
constexpr Nanos kGatherTime = 120 * kSecond;

struct Flags {
  std::string model;
  std::string version;
  std::string url = "127.0.0.1:8000";
  std::string out;
  double seconds = 5;
  std::uint64_t requests = 0;
  bool no_operators = false;
  bool shapes = false;
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
  app.add_option("--requests", flags.requests, "Ends after so many requests");
  app.add_option("--out", flags.out,
                 "File for the trace, which Perfetto opens; default MODEL.trace.json");
  app.add_flag("--no-operators", flags.no_operators, "Batches and threads only");
  app.add_flag("--shapes", flags.shapes, "With the shapes of operators' inputs");
  app.add_option("--top", flags.operators_max, "Lines of the table of operators")
      ->capture_default_str();
  app.add_flag("--json", flags.json, "Prints the document in place of the tables");
}

std::string BodyOf(const Flags& flags) {
  std::string body;
  protocol::JsonWriter json(body);
  json.BeginObject().Key("seconds").Double(flags.seconds);
  if (flags.requests > 0) {
    json.Key("requests").Uint(flags.requests);
  }
  json.Key("operators").Bool(!flags.no_operators).Key("shapes").Bool(flags.shapes).EndObject();
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

Status Run(const Flags& flags) {
  HEADRACE_ASSIGN_OR_RETURN(const std::string document, Ask(flags));
  if (flags.json) {
    std::printf("%s\n", document.c_str());
    return flags.out.empty() ? OkStatus() : bench::WriteFile(flags.out, document);
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::string text, ProfileText(document, flags.operators_max));
  const std::string path = flags.out.empty() ? flags.model + ".trace.json" : flags.out;
  HEADRACE_RETURN_IF_ERROR(bench::WriteFile(path, document));
  std::fputs(text.c_str(), stdout);
  std::printf("\ntrace: %s (open it at https://ui.perfetto.dev)\n", path.c_str());
  return OkStatus();
}

}  // namespace

int Profile(const std::vector<std::string>& arguments) {
  CLI::App app("Watches a model of a running server: where its time goes.", "headrace profile");
  Flags flags;
  AddFlags(app, flags);
  try {
    app.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 1;
  }
  if (const Status status = Run(flags); !status.ok()) {
    std::fprintf(stderr, "headrace profile: %s\n", status.message().c_str());
    return 2;
  }
  return 0;
}

}  // namespace headrace::cli
