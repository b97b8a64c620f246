#include "tune/tune_run.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <system_error>
#include <thread>
#include <utility>

#include "base/thread.h"
#include "bench/describe.h"
#include "bench/file_writer.h"
#include "bench/json_value.h"
#include "bench/local_server.h"
#include "load/server_control.h"
#include "tune/archive_repository.h"
#include "tune/journal.h"
#include "tune/model_config.h"
#include "tune/report_text.h"
#include "tune/repository_variants.h"
#include "tune/session_prober.h"

namespace headrace::tune {
namespace {

namespace fs = std::filesystem;

constexpr int kInstancesDefault = 8;
constexpr Nanos kLookForOthers = kSecond;

class Tuning {
 public:
  Tuning(const TuneOptions& options, const std::atomic<bool>* stop, const TuneListener& listener)
      : options_(options), stop_(stop), listener_(listener) {}

  Result<TuneOutcome> Take() {
    HEADRACE_RETURN_IF_ERROR(Connect());
    HEADRACE_RETURN_IF_ERROR(LookAtModel());
    HEADRACE_RETURN_IF_ERROR(LookForOthers());
    HEADRACE_RETURN_IF_ERROR(MakeProber());
    Journal& prober = *journal_;
    SearchOptions search = options_.search;
    search.ahead = backend_ == "python" || backend_ == "handler";
    outcome_.report = Search(space_, search, prober, listener_.event);
    outcome_.report.model = options_.model;
    if (prober.answered() > 0) {
      outcome_.report.notes.push_back(
          fmt::format("{} samples are from {}", prober.answered(), options_.resume));
    }
    HEADRACE_RETURN_IF_ERROR(Emit());
    Describe();
    return std::move(outcome_);
  }

 private:
  void Tell(std::string text) {
    if (listener_.event) {
      listener_.event({"server", std::move(text)});
    }
  }

  Status Connect() {
    target_ = options_.bench.target;
    load::ControlSpec control = options_.bench.control;
    if (options_.url.empty()) {
      bench::LocalServerOptions local;
      local.model_repositories = options_.repositories;
      if (!options_.archive.empty()) {
        HEADRACE_ASSIGN_OR_RETURN(archive_,
                                  ArchiveRepository::Make(options_.archive, options_.model));
        local.model_repositories = {archive_->path()};
      }
      local.load_models = {options_.model};
      local.stop = stop_;
      Tell("starting a server of our own");
      HEADRACE_ASSIGN_OR_RETURN(server_, bench::LocalServer::Start(std::move(local)));
      const load::TargetSpec asked = target_;
      target_ = server_->Target(load::Protocol::kV2Http);
      if (asked.protocol == load::Protocol::kV2Grpc) {
        target_ = server_->Target(load::Protocol::kV2Grpc);
      }
      // `serve` answers every protocol over HTTP at one port.
      target_.protocol = options_.archive.empty() ? asked.protocol : load::Protocol::kTorchServe;
      target_.request_timeout = asked.request_timeout;
      control = server_->Control();
    }
    HEADRACE_ASSIGN_OR_RETURN(control_, load::MakeServerControl(control));
    return OkStatus();
  }

  Status LookAtModel() {
    auto facts = control_->Model(options_.model, "");
    if (!facts.ok()) {
      return facts.status().WithPrefix(fmt::format("model '{}': ", options_.model));
    }
    facts_ = *std::move(facts);
    if (!facts_.composing_models.empty()) {
      return FailedPrecondition(
          "model '{}' is an ensemble: tune the models that it is made of, which have the instances",
          options_.model);
    }
    if (facts_.sequences || facts_.decoupled) {
      return FailedPrecondition(
          "model '{}' {}: a latency of single requests says nothing of it; it cannot be tuned yet",
          options_.model, facts_.sequences ? "has sequences" : "is decoupled");
    }
    const auto config = bench::JsonValue::Parse(facts_.config_json);
    backend_ = config.ok() ? std::string(config->At("backend").AsString()) : "";
    return MakeTheSpace();
  }

  Status MakeTheSpace() {
    SpaceLimits limits;
    limits.batch_max = facts_.batch_size_max;
    if (options_.batch_max > 0 && facts_.batch_size_max > 0) {
      limits.batch_max = options_.batch_max;
    }
    limits.cores =
        options_.cores > 0 ? options_.cores : std::max(1, static_cast<int>(AvailableCpus().size()));
    limits.instances_max = options_.instances_max > 0
                               ? options_.instances_max
                               : std::clamp(limits.cores, 1, kInstancesDefault);
    limits.sla = options_.search.target.sla;
    Variant original;
    original.thread_parameter = ThreadParameter(backend_);
    std::vector<Variant> variants = {original};
    if (const std::string directory = ModelDirectory(); options_.variants && !directory.empty()) {
      HEADRACE_ASSIGN_OR_RETURN(variants, ReadVariants(directory, original));
    }
    space_ = MakeSpace(OnDevices(std::move(variants)), limits);
    if (!options_.delays.empty() && limits.batch_max > 1) {
      space_.delays = options_.delays;
    }
    return OkStatus();
  }

  std::vector<Variant> OnDevices(std::vector<Variant> variants) const {
    if (options_.device == "cpu") {
      return variants;
    }
    std::vector<Variant> all;
    for (const Variant& variant : variants) {
      if (options_.device == "both") {
        all.push_back(variant);
        all.back().name = variant.name.empty() ? "cpu" : variant.name;
      }
      if (variant.choice.empty() || variant.choice == "off") {  // variants are for processors
        all.push_back(variant);
        all.back().name = variant.name.empty() ? "gpu" : variant.name + " on gpu";
        all.back().on_gpu = true;
      }
    }
    return all;
  }

  // "" = it is not here.
  std::string ModelDirectory() const {
    std::error_code error;
    for (const std::string& repository : options_.repositories) {
      const fs::path path = fs::path(repository) / options_.model;
      if (fs::is_directory(path, error)) {
        return path.string();
      }
    }
    return {};
  }

  static std::uint64_t Requests(
      const std::map<std::string, std::vector<load::ModelStatistics>>& models) {
    std::uint64_t count = 0;
    for (const auto& [_, versions] : models) {
      for (const load::ModelStatistics& version : versions) {
        count += version.success_count + version.fail_count;
      }
    }
    return count;
  }

  // Counters that move while we are idle are somebody else's.
  Status LookForOthers() {
    if (options_.url.empty() || options_.force) {
      return OkStatus();
    }
    const auto before = control_->Statistics("");
    if (!before.ok()) {
      outcome_.report.notes.push_back(
          "the server has no statistics: whether others use it is not known");
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

  Status MakeProber() {
    SessionProberOptions prober;
    prober.target = target_;
    prober.workload = options_.bench.workload;
    prober.workload.protocol = target_.protocol;
    prober.workload.item.model = options_.model;
    const bool v2 =
        target_.protocol == load::Protocol::kV2Http || target_.protocol == load::Protocol::kV2Grpc;
    prober.model_batches = facts_.batch_size_max > 0;
    prober.rows_in_one_request = v2 && prober.model_batches && backend_ != "handler";
    prober.sla = options_.search.target;
    prober.intervals = options_.search.intervals;
    prober.sender_count = std::max(1, options_.bench.sender_count);
    prober.seed = options_.search.seed;
    prober.fresh_loads = options_.url.empty();
    prober.stop = stop_;
    if (listener_.progress) {
      prober.progress = [this](const bench::Progress& progress) {
        listener_.progress(options_.model, progress);
      };
    }
    HEADRACE_ASSIGN_OR_RETURN(prober_, SessionProber::Make(*control_, space_, std::move(prober)));
    const std::string head =
        fmt::format("{} p{:g} {} {} {}", options_.model, options_.search.target.percentile,
                    DurationText(options_.search.target.sla), options_.device,
                    load::Describe(options_.bench.level.arrivals));
    HEADRACE_ASSIGN_OR_RETURN(journal_, Journal::Open(options_.resume, head, *prober_));
    return OkStatus();
  }

  Status Emit() {
    if (!outcome_.report.winner) {
      return prober_->PutBack();
    }
    const Configuration& winner = outcome_.report.findings[*outcome_.report.winner].configuration;
    const Variant& variant = *space_.Find(winner.variant);
    const std::string comment = WinnerComment(outcome_.report);
    std::string old, path;
    if (!options_.archive.empty()) {
      outcome_.config_name = "model-config.yaml";
      outcome_.config_text = TunedArchiveYaml(winner, variant, comment);
      path = (fs::path(options_.archive).parent_path() / (options_.model + ".model-config.yaml"))
                 .string();
    } else {
      outcome_.config_name = "config.pbtxt";
      if (const std::string directory = ModelDirectory(); !directory.empty()) {
        path = (fs::path(directory) / "config.pbtxt").string();
        std::ifstream in(path, std::ios::binary);
        old.assign(std::istreambuf_iterator<char>(in), {});
      }
      HEADRACE_ASSIGN_OR_RETURN(outcome_.config_text,
                                TunedConfigText(old, options_.model, winner, variant,
                                                facts_.batch_size_max > 0, comment));
    }
    if (options_.apply && outcome_.report.found_is_better()) {
      outcome_.report.notes.push_back("nothing was applied: what was found did better");
    } else if (options_.apply) {
      return Apply(winner, path);
    }
    return prober_->PutBack();
  }

  Status Apply(const Configuration& winner, const std::string& path) {
    if (!path.empty()) {
      std::error_code error;
      if (fs::exists(path, error)) {
        fs::copy_file(path, path + ".before-tune", fs::copy_options::overwrite_existing, error);
        if (error) {
          return Unavailable("{}: the old one cannot be kept: {}", path, error.message());
        }
      }
      HEADRACE_RETURN_IF_ERROR(bench::WriteFile(path, outcome_.config_text));
      outcome_.applied_to = path;
    }
    if (options_.url.empty()) {
      return prober_->PutBack();
    }
    HEADRACE_ASSIGN_OR_RETURN(const std::string json, prober_->ConfigJson(winner));
    HEADRACE_RETURN_IF_ERROR(control_->Load(options_.model, json));
    prober_->Leave();
    outcome_.applied_to += outcome_.applied_to.empty() ? "" : " and ";
    outcome_.applied_to +=
        fmt::format("the server at {}, until it loads the model anew", options_.url);
    return OkStatus();
  }

  void Describe() {
    bench::ResultDocument& document = outcome_.document;
    document.kind = "tune";
    document.name = options_.model;
    document.started_at = bench::TimeText();
    document.command_line = options_.command_line;
    document.seed = options_.search.seed;
    document.interrupted = outcome_.report.interrupted;
    document.environment = bench::ReadEnvironment(options_.device != "cpu");
    document.target = bench::DescribeTarget(target_);
    document.levels = prober_->levels();
    document.extension = ReportJson(outcome_.report);
  }

  const TuneOptions& options_;
  const std::atomic<bool>* const stop_;
  const TuneListener& listener_;
  TuneOutcome outcome_;
  std::unique_ptr<ArchiveRepository> archive_;  // outlives the server
  std::unique_ptr<bench::LocalServer> server_;
  load::TargetSpec target_;
  std::unique_ptr<load::ServerControl> control_;
  load::ModelFacts facts_;
  std::string backend_;
  SearchSpace space_;
  std::unique_ptr<SessionProber> prober_;
  std::unique_ptr<Journal> journal_;
};

}  // namespace

Result<TuneOutcome> RunTune(const TuneOptions& options, const std::atomic<bool>* stop,
                            const TuneListener& listener) {
  return Tuning(options, stop, listener).Take();
}

int ExitCode(const TuneOutcome& outcome) {
  if (outcome.report.interrupted) {
    return 130;
  }
  if (outcome.report.winner) {
    return 0;
  }
  // Nothing was measured at all: a failed run, and no answer about the SLA.
  return outcome.report.closest_latency == kNever ? 2 : 3;
}

}  // namespace headrace::tune
