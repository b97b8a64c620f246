#include "tune/tune_server.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <thread>
#include <utility>

#include "bench/describe.h"
#include "tune/configuration.h"

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
      HEADRACE_ASSIGN_OR_RETURN(made->archive_, ArchiveRepository::Make(archive, models.front()));
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
  HEADRACE_ASSIGN_OR_RETURN(made->control_, load::MakeServerControl(control));
  return made;
}

Status TuneServer::LookForOthers(std::string& note) {
  const auto before = control_->Statistics("");
  if (!before.ok()) {
    note = "the server has no statistics: whether others use it is not known";
    return OkStatus();
  }
  std::this_thread::sleep_for(std::chrono::nanoseconds(kLookForOthers));
  HEADRACE_ASSIGN_OR_RETURN(const auto after, control_->Statistics(""));
  const std::uint64_t others = Requests(after) - std::min(Requests(after), Requests(*before));
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
