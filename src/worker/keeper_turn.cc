// The keeper's waiting, and the end of a worker.
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <utility>

#include "base/log.h"
#include "worker/delivery.h"
#include "worker/keeper.h"

namespace headrace::worker {
namespace {

// How soon a late request's cancellation reaches the worker.
constexpr Nanos kCancelTick = 20 * kMillisecond;
constexpr Nanos kExitTimeout = kSecond;
constexpr int kPacketsPerTurn = 64;
// Of the last packets of a worker that has ended.
constexpr int kLastPacketsMax = 10'000;
// Of the line that a failed start repeats.
constexpr std::size_t kLastLineByteSizeMax = 512;

}  // namespace

Nanos Keeper::NextLook() const {
  Nanos look_at =
      std::min({look_at_, ending_ ? end_at_ : kNever, output_.look_at(), readiness_.look_at()});
  if (session_ != nullptr && process_ != nullptr && session_->open.count() > 0) {
    look_at = std::min(look_at, clock_.Now() + kCancelTick);
  }
  return look_at;
}

LifeAction Keeper::Turn() {
  enum : std::size_t { kWake, kOutput, kSide, kCall, kProcess, kCount };
  std::array<pollfd, kCount> polled;
  polled.fill({.fd = -1, .events = POLLIN, .revents = 0});
  polled[kWake].fd = wake_->fd();
  if (process_ != nullptr) {
    polled[kOutput].fd = output_ended_ ? -1 : process_->output();
    polled[kSide].fd = session_->side.fd();
    polled[kSide].events = static_cast<short>(POLLIN | (session_->sender.waiting() ? POLLOUT : 0));
    polled[kCall].fd = phase_ == Phase::kServing ? -1 : session_->call.fd();
    polled[kProcess].fd = process_->pidfd();
  }
  const Nanos look_at = NextLook();
  const Nanos wait =
      look_at == kNever ? kSecond : std::clamp<Nanos>(look_at - clock_.Now(), 0, kSecond);
  (void)poll(polled.data(), polled.size(),
             static_cast<int>((wait + kMillisecond - 1) / kMillisecond));
  if (polled[kWake].revents != 0) {
    if (const auto action = TakeCommands()) {
      return *action;
    }
  }
  if (process_ != nullptr) {
    if (polled[kOutput].revents != 0 || clock_.Now() >= output_.look_at()) {
      ReadOutput(/*last=*/false);
    }
    if ((polled[kSide].revents & POLLOUT) != 0) {
      (void)session_->sender.Flush();  // a failure shows at the next reading
    }
    if (polled[kSide].revents != 0) {
      if (const auto action = ReadSide(kPacketsPerTurn)) {
        return *action;
      }
    }
    if (polled[kCall].revents != 0) {
      if (const auto action = ReadCall()) {
        return *action;
      }
    }
    session_->open.ShowCancelled();
    if (const auto number = readiness_.Ask(clock_.Now())) {
      // A worker that cannot be asked has not answered.
      (void)session_->sender.Send(MessageType::kIsReady, EncodeId(*number));
    }
    if (closed_ || polled[kProcess].revents != 0) {
      return EndWorker();
    }
    if (ending_) {
      Finalize();
    }
  }
  if (clock_.Now() < look_at_) {
    return LifeAction{.at = look_at_};
  }
  if (process_ != nullptr) {
    killed_for_ = Unavailable("it did not load the model within {} s (start-timeout-seconds){}",
                              options_.life.start_timeout / kSecond, LastWords());
    HEADRACE_LOG_ERROR("{}: its worker is killed: {}", options_.label, killed_for_.message());
    return life_.OnMustDie(killed_for_.message(), clock_.Now());
  }
  return life_.OnTime(clock_.Now());
}

void Keeper::Finalize() {
  const Nanos now = clock_.Now();
  if (phase_ == Phase::kServing && (session_->open.count() == 0 || now >= end_at_)) {
    phase_ = Phase::kFinalizing;
    end_at_ = now + options_.finalize_timeout;
    if (!session_->Ask(MessageType::kFinalize, "").ok()) {
      closed_ = true;
    }
  } else if (phase_ != Phase::kServing && (phase_ != Phase::kFinalizing || now >= end_at_)) {
    if (phase_ == Phase::kFinalizing) {
      HEADRACE_LOG_WARNING("{}: its worker did not end within {} s and is killed", options_.label,
                           options_.finalize_timeout / kSecond);
    }
    process_->Kill();
    closed_ = true;
  }
}

LifeAction Keeper::EndWorker() {
  std::string how = "its shared memory could not be made";
  if (process_ != nullptr) {
    auto exit = process_->Wait(kExitTimeout);
    if (!exit) {
      process_->Kill();
      exit = process_->Wait(kNever);
    }
    how = exit->Describe();
    // What it said before it ended still counts.
    closed_ = false;
    (void)ReadSide(kLastPacketsMax);
    ReadOutput(/*last=*/true);
  }
  const bool in_order = phase_ == Phase::kFinalizing;
  if (phase_ == Phase::kHello || phase_ == Phase::kQuestion) {
    how += LastWords();
  }
  phase_ = Phase::kNone;
  Status why = killed_for_.ok() ? Unavailable("{}: the worker ended while it ran the request: {}",
                                              options_.label, how)
                                : killed_for_;
  if (!killed_for_.ok()) {
    how = killed_for_.message();
  } else if (!in_order) {
    HEADRACE_LOG_ERROR("{}: its worker ended: {}", options_.label, how);
  }
  Conclude(Unavailable("{}: the worker ended while it started: {}", options_.label, how));
  process_.reset();
  ShowProcess({});
  if (session_ != nullptr) {
    {
      std::lock_guard lock(mutex_);
      ready_ = nullptr;
      last_ended_ = session_;
      last_end_ = why;
      session_->SetEnded();
      if (std::exchange(executed_, false)) {
        life_.OnExecute();
      }
    }
    session_->call.Shutdown();
    changed_.notify_all();
    for (const auto& request : session_->open.TakeLate()) {
      Fail(*request, why);
    }
  }
  readiness_.End();
  side_.reset();
  session_.reset();
  return life_.OnEnded(how, clock_.Now());
}

void Keeper::ReadOutput(bool last) {
  MetricLineSink* const metrics =
      options_.side.services == nullptr ? nullptr : options_.side.services->metric_lines();
  const auto log = [this, metrics](std::string_view line) {
    if (metrics != nullptr && line.starts_with("[METRICS]")) {
      metrics->OnMetricLine(line);
      return;
    }
    HEADRACE_LOG_INFO("{}: {}", options_.label, line);
    if (phase_ == Phase::kHello || phase_ == Phase::kQuestion) {
      last_line_.assign(line);
    }
  };
  std::array<char, 16 * 1024> bytes;
  const int reads_max = last ? kLastPacketsMax : kPacketsPerTurn;
  for (int i = 0; i < reads_max && process_->output() >= 0; ++i) {
    const ssize_t size = read(process_->output(), bytes.data(), bytes.size());
    if (size == 0) {
      output_ended_ = true;
    }
    if (size <= 0) {
      break;
    }
    output_.Add({bytes.data(), static_cast<std::size_t>(size)}, clock_.Now(), log);
  }
  if (last) {
    output_.Finish(log);
  } else if (clock_.Now() >= output_.look_at()) {
    output_.Add({}, clock_.Now(), log);
  }
}

std::string Keeper::LastWords() const {
  return last_line_.empty()
             ? ""
             : fmt::format("; it said last: {}", EscapeForLog(last_line_, kLastLineByteSizeMax));
}

}  // namespace headrace::worker
