// A process that has loaded a model once, and workers that are copies of it: they share the pages
// of its weights until they write to them, and start in the time of a fork.
//
// The template is started, confined and kept alive as a worker is (a Keeper whose first question is
// PREPARE). On FORK it makes a copy by clone(CLONE_PARENT): the copy is a child of this process,
// not of the template, so that a Process watches, reaps and kills it as it does any other, it dies
// with this process, and it does not die with the template. No subreaper is needed, which would be
// a property of the whole host process, and no word of the template's about an exit is trusted.
// Which process the copy is, the kernel says: the copy answers FORK itself, with its credentials.
#ifndef HEADRACE_WORKER_WORKER_TEMPLATE_H_
#define HEADRACE_WORKER_WORKER_TEMPLATE_H_

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/result.h"
#include "worker/channel.h"
#include "worker/descriptor_passing.h"
#include "worker/json_messages.h"
#include "worker/keeper.h"
#include "worker/process.h"
#include "worker/session.h"

namespace headrace::worker {

// Thread-safe. Must outlive the processes that it made: they die with its keeper's thread.
class WorkerTemplate {
 public:
  // Blocks until the template has loaded its model. `options`: of a worker without an instance. A
  // failure says why there can be none: UNIMPLEMENTED, for a reason that will not pass ("the loaded
  // model has 3 more threads ...").
  static Result<std::unique_ptr<WorkerTemplate>> Start(KeeperOptions options);

  // A copy that serves as `worker` says (the descriptors are its call channel, side channel and
  // data region); of the environment what differs from the template's. Blocks for some
  // milliseconds, while a template that has died is replaced for as long as that loads. CANCELLED
  // once `given_up` says true meanwhile. After another failure a worker can be started by itself.
  Result<std::unique_ptr<Process>> Fork(const ProcessOptions& worker, const std::string& name,
                                        const std::function<bool()>& given_up);

  // The template that lives now.
  engine::InstanceProcess process() const { return keeper_->process(); }

 private:
  WorkerTemplate(std::unique_ptr<Keeper> keeper, std::map<std::string, std::string> environment);
  // What came of a FORK: the process that answered, and what it said.
  struct Copy {
    pid_t pid = 0;
    Status error;
  };
  // UNAVAILABLE: the template has gone. After another failure it must.
  Result<Copy> Ask(Session& session, std::string_view order, std::span<const int> descriptors);
  Result<Copy> ReadForked(const Session& session, const PacketFrom& received);

  const Clock& clock_ = Clock::Real();
  const std::map<std::string, std::string> environment_;
  std::mutex mutex_;  // one copy at a time; guards the call channel and what follows
  PacketBuffer packet_;
  JsonDecoder json_;
  std::string storage_;
  const std::unique_ptr<Keeper> keeper_;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_WORKER_TEMPLATE_H_
