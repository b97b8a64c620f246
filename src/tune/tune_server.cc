#include "tune/tune_server.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <optional>
#include <thread>
#include <utility>

#include "bench/describe.h"
#include "load/metrics_text.h"
#include "load/torchserve_control.h"
#include "tune/archive_repository.h"
#include "tune/configuration.h"
#include "tune/torchserve_models.h"

namespace headrace::tune {
namespace {

constexpr Nanos kLookForOthers = kSecond;

std::uint64_t Requests(const std::map<std::string, std::vector<load::ModelStatistics>>& models) {
  std::uint64_t count = 0;
  for (const auto& [_, versions] : models) {
    for (const load::ModelStatistics& version : versions) {
      count += version.success_count + version.fail_count;
    }
  }
  return count;
}

// That the server has answered; nothing where it does not say.
std::optional<std::uint64_t> RequestsOf(load::ServerControl& control) {
  if (const auto statistics = control.Statistics(""); statistics.ok()) {
    return Requests(*statistics);
  }
  const auto page = control.Metrics();
  const auto families = page.ok() ? load::ReadMetrics(*page) : page.status();
  if (!families.ok()) {
    return std::nullopt;
  }
  const auto sum = load::SumOf(*families, "ts_inference_requests_total");
  return sum ? std::optional(static_cast<std::uint64_t>(*sum)) : std::nullopt;
}

// Whether a server that speaks v2 has all the models in its repositories, and so changes them by
// its load API.
bool LoadsThem(load::ServerControl& v2, const std::vector<std::string>& models) {
  const auto index = v2.Index();
  return index.ok() && std::all_of(models.begin(), models.end(), [&](const std::string& model) {
           return std::any_of(index->begin(), index->end(),
                              [&](const load::ModelState& state) { return state.name == model; });
         });
}

// Whether predictions go to a TorchServe: it describes its API at that port, which `serve` does not
// (ours lists its models in v2's index, too).
bool IsTorchServe(const load::ControlSpec& spec) {
  load::TorchServeControlSpec inference;
  inference.management = spec.target;
  const auto control = load::TorchServeControl::Make(inference);
  return control.ok() && (*control)->Version().ok();
}

// TorchServe's protocol says how requests are sent, and not yet who changes the models: `serve`
// answers it, too, at the port of its load API; TorchServe has its management API.
Result<std::unique_ptr<load::ServerControl>> ControlFor(const load::ControlSpec& spec,
                                                        const std::vector<std::string>& models) {
  if (spec.target.protocol != load::Protocol::kTorchServe) {
    return load::MakeServerControl(spec);
  }
  if (spec.management_url.empty() && !IsTorchServe(spec)) {
    load::ControlSpec v2 = spec;
    v2.target.protocol = load::Protocol::kV2Http;
    HEADRACE_ASSIGN_OR_RETURN(auto control, load::MakeServerControl(v2));
    if (LoadsThem(*control, models)) {
      return control;
    }
  }
  HEADRACE_ASSIGN_OR_RETURN(auto control, load::MakeServerControl(spec));
  HEADRACE_ASSIGN_OR_RETURN(const auto torchserve, load::TorchServeSpecOf(spec));
  HEADRACE_ASSIGN_OR_RETURN(auto management, load::TorchServeControl::Make(torchserve));
  return std::unique_ptr<load::ServerControl>(
      std::make_unique<TorchServeModels>(std::move(control), std::move(management)));
}

}  // namespace

Result<std::unique_ptr<TuneServer>> TuneServer::Connect(const TuneOptions& options,
                                                        const std::vector<std::string>& models,
                                                        const std::string& archive,
                                                        const std::atomic<bool>* stop) {
  std::unique_ptr<TuneServer> made(new TuneServer);
  made->target_ = options.bench.target;
  load::ControlSpec control = options.bench.control;
  if (options.url.empty()) {
    bench::LocalServerOptions local;
    local.model_repositories = options.repositories;
    if (!archive.empty()) {
      HEADRACE_ASSIGN_OR_RETURN(made->archive_, MakeArchiveRepository(archive, models.front()));
      local.model_repositories = {made->archive_->path()};
    }
    local.load_models = models;
    local.stop = stop;
    HEADRACE_ASSIGN_OR_RETURN(made->server_, bench::LocalServer::Start(std::move(local)));
    const load::TargetSpec asked = made->target_;
    made->target_ =
        made->server_->Target(asked.protocol == load::Protocol::kV2Grpc ? load::Protocol::kV2Grpc
                                                                        : load::Protocol::kV2Http);
    // `serve` answers every protocol over HTTP at one port.
    made->target_.protocol = archive.empty() ? asked.protocol : load::Protocol::kTorchServe;
    made->target_.request_timeout = asked.request_timeout;
    control = made->server_->Control();
  }
  HEADRACE_ASSIGN_OR_RETURN(made->control_, ControlFor(control, models));
  return made;
}

Status TuneServer::LookForOthers(std::string& note) {
  const auto before = RequestsOf(*control_);
  if (!before) {
    note = "the server does not count its requests: whether others use it is not known";
    return OkStatus();
  }
  std::this_thread::sleep_for(std::chrono::nanoseconds(kLookForOthers));
  const std::uint64_t after = RequestsOf(*control_).value_or(*before);
  const std::uint64_t others = after - std::min(after, *before);
  if (others > 0) {
    return FailedPrecondition(
        "the server is in use: {} requests of others in {}. Tuning changes the model's "
        "configuration and loads the server to its limit; --force does it all the same",
        others, DurationText(kLookForOthers));
  }
  return OkStatus();
}

void TuneServer::Describe(const TuneOptions& options, bench::ResultDocument& document) const {
  document.kind = "tune";
  document.started_at = bench::TimeText();
  document.command_line = options.command_line;
  document.seed = options.search.seed;
  document.environment = bench::ReadEnvironment(options.device != "cpu");
  document.target = bench::DescribeTarget(target_);
}

}  // namespace headrace::tune
