#include "tune/tune_run.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "tune/journal.h"
#include "tune/online.h"
#include "tune/report_parts.h"
#include "tune/report_text.h"
#include "tune/session_prober.h"
#include "tune/tune_server.h"
#include "tune/tuned_model.h"

namespace headrace::tune {
namespace {

class Tuning {
 public:
  Tuning(const TuneOptions& options, const std::atomic<bool>* stop, const TuneListener& listener)
      : options_(options), stop_(stop), listener_(listener) {}

  Result<TuneOutcome> Take() {
    HEADRACE_RETURN_IF_ERROR(Connect());
    HEADRACE_RETURN_IF_ERROR(MakeProber());
    Journal& prober = *journal_;
    SearchOptions search = options_.search;
    search.ahead = model_.ahead();
    outcome_.report = Search(model_.space, search, prober, listener_.event);
    outcome_.report.model = options_.model;
    if (prober.answered() > 0) {
      outcome_.report.notes.push_back(AnsweredText(prober.answered(), options_.resume));
    }
    // What was measured is worth more than what became of it.
    outcome_.emitted = Emit();
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
    if (options_.url.empty()) {
      Tell("starting a server of our own");
    }
    HEADRACE_ASSIGN_OR_RETURN(
        server_, TuneServer::Connect(options_, {options_.model}, options_.archive, stop_));
    HEADRACE_ASSIGN_OR_RETURN(model_, LookAtModel(server_->control(), options_, options_.model,
                                                  options_.search.target.sla));
    if (options_.online && model_.registered()) {
      return InvalidArgument(
          "--online: TorchServe's models have no such bounds; minWorkers and maxWorkers scale "
          "their workers by load");
    }
    if (options_.url.empty() || options_.force) {
      return OkStatus();
    }
    std::string note;
    HEADRACE_RETURN_IF_ERROR(server_->LookForOthers(note));
    if (!note.empty()) {
      outcome_.report.notes.push_back(std::move(note));
    }
    return OkStatus();
  }

  Status MakeProber() {
    SessionProberOptions prober =
        ProberOptionsFor(model_, options_, server_->target(), options_.search.target);
    prober.stop = stop_;
    if (listener_.progress) {
      prober.progress = [this](const bench::Progress& progress) {
        listener_.progress(options_.model, progress);
      };
    }
    HEADRACE_ASSIGN_OR_RETURN(
        prober_, SessionProber::Make(server_->control(), model_.space, std::move(prober)));
    const std::string head =
        fmt::format("{} {} {}", HeadOf(options_.model, options_.search.target), options_.device,
                    load::Describe(options_.bench.level.arrivals));
    HEADRACE_ASSIGN_OR_RETURN(journal_, Journal::Open(options_.resume, head, *prober_));
    return OkStatus();
  }

  Status Emit() {
    if (!outcome_.report.winner) {
      return prober_->PutBack();
    }
    const Configuration& winner = outcome_.report.findings[*outcome_.report.winner].configuration;
    HEADRACE_ASSIGN_OR_RETURN(ConfigFile file, ConfigFileFor(model_, options_.archive, winner,
                                                             WinnerComment(outcome_.report)));
    if (options_.online) {
      online_ = OnlineBoundsOf(outcome_.report, options_.search.target);
      outcome_.report.notes.push_back(online_ ? BoundsText(*online_)
                                              : "nothing to vary was found: no online mode");
      file.text += online_ ? OnlineFields(*online_) : "";
    }
    outcome_.config_name = file.name;
    outcome_.config_text = file.text;
    if (!file.note.empty()) {
      outcome_.report.notes.push_back(file.note);
    }
    if (options_.apply && outcome_.report.found_is_better()) {
      outcome_.report.notes.push_back("nothing was applied: what was found did better");
    } else if (options_.apply) {
      return Apply(winner, file);
    }
    return prober_->PutBack();
  }

  Status Apply(const Configuration& winner, const ConfigFile& file) {
    HEADRACE_ASSIGN_OR_RETURN(outcome_.applied_to, WriteConfigFile(file));
    if (options_.url.empty()) {
      return prober_->PutBack();
    }
    HEADRACE_ASSIGN_OR_RETURN(std::string json, prober_->ConfigJson(winner));
    if (online_) {
      HEADRACE_ASSIGN_OR_RETURN(json, WithOnline(json, *online_));
    }
    HEADRACE_RETURN_IF_ERROR(server_->control().Load(options_.model, json));
    prober_->Leave();
    outcome_.applied_to += outcome_.applied_to.empty() ? "" : " and ";
    outcome_.applied_to +=
        fmt::format("the server at {}, until {}", options_.url,
                    model_.registered() ? "somebody registers or scales the model otherwise"
                                        : "it loads the model anew");
    return OkStatus();
  }

  void Describe() {
    bench::ResultDocument& document = outcome_.document;
    server_->Describe(options_, document);
    document.name = options_.model;
    document.interrupted = outcome_.report.interrupted;
    document.levels = prober_->levels();
    document.extension = ReportJson(outcome_.report);
  }

  const TuneOptions& options_;
  const std::atomic<bool>* const stop_;
  const TuneListener& listener_;
  TuneOutcome outcome_;
  std::optional<OnlineBounds> online_;  // with --online
  std::unique_ptr<TuneServer> server_;
  TunedModel model_;
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
  if (!outcome.emitted.ok()) {
    return 2;
  }
  if (outcome.report.winner) {
    return 0;
  }
  // Nothing was measured at all: a failed run, and no answer about the SLA.
  return outcome.report.closest_latency == kNever ? 2 : 3;
}

}  // namespace headrace::tune
