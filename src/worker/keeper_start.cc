// The keeper's starting of a worker, up to where it is ready.
#include <chrono>
#include <utility>

#include "base/log.h"
#include "worker/keeper.h"

namespace headrace::worker {
namespace {

// For a process that was killed.
constexpr Nanos kExitTimeout = kSecond;
// How often the thread that waits for an answer looks up.
constexpr Nanos kCallTick = 20 * kMillisecond;

std::int64_t UnixMilliseconds() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

MessageType AnswerTo(MessageType question) {
  switch (question) {
    case MessageType::kCompleteConfig:
      return MessageType::kConfig;
    case MessageType::kPrepare:
      return MessageType::kPrepared;
    default:
      return MessageType::kLoaded;
  }
}

}  // namespace

// What a new worker gets, and shares with this side.
Status Keeper::MakeSession() {
  HEADRACE_ASSIGN_OR_RETURN(
      session_, Session::Create(options_.data_byte_size, [wake = wake_] { wake->Set(); }));
  return session_->call.SetTick(kCallTick);
}

Result<std::unique_ptr<Process>> Keeper::StartProcess() {
  ProcessOptions options = options_.process;
  options.environment["HEADRACE_WORKER"] = "call=3 side=4 data=5";
  const auto describe = [this, &options] {
    options.descriptors = {{.ours = session_->theirs.call.get(), .number = 3},
                           {.ours = session_->theirs.side.get(), .number = 4},
                           {.ours = session_->region->fd(), .number = 5}};
  };
  describe();
  if (options_.fork != nullptr) {
    auto copy = options_.fork(options, [this] {
      std::lock_guard lock(mutex_);
      return end_asked_;
    });
    if (copy.ok() || copy.status().code() == StatusCode::kCancelled) {
      return copy;
    }
    HEADRACE_LOG_WARNING("{}: its worker is not forked but started by itself: {}", options_.label,
                         copy.status().message());
    // A copy that failed late may still hold the ends that it was given.
    HEADRACE_RETURN_IF_ERROR(MakeSession());
    describe();
  }
  return Process::Start(std::move(options));
}

LifeAction Keeper::StartWorker() {
  closed_ = output_ended_ = false;
  killed_for_ = OkStatus();
  last_line_.clear();
  if (Status status = MakeSession(); !status.ok()) {
    return StartFailed(std::move(status));
  }
  auto process = StartProcess();
  session_->theirs = {};
  if (!process.ok()) {
    return StartFailed(process.status());
  }
  process_ = *std::move(process);
  ShowProcess({.id = process_->pid(), .started_unix_ms = UnixMilliseconds()});
  side_ = std::make_unique<SideHandler>(session_, options_.side);
  phase_ = Phase::kHello;
  return life_.OnStarted(clock_.Now());
}

LifeAction Keeper::StartFailed(Status why) {
  if (process_ != nullptr) {
    process_->Kill();
    (void)process_->Wait(kExitTimeout);
  }
  HEADRACE_LOG_ERROR("{}: its worker did not start: {}", options_.label, why.message());
  const std::string text = why.message();
  Conclude(std::move(why));
  killed_for_ = Unavailable("{}", text);
  return EndWorker();
}

// HELLO, the answer to the first question, FINALIZED.
std::optional<LifeAction> Keeper::ReadCall() {
  auto size = session_->call.TryReceive(packet_);
  if (size.ok() && !*size) {
    return std::nullopt;
  }
  if (size.status().code() == StatusCode::kUnavailable) {
    closed_ = true;
    return std::nullopt;
  }
  HEADRACE_CHECK(phase_ != Phase::kServing);
  const auto breach = [&](const Status& status) {
    return MustDieNow(
        Internal("{}: the worker broke the protocol: {}", options_.label, status.message()));
  };
  if (!size.ok()) {
    return breach(size.status());
  }
  const auto packet = packet_.first(**size);
  auto head = DecodeHead(packet);
  auto body = head.ok() ? BodyOf(*head, packet, *session_->region, storage_)
                        : Result<std::span<const std::byte>>(head.status());
  if (!body.ok()) {
    return breach(body.status());
  }
  if (phase_ == Phase::kHello && head->type == MessageType::kHello) {
    auto hello = json_.Hello(TextOf(*body));
    if (!hello.ok() || hello->protocol != 1) {
      return breach(hello.ok() ? InvalidArgument("it speaks version {}", hello->protocol)
                               : hello.status());
    }
    HEADRACE_LOG_VERBOSE("{}: process {} runs Python {}, numpy {}", options_.label, process_->pid(),
                         EscapeForLog(hello->python), EscapeForLog(hello->numpy));
    phase_ = Phase::kQuestion;
    Status asked = session_->Ask(options_.question, options_.make_question(*session_->region));
    return asked.ok() ? std::nullopt : std::optional(MustDieNow(std::move(asked)));
  }
  if (phase_ == Phase::kQuestion && head->type == AnswerTo(options_.question)) {
    session_->Answered();
    auto loaded = json_.Loaded(TextOf(*body));
    if (!loaded.ok()) {
      return breach(loaded.status());
    }
    if (!loaded->error.ok()) {
      return StartFailed(std::move(loaded->error));
    }
    readiness_.Begin(loaded->says_ready, clock_.Now());
    answer_ = TextOf(*body);
    phase_ = Phase::kServing;
    const LifeAction next = life_.OnReady(clock_.Now());
    Publish();
    Conclude(OkStatus());
    return next;
  }
  if (phase_ == Phase::kFinalizing && head->type == MessageType::kFinalized) {
    const auto extras = json_.Response(TextOf(*body));
    if (extras.ok() && !extras->error.ok()) {
      HEADRACE_LOG_ERROR("{}: finalize failed: {}", options_.label, extras->error.message());
    }
    closed_ = true;
    return std::nullopt;
  }
  return breach(InvalidArgument("a packet of type {} out of turn", static_cast<int>(head->type)));
}

}  // namespace headrace::worker
