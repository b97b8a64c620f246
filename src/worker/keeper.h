// Keeps one worker alive for as long as its instance is.
//
// One thread for each worker: it starts the process (which dies with the thread that started it),
// has it load the model, reads its side channel and its output, sees it die, and starts the next,
// as life_cycle.h decides. An instance's thread has the call channel while the worker is ready.
#ifndef HEADRACE_WORKER_KEEPER_H_
#define HEADRACE_WORKER_KEEPER_H_

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/result.h"
#include "engine/instance_facts.h"
#include "engine/instance_health.h"
#include "worker/event_flag.h"
#include "worker/life_cycle.h"
#include "worker/output_lines.h"
#include "worker/process.h"
#include "worker/readiness.h"
#include "worker/session.h"
#include "worker/side_handler.h"

namespace headrace::worker {

struct KeeperOptions {
  std::string label;         // "model 'm' version 1, instance 'm_0_0'"
  ProcessOptions process{};  // without descriptors
  std::uint64_t data_byte_size = 0;
  // What a new worker is asked first: kLoad, kCompleteConfig, whose answer is kept, or kPrepare,
  // for a template (worker_template.h).
  MessageType question = MessageType::kLoad;
  std::function<std::string(const DataRegion&)> make_question;
  // Not empty: makes the process as a copy of another one. The second argument says whether nobody
  // wants it any more (CANCELLED). After another failure the worker is started by itself.
  std::function<Result<std::unique_ptr<Process>>(const ProcessOptions&,
                                                 const std::function<bool()>& given_up)>
      fork{};
  LifeCycleOptions life{};
  Nanos drain_timeout = 30 * kSecond;     // at the end: for requests that are not answered yet
  Nanos finalize_timeout = 10 * kSecond;  // for the model's finalize and the process's exit
  SideOptions side{};
};

// Thread-safe. The destructor ends the worker: requests are waited for, the model finalizes, and
// what does not end in time is killed.
class Keeper {
 public:
  // Blocks until the worker is ready, or its first start has failed: the model's own error then, or
  // how the process ended.
  static Result<std::unique_ptr<Keeper>> Start(KeeperOptions options);
  ~Keeper();

  // The answer to the first question's body, where it was kCompleteConfig.
  const std::string& answer() const { return answer_; }

  // A ready worker, for the thread that executes; waits for one that is starting, and looks at
  // `given_up` while it waits (CANCELLED then). UNAVAILABLE at once while starts fail.
  Result<std::shared_ptr<Session>> Acquire(const std::function<bool()>& given_up);
  // The worker is killed for `why`, which is the requests' error too.
  void MustDie(const std::shared_ptr<Session>& session, Status why);
  // Blocks until the session has ended, which its channel or its worker has said before. Why, as
  // the error of what it ran.
  Status WaitEnd(const std::shared_ptr<Session>& session);

  // OK while a worker is ready, else UNAVAILABLE with the reason.
  Status Health() const;
  // `listener` hears of every change of the health from now on, from the keeper's thread; soon, if
  // no worker is ready. Called once.
  void Watch(engine::HealthListener listener);
  // The worker that lives now.
  engine::InstanceProcess process() const;
  // What the model says of itself; any thread.
  Status ModelReadiness() const { return readiness_.report(); }

 private:
  enum class Phase : std::uint8_t { kNone, kHello, kQuestion, kServing, kFinalizing };

  explicit Keeper(KeeperOptions options);
  void Run();
  LifeAction StartWorker();
  Status MakeSession();
  Result<std::unique_ptr<Process>> StartProcess();
  // Waits for one event and handles it.
  LifeAction Turn();
  std::optional<LifeAction> TakeCommands();
  std::optional<LifeAction> ReadSide(int packet_count_max);
  std::optional<LifeAction> ReadCall();
  LifeAction StartFailed(Status why);
  LifeAction MustDieNow(Status why);
  void ReadOutput(bool last);
  // What a worker that does not become ready has printed last, to go behind the reason; "" if none.
  std::string LastWords() const;
  void Finalize();
  // The process is gone, or will be killed.
  LifeAction EndWorker();
  void FailLate();
  Nanos NextLook() const;
  void Publish();
  void ShowProcess(engine::InstanceProcess process);
  void TellHealth();
  void Conclude(Status first_start);

  KeeperOptions options_;
  const Clock& clock_ = Clock::Real();
  const std::shared_ptr<EventFlag> wake_ = std::make_shared<EventFlag>();
  std::string answer_;

  // The keeper's thread only.
  LifeCycle life_;
  Nanos look_at_ = kNever;  // of the life cycle
  Phase phase_ = Phase::kNone;
  std::pair<LifeState, std::uint64_t> shown_{LifeState::kFailed, 0};  // to other threads
  engine::InstanceHealth told_;  // to the listener; ready at first
  std::shared_ptr<Session> session_;
  std::unique_ptr<Process> process_;
  std::unique_ptr<SideHandler> side_;
  PacketBuffer packet_;
  JsonDecoder json_;
  std::string storage_;
  OutputLines output_;
  std::string last_line_;  // of output_, while the worker starts
  Readiness readiness_;
  bool output_ended_ = false;
  bool closed_ = false;  // a channel has ended: so will the process
  bool ending_ = false;
  bool given_up_ = false;  // the first start has failed: there is no second
  Nanos end_at_ = kNever;  // of the drain, then of the finalization
  Status killed_for_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::optional<Status> first_start_;
  engine::HealthListener listener_;
  std::shared_ptr<Session> ready_;
  Status health_;
  bool hopeless_ = false;
  bool executed_ = false;  // since the keeper looked
  bool end_asked_ = false, watch_asked_ = false;
  struct Command {
    std::shared_ptr<Session> session;
    Status why;  // OK: it ends by itself
  };
  std::optional<Command> command_;
  engine::InstanceProcess process_facts_;  // of process_
  std::weak_ptr<Session> last_ended_;
  Status last_end_;

  std::thread thread_;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_KEEPER_H_
