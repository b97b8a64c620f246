#include "worker/worker_template.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include "worker/wire.h"

namespace headrace::worker {
namespace {

// From FORK to the copy's answer. A fork takes a millisecond for some hundred megabytes of memory.
constexpr Nanos kForkTimeout = 30 * kSecond;
// One that died without having been noticed is replaced, and asked once more.
constexpr int kAttempts = 2;

struct Pipe {
  UniqueFd reader, writer;
};

Result<Pipe> MakeOutputPipe() {
  std::array<int, 2> ends;
  if (pipe2(ends.data(), O_CLOEXEC) != 0) {
    return Unavailable("cannot make a pipe for a worker's output: {}", std::strerror(errno));
  }
  fcntl(ends[0], F_SETFL, O_NONBLOCK);  // the writer's end stays as programs expect it
  return Pipe{.reader = UniqueFd(ends[0]), .writer = UniqueFd(ends[1])};
}

}  // namespace

Result<std::unique_ptr<WorkerTemplate>> WorkerTemplate::Start(KeeperOptions options) {
  options.question = MessageType::kPrepare;
  options.process.leads_copies = true;
  auto environment = options.process.environment;
  HEADRACE_ASSIGN_OR_RETURN(auto keeper, Keeper::Start(std::move(options)));
  return std::unique_ptr<WorkerTemplate>(
      new WorkerTemplate(std::move(keeper), std::move(environment)));
}

WorkerTemplate::WorkerTemplate(std::unique_ptr<Keeper> keeper,
                               std::map<std::string, std::string> environment)
    : environment_(std::move(environment)), keeper_(std::move(keeper)) {}

Result<std::unique_ptr<Process>> WorkerTemplate::Fork(const ProcessOptions& worker,
                                                      const std::string& name,
                                                      const std::function<bool()>& given_up) {
  HEADRACE_ASSIGN_OR_RETURN(Pipe output, MakeOutputPipe());
  ForkMessage order{
      .mark = Process::NewMark(), .name = name, .cpus = worker.cpus, .environment = {}};
  for (const auto& [variable, value] : worker.environment) {
    const auto theirs = environment_.find(variable);
    if (theirs == environment_.end() || theirs->second != value) {
      order.environment[variable] = value;
    }
  }
  const std::string body = EncodeFork(order);
  if (body.size() > kPacketBodyByteSizeMax) {
    return InvalidArgument("an environment of {} bytes for a forked worker", body.size());
  }
  std::vector<int> descriptors;
  for (const ProcessOptions::Descriptor& descriptor : worker.descriptors) {
    descriptors.push_back(descriptor.ours);
  }
  descriptors.push_back(output.writer.get());
  std::lock_guard lock(mutex_);
  Status why;
  for (int i = 0; i < kAttempts; ++i) {
    HEADRACE_ASSIGN_OR_RETURN(const std::shared_ptr<Session> session, keeper_->Acquire(given_up));
    const auto maker = static_cast<pid_t>(keeper_->process().id);
    const Result<Copy> copy = Ask(*session, body, descriptors);
    if (copy.ok() && copy->pid == maker && !copy->error.ok()) {
      return copy->error;  // of the template itself: there is no copy
    }
    auto process = copy.ok()
                       ? Process::Adopt(copy->pid, maker, std::move(output.reader), order.mark)
                       : Result<std::unique_ptr<Process>>(copy.status());
    if (process.ok()) {
      return copy->error.ok() ? std::move(process) : copy->error;  // with an error it ends here
    }
    why = process.status();
    if (why.code() != StatusCode::kUnavailable) {
      keeper_->MustDie(session, why);  // and with it whatever it has begun
      return why;
    }
    (void)keeper_->WaitEnd(session);
  }
  return why;
}

Result<WorkerTemplate::Copy> WorkerTemplate::Ask(Session& session, std::string_view order,
                                                 std::span<const int> descriptors) {
  HEADRACE_RETURN_IF_ERROR(AskForSenders(session.call));
  HEADRACE_ASSIGN_OR_RETURN(
      const bool sent,
      SendWithDescriptors(session.call, {.type = MessageType::kFork, .body_size = order.size()},
                          order, descriptors));
  const Nanos deadline = clock_.Now() + kForkTimeout;
  while (sent && clock_.Now() < deadline) {
    HEADRACE_ASSIGN_OR_RETURN(const std::optional<PacketFrom> received,
                              ReceiveWithSender(session.call, packet_));
    if (received) {
      return ReadForked(session, *received);
    }
  }
  return DeadlineExceeded("the template has made no copy within {} s", kForkTimeout / kSecond);
}

Result<WorkerTemplate::Copy> WorkerTemplate::ReadForked(const Session& session,
                                                        const PacketFrom& received) {
  const auto packet = packet_.first(received.byte_size);
  HEADRACE_ASSIGN_OR_RETURN(const Head head, DecodeHead(packet));
  if (head.type != MessageType::kForked) {
    return InvalidArgument("a packet of type {} out of turn", static_cast<int>(head.type));
  }
  HEADRACE_ASSIGN_OR_RETURN(const auto body, BodyOf(head, packet, *session.region, storage_));
  HEADRACE_ASSIGN_OR_RETURN(LoadedMessage answer, json_.Loaded(TextOf(body)));
  return Copy{.pid = received.sender, .error = std::move(answer.error)};
}

}  // namespace headrace::worker
