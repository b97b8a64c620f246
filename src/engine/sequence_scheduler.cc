#include "engine/sequence_scheduler.h"

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

#include "base/log.h"
#include "base/wake_batch.h"
#include "engine/expiry_thread.h"
#include "engine/parker.h"
#include "engine/placeholder_request.h"
#include "engine/sequence_controls.h"
#include "engine/sequence_core.h"
#include "engine/sequence_step.h"

namespace headrace::engine {
namespace {

// Where the thread of one instance waits.
struct SeatThread final : Waker {
  void WakeNow() override { parker.Unpark(); }
  Parker parker;
  bool parked = false;  // guarded by the scheduler's mutex
};

std::string_view IdOf(const InferRequest& request) {
  return request.id.empty() ? std::string_view("<id_unknown>") : std::string_view(request.id);
}

void FinishAll(std::vector<SequenceCore::Dropped>& dropped) {
  for (SequenceCore::Dropped& one : dropped) {
    one.request->Finish(std::move(one.status), one.reason);
  }
  dropped.clear();
}

}  // namespace

class SequenceScheduler::Impl {
 public:
  using Sequence = SequenceCore::Sequence;

  Impl(SequenceOptions options, QueueLimits limits, std::string model_name, const Clock& clock)
      : clock_(clock),
        model_name_(model_name),
        core_(std::move(options), limits, std::move(model_name)) {}

  const SequenceOptions& options() const { return core_.options(); }

  // The thread that calls Expire; null once it is going to end.
  void SetTimer(ExpiryThread* timer) {
    std::lock_guard lock(mutex_);
    timer_ = timer;
  }

  void Push(std::unique_ptr<InferRequest> request) {
    const Nanos now = clock_.Now();
    const SequenceId id = SequenceId::Of(*request);
    SequenceCore::PushResult pushed;
    std::shared_ptr<SeatThread> wake;
    {
      std::lock_guard lock(mutex_);
      if (!refusal_.empty()) {
        pushed = {.status = Unavailable("[request id: {}] {}", IdOf(*request), refusal_),
                  .reason = FailureReason::kRejected};
      } else {
        pushed = core_.Push(request, now);
      }
      if (pushed.seat != SequenceCore::kNoSeat) {
        wake = Unpark(pushed.seat);
      }
      LookByNextExpiry();
    }
    if (wake != nullptr) {
      WakeBatch::Wake(wake);
    }
    if (pushed.rouse_all) {
      RouseAll();
    }
    if (pushed.restarted) {
      HEADRACE_LOG_WARNING(
          "sequence {} for model '{}' has a conflict. The previous sequence did not end before "
          "this "
          "sequence start. Previous sequence will be terminated early.",
          id.ToString(), model_name_);
    }
    if (!pushed.status.ok()) {
      request->Finish(std::move(pushed.status), pushed.reason);
    }
  }

  std::size_t AddSeat() {
    std::lock_guard lock(mutex_);
    threads_.push_back(std::make_shared<SeatThread>());
    return core_.AddSeat();
  }

  // What SequenceCore gives out, and nothing when the seat's thread shall go.
  std::optional<SequenceCore::Popped> Pop(std::size_t seat, const std::atomic<bool>* retired,
                                          Nanos& formed) {
    std::shared_ptr<SeatThread> self;
    for (;;) {
      SequenceCore::Popped popped;
      bool leave = false;
      formed = clock_.Now();
      {
        std::lock_guard lock(mutex_);
        self = threads_[seat];
        const bool retires = retired != nullptr && retired->load(std::memory_order_relaxed);
        if (retires) {
          core_.RetireSeat(seat);
        }
        core_.TryPop(seat, formed, popped);
        if (popped.batch.empty()) {
          leave = stopped_ || ((core_.closed() || retires) && core_.SeatIsFree(seat));
          self->parked = !leave && popped.dropped.empty();
        }
        LookByNextExpiry();
      }
      const bool look_again = !popped.dropped.empty();
      FinishAll(popped.dropped);
      if (!popped.batch.empty()) {
        return popped;
      }
      if (leave) {
        return std::nullopt;
      }
      if (!look_again) {
        Sleep(*self, popped.wait_until);
      }
    }
  }

  void RouseAll() {
    std::vector<std::shared_ptr<SeatThread>> parked;
    {
      std::lock_guard lock(mutex_);
      for (std::size_t seat = 0; seat < threads_.size(); ++seat) {
        if (auto thread = Unpark(seat)) {
          parked.push_back(std::move(thread));
        }
      }
    }
    for (const auto& thread : parked) {
      thread->WakeNow();
    }
  }

  void Close(bool stop) {
    {
      std::lock_guard lock(mutex_);
      core_.Close();
      stopped_ = stopped_ || stop;
    }
    RouseAll();
  }

  void Abandon(const std::string& reason) {
    std::vector<std::unique_ptr<InferRequest>> all;
    {
      std::lock_guard lock(mutex_);
      core_.TakeAll(all);
    }
    for (const auto& request : all) {
      request->Finish(Unavailable("[request id: {}] {}", IdOf(*request), reason),
                      FailureReason::kRejected);
    }
    RouseAll();
  }

  void SetRefusal(const std::string& reason) {
    {
      std::lock_guard lock(mutex_);
      refusal_ = reason;
    }
    if (!reason.empty()) {
      Abandon(reason);
    }
  }

  // The timer's work; when to look next.
  Nanos Expire(Nanos now) {
    std::vector<SequenceCore::Dropped> dropped;
    std::vector<std::shared_ptr<SeatThread>> wake;
    Nanos next;
    {
      std::lock_guard lock(mutex_);
      std::vector<std::size_t> seats;
      core_.Expire(now, dropped, seats);
      for (const std::size_t seat : seats) {
        if (auto thread = Unpark(seat)) {
          wake.push_back(std::move(thread));
        }
      }
      next = core_.next_expiry();
    }
    for (const auto& thread : wake) {
      thread->WakeNow();
    }
    FinishAll(dropped);
    return next;
  }

  // A step has ended; `again` as in SequenceCore::Released.
  void Released(Sequence& sequence, std::unique_ptr<InferRequest> again) {
    std::shared_ptr<SeatThread> wake;
    {
      std::lock_guard lock(mutex_);
      if (!stopped_ || again == nullptr) {
        wake = Unpark(core_.Released(sequence, clock_.Now(), std::move(again)));
      } else {
        core_.Released(sequence, clock_.Now());
      }
      LookByNextExpiry();
    }
    if (wake != nullptr) {
      wake->WakeNow();
    }
    if (again != nullptr) {
      again->Finish(
          Unavailable("[request id: {}] the model '{}' was unloaded before the request's "
                      "next iteration",
                      IdOf(*again), model_name_));
    }
  }

  void EndSequence(Sequence& sequence) {
    std::lock_guard lock(mutex_);
    core_.Conclude(sequence);
  }

  std::size_t depth() const {
    std::lock_guard lock(mutex_);
    return core_.depth();
  }
  std::size_t byte_size() const {
    std::lock_guard lock(mutex_);
    return core_.byte_size();
  }
  SequenceFigures figures() const {
    std::lock_guard lock(mutex_);
    return core_.figures();
  }

 private:
  // With mutex_ held: the thread to wake, if it is parked.
  std::shared_ptr<SeatThread> Unpark(std::size_t seat) {
    return std::exchange(threads_[seat]->parked, false) ? threads_[seat] : nullptr;
  }

  void LookByNextExpiry() {
    if (timer_ != nullptr) {
      timer_->LookBy(core_.next_expiry());
    }
  }

  void Sleep(SeatThread& self, Nanos until) {
    WakeBatch::FlushCurrent();
    // `until` is on a clock that a test may have replaced; the kernel knows only the real one.
    if (until != kNever) {
      until = Clock::Real().Now() + (until - clock_.Now());
    }
    // A wake-up that comes as the time runs out stays for the next sleep, which it cuts short.
    if (!self.parker.Park(until)) {
      std::lock_guard lock(mutex_);
      self.parked = false;
    }
  }

  const Clock& clock_;
  const std::string model_name_;
  mutable std::mutex mutex_;  // guards what follows
  SequenceCore core_;
  std::vector<std::shared_ptr<SeatThread>> threads_;  // by seat
  ExpiryThread* timer_ = nullptr;
  bool stopped_ = false;
  std::string refusal_;  // empty: requests are taken
};

// Of a request that executes. The sequence lives at least as long.
class SequenceScheduler::Step final : public SequenceStep {
 public:
  Step(std::shared_ptr<Impl> impl, SequenceCore::Sequence& sequence, std::size_t client_input_count)
      : impl_(std::move(impl)), sequence_(sequence), client_input_count_(client_input_count) {}
  ~Step() override {
    if (impl_ != nullptr) {
      impl_->Released(sequence_, nullptr);
    }
  }

  bool HasState(std::string_view name) const override {
    return sequence_.state.Find(name) != nullptr;
  }
  Status UpdateState(std::string_view name, Tensor value) override {
    return sequence_.state.Update(name, std::move(value));
  }
  void EndSequence() override { impl_->EndSequence(sequence_); }
  bool MayReschedule() const override { return impl_->options().iterative; }
  void Reschedule(std::unique_ptr<InferRequest> request) override {
    const std::unique_ptr<SequenceStep> self = std::move(request->step);
    // Without the controls and the state of this step.
    request->inputs.resize(client_input_count_);
    request->times.executing = 0;
    std::shared_ptr<Impl> impl = std::move(impl_);
    impl->Released(sequence_, std::move(request));
  }

  std::size_t client_input_count() const { return client_input_count_; }

 private:
  std::shared_ptr<Impl> impl_;  // null once the step has ended
  SequenceCore::Sequence& sequence_;
  const std::size_t client_input_count_;
};

SequenceScheduler::SequenceScheduler(SequenceOptions options, QueueLimits limits,
                                     std::string model_name, const Clock& clock)
    : impl_(std::make_shared<Impl>(std::move(options), limits, std::move(model_name), clock)),
      timer_(std::make_unique<ExpiryThread>(
          "seq_expiry", clock, [impl = impl_.get()](Nanos now) { return impl->Expire(now); })) {
  impl_->SetTimer(timer_.get());
}

SequenceScheduler::~SequenceScheduler() {
  impl_->SetTimer(nullptr);
  timer_.reset();
  impl_->Close(/*stop=*/true);
  impl_->Abandon("the model was unloaded before the request's turn came");
}

void SequenceScheduler::Push(std::unique_ptr<InferRequest> request) {
  impl_->Push(std::move(request));
}

std::size_t SequenceScheduler::AddSeat() { return impl_->AddSeat(); }

std::optional<Batch> SequenceScheduler::PopBatch(std::size_t seat,
                                                 const std::atomic<bool>* retired) {
  Batch batch;
  std::optional<SequenceCore::Popped> popped = impl_->Pop(seat, retired, batch.formed);
  if (!popped) {
    return std::nullopt;
  }
  const SequenceOptions& options = impl_->options();
  const InferRequest* like = nullptr;
  std::size_t like_input_count = 0;
  for (std::size_t i = 0; i < popped->batch.size(); ++i) {
    if (popped->batch[i] == nullptr) {
      continue;
    }
    InferRequest& request = *popped->batch[i];
    SequenceCore::Sequence& sequence = *popped->sequences[i];
    like = &request;
    like_input_count = request.inputs.size();
    const SequencePosition position{.start = (request.sequence_flags & 1) != 0,
                                    .ready = true,
                                    .end = (request.sequence_flags & 2) != 0};
    if (position.start) {
      sequence.state.Reset();
    }
    request.step = std::make_unique<Step>(impl_, sequence, request.inputs.size());
    AppendControls(options, position, sequence.id, request.inputs);
    sequence.state.AppendInputs(request.inputs);
  }
  for (std::unique_ptr<InferRequest>& request : popped->batch) {
    if (request == nullptr) {
      request = MakePlaceholder(*like, like_input_count, options);
    }
  }
  batch.requests = std::move(popped->batch);
  return batch;
}

void SequenceScheduler::RouseAll() { impl_->RouseAll(); }
void SequenceScheduler::Close() { impl_->Close(/*stop=*/false); }
void SequenceScheduler::Stop() { impl_->Close(/*stop=*/true); }
void SequenceScheduler::Abandon(const std::string& reason) { impl_->Abandon(reason); }
void SequenceScheduler::SetRefusal(const std::string& reason) { impl_->SetRefusal(reason); }
std::size_t SequenceScheduler::depth() const { return impl_->depth(); }
std::size_t SequenceScheduler::byte_size() const { return impl_->byte_size(); }
std::optional<SequenceFigures> SequenceScheduler::sequence_figures() const {
  return impl_->figures();
}

}  // namespace headrace::engine
