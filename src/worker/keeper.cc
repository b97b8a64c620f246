#include "worker/keeper.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "base/log.h"
#include "base/thread.h"
#include "engine/instance_thread.h"
#include "worker/delivery.h"

namespace headrace::worker {
namespace {

constexpr auto kWaitTick = std::chrono::milliseconds(20);

}  // namespace

Result<std::unique_ptr<Keeper>> Keeper::Start(KeeperOptions options) {
  std::unique_ptr<Keeper> keeper(new Keeper(std::move(options)));
  Status started;
  {
    std::unique_lock lock(keeper->mutex_);
    keeper->changed_.wait(lock, [&] { return keeper->first_start_.has_value(); });
    started = *keeper->first_start_;
  }
  HEADRACE_RETURN_IF_ERROR(started);
  return keeper;
}

Keeper::Keeper(KeeperOptions options) : options_(std::move(options)), life_(options_.life) {
  options_.side.on_readiness = [this](const ReadinessMessage& answer) {
    readiness_.OnAnswer(answer, clock_.Now());
  };
  thread_ = std::thread([this] {
    SetThreadName("worker_keeper");
    Run();
  });
}

Keeper::~Keeper() {
  {
    std::lock_guard lock(mutex_);
    end_asked_ = true;
  }
  wake_->Set();
  thread_.join();
}

Result<std::shared_ptr<Session>> Keeper::Acquire(const std::function<bool()>& given_up) {
  std::unique_lock lock(mutex_);
  while (ready_ == nullptr || ready_->ended()) {
    if (hopeless_) {
      return health_.WithPrefix(options_.label + ": ");
    }
    changed_.wait_for(lock, kWaitTick);
    if (ready_ == nullptr && given_up()) {
      return Cancelled("the request was cancelled while its worker restarted");
    }
  }
  executed_ = true;
  return ready_;
}

void Keeper::MustDie(const std::shared_ptr<Session>& session, Status why) {
  {
    std::lock_guard lock(mutex_);
    if (!command_) {
      command_ = Command{.session = session, .why = std::move(why)};
    }
  }
  wake_->Set();
}

Status Keeper::WaitEnd(const std::shared_ptr<Session>& session) {
  MustDie(session, OkStatus());
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return session->ended(); });
  return last_ended_.lock() == session
             ? last_end_
             : Unavailable("{}: the worker ended while it ran the request", options_.label);
}

Status Keeper::Health() const {
  std::lock_guard lock(mutex_);
  return health_;
}

void Keeper::Watch(engine::HealthListener listener) {
  {
    std::lock_guard lock(mutex_);
    listener_ = std::move(listener);
    watch_asked_ = true;
  }
  wake_->Set();
}

void Keeper::Conclude(Status first_start) {
  std::lock_guard lock(mutex_);
  if (!first_start_) {
    given_up_ = !first_start.ok();
    first_start_ = std::move(first_start);
    changed_.notify_all();
  }
}

engine::InstanceProcess Keeper::process() const {
  std::lock_guard lock(mutex_);
  return process_facts_;
}

void Keeper::ShowProcess(engine::InstanceProcess process) {
  std::lock_guard lock(mutex_);
  process_facts_ = process;
}

// Shows what the life cycle says to the other threads.
void Keeper::Publish() {
  if (shown_ == std::pair(life_.state(), life_.starts())) {
    return;
  }
  shown_ = {life_.state(), life_.starts()};
  Status health = life_.health();
  // Who is told that the worker is down hears of it before a request is refused for it; who is told
  // that it is ready finds it ready.
  if (!life_.ready()) {
    TellHealth();
  }
  {
    std::lock_guard lock(mutex_);
    ready_ = life_.ready() ? session_ : nullptr;
    hopeless_ = life_.hopeless();
    health_ = std::move(health);
    changed_.notify_all();
  }
  if (life_.ready()) {
    TellHealth();
  }
}

void Keeper::TellHealth() {
  using State = engine::InstanceHealth::State;
  engine::InstanceHealth health;
  if (!life_.ready()) {
    health = {.state = life_.hopeless() ? State::kDown : State::kRecovering,
              .reason = life_.health().message()};
  }
  engine::HealthListener listener;
  {
    std::lock_guard lock(mutex_);
    listener = listener_;
  }
  if (listener != nullptr && !ending_ && health != told_) {
    told_ = health;
    listener(health);
  }
}

LifeAction Keeper::MustDieNow(Status why) {
  HEADRACE_LOG_ERROR("a worker is killed: {}", why.message());  // which names the instance
  const std::string text = why.message();
  killed_for_ = std::move(why);
  return life_.OnMustDie(text, clock_.Now());
}

void Keeper::Run() {
  const engine::ScopedInstanceThread own;  // it ends requests, and the instance waits for it
  LifeAction action = life_.Begin(clock_.Now());
  for (;;) {
    switch (action.kind) {
      case LifeAction::Kind::kStart:
        if (!given_up_) {
          action = StartWorker();
          continue;
        }
        break;
      case LifeAction::Kind::kKill:
        if (process_ != nullptr) {
          process_->Kill();
        }
        break;
      case LifeAction::Kind::kGiveUp:
        Publish();  // first, so that whoever reads the line finds the instance as it says
        HEADRACE_LOG_ERROR("{}: its worker {}", options_.label, life_.health().message());
        break;
      case LifeAction::Kind::kNone:
        break;
    }
    look_at_ = action.at;
    Publish();
    if (ending_ && process_ == nullptr) {
      break;
    }
    action = Turn();
  }
  Conclude(Unavailable("{} was ended while its worker started", options_.label));
}

std::optional<LifeAction> Keeper::TakeCommands() {
  wake_->Clear();
  std::optional<Command> command;
  bool end = false;
  {
    std::lock_guard lock(mutex_);
    command = std::exchange(command_, std::nullopt);
    end = end_asked_;
    if (std::exchange(watch_asked_, false)) {
      shown_ = {};  // shows it once more, to the listener too
    }
  }
  if (command && command->session == session_ && process_ != nullptr) {
    if (command->why.ok()) {
      closed_ = true;
      return std::nullopt;
    }
    return MustDieNow(std::move(command->why));
  }
  if (end && !ending_) {
    ending_ = true;
    end_at_ = clock_.Now() + options_.drain_timeout;
    return life_.OnEndAsked();
  }
  return std::nullopt;
}

std::optional<LifeAction> Keeper::ReadSide(int packet_count_max) {
  for (int i = 0; i < packet_count_max && !closed_; ++i) {
    auto size = session_->side.TryReceive(packet_);
    if (size.ok() && !*size) {
      break;
    }
    if (size.status().code() == StatusCode::kUnavailable) {
      closed_ = true;
      break;
    }
    Status status = size.ok() ? side_->Handle(packet_.first(**size)) : size.status();
    if (!status.ok()) {
      return MustDieNow(
          Internal("{}: the worker broke the protocol: {}", options_.label, status.message()));
    }
  }
  return std::nullopt;
}

}  // namespace headrace::worker
