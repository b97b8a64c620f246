#include "tune/multi_run.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "tune/multi_journal.h"
#include "tune/multi_report.h"
#include "tune/multi_session_prober.h"
#include "tune/report_parts.h"
#include "tune/tune_server.h"

namespace headrace::tune {
namespace {

class TuningSeveral {
 public:
  TuningSeveral(const TuneOptions& options, const std::atomic<bool>* stop,
                const TuneListener& listener)
      : options_(options), stop_(stop), listener_(listener) {}

  Result<MultiOutcome> Take() {
    HEADRACE_RETURN_IF_ERROR(Connect());
    HEADRACE_RETURN_IF_ERROR(MakeProber());
    MultiSearchOptions search;
    search.budget = options_.search.budget;
    search.cores = models_.front().space.limits.cores;
    search.accuracy_drop_max = options_.search.accuracy_drop_max;
    search.memory_bytes = options_.search.memory_bytes;
    search.seed = options_.search.seed;
    outcome_.report = SearchSeveral(searched_, search, *journal_, listener_.event);
    if (journal_->answered() > 0) {
      notes_.push_back(AnsweredText(journal_->answered(), options_.resume));
    }
    outcome_.report.notes.insert(outcome_.report.notes.end(), notes_.begin(), notes_.end());
    outcome_.emitted = Emit();
    Describe();
    return std::move(outcome_);
  }

 private:
  Status Connect() {
    std::vector<std::string> names;
    for (const ModelGoal& goal : options_.models) {
      names.push_back(goal.model);
    }
    if (options_.url.empty() && listener_.event) {
      listener_.event({"server", "starting a server of our own"});
    }
    HEADRACE_ASSIGN_OR_RETURN(server_, TuneServer::Connect(options_, names, "", stop_));
    for (const ModelGoal& goal : options_.models) {
      HEADRACE_ASSIGN_OR_RETURN(
          TunedModel model, LookAtModel(server_->control(), options_, goal.model, goal.target.sla));
      searched_.push_back({.name = goal.model,
                           .target = goal.target,
                           .share = goal.share,
                           .space = model.space,
                           .ahead = model.ahead()});
      models_.push_back(std::move(model));
    }
    if (options_.url.empty() || options_.force) {
      return OkStatus();
    }
    std::string note;
    HEADRACE_RETURN_IF_ERROR(server_->LookForOthers(note));
    if (!note.empty()) {
      notes_.push_back(std::move(note));
    }
    return OkStatus();
  }

  Status MakeProber() {
    std::vector<std::unique_ptr<SessionProber>> probers;
    std::vector<double> shares;
    for (std::size_t i = 0; i < models_.size(); ++i) {
      const ModelGoal& goal = options_.models[i];
      SessionProberOptions prober =
          ProberOptionsFor(models_[i], options_, server_->target(), goal.target);
      if (!goal.data.empty()) {
        prober.workload.item.data.clear();
        prober.workload.item.input_data.clear();
        for (const std::string& data : goal.data) {
          load::AddInputData(data, prober.workload.item);
        }
      }
      prober.stop = stop_;
      if (listener_.progress) {
        prober.progress = [this, &goal](const bench::Progress& progress) {
          listener_.progress(goal.model, progress);
        };
      }
      HEADRACE_ASSIGN_OR_RETURN(
          auto made, SessionProber::Make(server_->control(), models_[i].space, std::move(prober)));
      probers.push_back(std::move(made));
      shares.push_back(goal.share);
    }
    prober_ = std::make_unique<MultiSessionProber>(server_->control(), std::move(probers),
                                                   std::move(shares));
    std::string head;
    std::vector<std::string> names;
    for (const ModelGoal& goal : options_.models) {
      head += fmt::format("{} share {:g}, ", HeadOf(goal.model, goal.target), goal.share);
      names.push_back(goal.model);
    }
    HEADRACE_ASSIGN_OR_RETURN(
        journal_, MultiJournal::Open(options_.resume, head + options_.device, names, *prober_));
    return OkStatus();
  }

  Status PutBack() {
    Status status;
    for (std::size_t i = 0; i < prober_->size(); ++i) {
      if (Status one = prober_->model(i).PutBack(); status.ok()) {
        status = std::move(one);
      }
    }
    return status;
  }

  Status Emit() {
    const MultiReport& report = outcome_.report;
    if (!report.met) {
      return PutBack();
    }
    const Division& winner = report.divisions.front().division;
    for (std::size_t i = 0; i < models_.size(); ++i) {
      HEADRACE_ASSIGN_OR_RETURN(
          ConfigFile file,
          ConfigFileFor(models_[i], "", winner.configurations[i], MultiComment(report, i)));
      outcome_.files.push_back(std::move(file));
    }
    if (options_.apply && report.found_is_better()) {
      outcome_.report.notes.push_back("nothing was applied: what was found did better");
    } else if (options_.apply) {
      return Apply(winner);
    }
    return PutBack();
  }

  Status Apply(const Division& winner) {
    for (const ConfigFile& file : outcome_.files) {
      HEADRACE_ASSIGN_OR_RETURN(std::string written, WriteConfigFile(file));
      if (!written.empty()) {
        outcome_.applied_to.push_back(std::move(written));
      }
    }
    if (options_.url.empty()) {
      return PutBack();
    }
    for (std::size_t i = 0; i < models_.size(); ++i) {
      HEADRACE_RETURN_IF_ERROR(prober_->model(i).Change(winner.configurations[i]));
      prober_->model(i).Leave();
    }
    outcome_.applied_to.push_back(
        fmt::format("the server at {}, until it loads the models anew", options_.url));
    return OkStatus();
  }

  void Describe() {
    bench::ResultDocument& document = outcome_.document;
    server_->Describe(options_, document);
    for (const ModelGoal& goal : options_.models) {
      document.name += (document.name.empty() ? "" : " and ") + goal.model;
    }
    document.interrupted = outcome_.report.interrupted;
    document.levels = prober_->levels();
    document.extension = MultiReportJson(outcome_.report);
  }

  const TuneOptions& options_;
  const std::atomic<bool>* const stop_;
  const TuneListener& listener_;
  MultiOutcome outcome_;
  std::vector<std::string> notes_;
  std::unique_ptr<TuneServer> server_;
  std::vector<TunedModel> models_;  // their spaces are borrowed by the prober
  std::vector<MultiModel> searched_;
  std::unique_ptr<MultiSessionProber> prober_;
  std::unique_ptr<MultiJournal> journal_;  // borrows the prober
};

}  // namespace

Result<MultiOutcome> RunTuneSeveral(const TuneOptions& options, const std::atomic<bool>* stop,
                                    const TuneListener& listener) {
  return TuningSeveral(options, stop, listener).Take();
}

int ExitCode(const MultiOutcome& outcome) {
  if (outcome.report.interrupted) {
    return 130;
  }
  return !outcome.emitted.ok() ? 2 : outcome.report.met ? 0 : 3;
}

}  // namespace headrace::tune
