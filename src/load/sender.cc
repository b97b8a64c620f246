#include "load/sender.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <ctime>
#include <deque>
#include <optional>
#include <string>
#include <thread>
#include <utility>

#include "base/log.h"
#include "base/thread.h"
#include "base/unique_fd.h"
#include "load/item_draw.h"
#include "load/poller.h"
#include "load/sequences.h"

namespace headrace::load {
namespace {

constexpr std::size_t kChunkSize = 1024;
constexpr Nanos kTick = 20 * kMillisecond;
// Requests that are sent before events are looked at again.
constexpr int kBurst = 64;
// A closed loop waits so long before it replaces a request that found no connection: it would
// otherwise do nothing but fail.
constexpr Nanos kConnectPause = 10 * kMillisecond;
// Connections that an open loop begins with; it opens what it needs.
constexpr int kFirstConnectionCount = 2;
constexpr std::uint32_t kNoSequence = UINT32_MAX;

int ShareOf(int total, int index, int count) {
  return total / count + (index < total % count ? 1 : 0);
}

Nanos ThreadCpuTime() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

}  // namespace

class Sender::Impl final : public CompletionSink, public PollHandler {
 public:
  Impl(SenderOptions options, const Workload& workload, TransportFactory& transports,
       RecordSink& records)
      : options_(std::move(options)),
        workload_(workload),
        transports_(transports),
        records_(records),
        draw_(workload),
        schedule_(options_.arrivals, static_cast<std::uint32_t>(options_.sender_index),
                  static_cast<std::uint32_t>(options_.sender_count)),
        open_(options_.arrivals.open()),
        concurrency_(
            ShareOf(options_.arrivals.concurrency, options_.sender_index, options_.sender_count)) {
    chunk_.reserve(kChunkSize);
    SequencePool::Share share;
    share.sender_index = static_cast<std::uint32_t>(options_.sender_index);
    share.sender_count = static_cast<std::uint32_t>(options_.sender_count);
    for (const Item& item : workload.items) {
      ItemState& state = items_.emplace_back();
      state.content_next = share.sender_index;
      share.seed = workload.seed + items_.size();
      if (item.sequences.concurrent > 0) {
        state.sequences.emplace(item, share);
      }
    }
  }
  ~Impl() override {
    if (thread_.joinable()) {
      StopAt(0);
      thread_.join();
    }
  }

  Status Connect() {
    HEADRACE_ASSIGN_OR_RETURN(Poller poller, Poller::Make());
    poller_.emplace(std::move(poller));
    wake_.Reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!wake_) {
      return Unavailable("eventfd: {}", std::strerror(errno));
    }
    HEADRACE_RETURN_IF_ERROR(poller_->Add(wake_.get(), EPOLLIN, *this));
    transport_ = transports_.Make();
    return transport_->Connect(*poller_, *this, open_ ? kFirstConnectionCount : concurrency_);
  }

  void Start(Nanos start) {
    start_ = start;
    thread_ = std::thread([this] { Run(); });
  }

  void StopAt(Nanos deadline) {
    deadline_.store(deadline, std::memory_order_relaxed);
    stopping_.store(true, std::memory_order_release);
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t written = ::write(wake_.get(), &one, sizeof(one));
  }

  void Join() {
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  SenderFigures figures() const { return figures_; }

  // CompletionSink.
  void OnSent(std::uint32_t slot, Nanos when, bool cold) override {
    RequestRecord& record = slots_[slot].record;
    record.sent = when;
    record.cold = cold;
    if (!open_) {
      record.intended = when;
    }
    ++figures_.sent_count;
  }
  void OnResponse(std::uint32_t slot, Nanos when) override {
    RequestRecord& record = slots_[slot].record;
    if (record.response_count++ == 0) {
      record.first_response = when;
    }
  }
  void OnDone(std::uint32_t slot, Nanos when, Outcome outcome, std::uint32_t wire_status) override {
    Slot& ended = slots_[slot];
    RequestRecord& record = ended.record;
    if (record.sent == 0) {
      record.sent = when;
    }
    record.done = when;
    record.outcome = outcome;
    record.wire_status = wire_status;
    if (record.first_response == 0) {
      record.first_response = when;
      record.response_count = outcome == Outcome::kOk || outcome == Outcome::kWrong ? 1 : 0;
    }
    if (ended.sequence != kNoSequence) {
      items_[record.item].sequences->Release(ended.sequence, outcome == Outcome::kOk);
    }
    if (outcome == Outcome::kConnect && !open_) {
      paused_until_ = when + kConnectPause;
    }
    Keep(record);
    free_slots_.push_back(slot);
    --outstanding_;
  }

  // PollHandler: woken by StopAt.
  void OnEvents(std::uint32_t) override {
    std::uint64_t count;
    [[maybe_unused]] const ssize_t size = ::read(wake_.get(), &count, sizeof(count));
  }

 private:
  struct Slot {
    RequestRecord record;
    std::uint32_t sequence = kNoSequence;
  };
  struct ItemState {
    std::uint32_t content_next = 0;
    std::optional<SequencePool> sequences;
    std::deque<Nanos> waiting;  // intended times of requests while all sequences are busy
  };

  void Run() {
    SetThreadName("load-" + std::to_string(options_.sender_index));
    Poller::SharpenTimers();
    if (options_.cpu >= 0) {
      const std::array cpus{options_.cpu};
      if (const Status status = PinThread(cpus); !status.ok()) {
        HEADRACE_LOG_WARNING("load: {}", status.message());
      }
    }
    const Nanos cpu_begin = ThreadCpuTime();
    next_due_ = open_ ? DueTime() : start_;
    next_tick_ = start_ + kTick;
    while (!stopping_.load(std::memory_order_acquire)) {
      const Nanos now = Clock::Real().Now();
      SendWaiting();
      open_ ? SendDue(now) : Refill(now);
      transport_->Flush();
      Tick(now);
      const Nanos awake = open_ ? options_.spin : 0;
      const Nanos until = std::min(WaitUntil() - awake, next_tick_);
      poller_->Poll(until <= now ? 0 : until);
    }
    Drain();
    figures_.cpu_time = ThreadCpuTime() - cpu_begin;
    figures_.waited_for_connection_count = transport_->waited_count();
    // Its connections close on the thread that used them.
    transport_.reset();
  }

  Nanos DueTime() {
    const Nanos offset = schedule_.Next();
    return offset >= kNever - start_ ? kNever : start_ + offset;
  }

  bool Full() const { return outstanding_ >= options_.outstanding_max; }

  Nanos WaitUntil() const {
    if (!open_) {
      return outstanding_ < concurrency_ ? std::max(paused_until_, next_due_) : kNever;
    }
    return Full() ? kNever : next_due_;
  }

  void SendDue(Nanos now) {
    for (int i = 0; i < kBurst && next_due_ <= now; ++i) {
      if (Full()) {
        figures_.outstanding_max_hit_count += guard_counted_ ? 0 : 1;
        guard_counted_ = true;
        return;
      }
      guard_counted_ = false;
      Begin(next_due_);
      next_due_ = DueTime();
    }
  }

  void Refill(Nanos now) {
    if (now < start_ || now < paused_until_) {
      return;
    }
    while (outstanding_ < concurrency_) {
      Begin(now);
    }
  }

  // Its number in the schedule of all senders.
  std::uint64_t NextArrival() {
    return begun_count_++ * static_cast<std::uint64_t>(options_.sender_count) +
           static_cast<std::uint64_t>(options_.sender_index);
  }

  // One more request that was intended for then.
  void Begin(Nanos intended) {
    const std::uint32_t item = draw_.ItemOf(NextArrival());
    ItemState& state = items_[item];
    ++outstanding_;
    if (!state.sequences) {
      const auto content_count = static_cast<std::uint32_t>(workload_.items[item].contents.size());
      const std::uint32_t content = state.content_next % content_count;
      state.content_next = content + static_cast<std::uint32_t>(options_.sender_count);
      Send(intended, {.item = item, .content = content}, kNoSequence);
    } else if (const auto turn = state.waiting.empty() ? state.sequences->Take() : std::nullopt) {
      SendTurn(intended, item, *turn);
    } else {
      state.waiting.push_back(intended);
    }
  }

  void SendWaiting() {
    for (std::uint32_t item = 0; item < items_.size(); ++item) {
      ItemState& state = items_[item];
      while (!state.waiting.empty()) {
        const auto turn = state.sequences->Take();
        if (!turn) {
          break;
        }
        SendTurn(state.waiting.front(), item, *turn);
        state.waiting.pop_front();
      }
    }
  }

  void SendTurn(Nanos intended, std::uint32_t item, const SequencePool::Turn& turn) {
    Outgoing request{.item = item, .content = turn.content};
    request.sequence_id = turn.id;
    request.sequence_start = turn.start;
    request.sequence_end = turn.end;
    Send(intended, request, turn.sequence);
  }

  void Send(Nanos intended, Outgoing request, std::uint32_t sequence) {
    request.slot = TakeSlot();
    request.timeout_at = options_.request_timeout >= kNever - intended
                             ? kNever
                             : intended + options_.request_timeout;
    Slot& slot = slots_[request.slot];
    slot.record = {};
    slot.record.intended = intended;
    slot.record.item = request.item;
    slot.record.sequence_id = request.sequence_id;
    slot.sequence = sequence;
    transport_->Send(request);
  }

  std::uint32_t TakeSlot() {
    if (free_slots_.empty()) {
      slots_.emplace_back();
      return static_cast<std::uint32_t>(slots_.size() - 1);
    }
    const std::uint32_t slot = free_slots_.back();
    free_slots_.pop_back();
    return slot;
  }

  void Keep(const RequestRecord& record) {
    chunk_.push_back(record);
    if (chunk_.size() == kChunkSize) {
      Deliver();
    }
  }
  void Deliver() {
    if (!chunk_.empty()) {
      records_.Take(chunk_);
      chunk_.clear();
    }
  }

  void Tick(Nanos now) {
    if (now >= next_tick_) {
      next_tick_ = now + kTick;
      transport_->Expire(now);
      Deliver();
    }
  }

  // What was due before the stop is still sent, until the deadline.
  void Drain() {
    const Nanos stopped = Clock::Real().Now();
    while (true) {
      const Nanos now = Clock::Real().Now();
      const Nanos deadline = deadline_.load(std::memory_order_relaxed);
      if (now < deadline) {
        open_ ? SendDue(stopped) : DropWaiting();
        SendWaiting();
      }
      transport_->Flush();
      Tick(now);
      const bool unsent = HasUnsent(stopped);
      if (now < deadline && !unsent && EndSequences(now)) {
        continue;
      }
      if (now >= deadline || (outstanding_ == 0 && !unsent)) {
        break;
      }
      // Nothing has to happen first where there is room for what was due.
      const bool sends_more = open_ && next_due_ <= stopped && !Full();
      poller_->Poll(sends_more ? 0 : std::min(deadline, next_tick_));
    }
    KeepUnsent(stopped);
    transport_->Abandon();
    Deliver();
  }

  bool HasUnsent(Nanos stopped) const {
    return (open_ && next_due_ <= stopped) ||
           std::any_of(items_.begin(), items_.end(),
                       [](const ItemState& state) { return !state.waiting.empty(); });
  }

  // In a closed loop nothing is due before it is sent.
  void DropWaiting() {
    for (ItemState& state : items_) {
      outstanding_ -= static_cast<int>(state.waiting.size());
      state.waiting.clear();
    }
  }

  // Requests that were due and could not be sent are failures, not omissions.
  void KeepUnsent(Nanos stopped) {
    const Nanos now = Clock::Real().Now();
    RequestRecord record;
    record.sent = record.first_response = record.done = now;
    record.outcome = Outcome::kTimeout;
    for (; open_ && record.item < items_.size(); ++record.item) {
      for (const Nanos intended : items_[record.item].waiting) {
        record.intended = intended;
        Keep(record);
      }
    }
    DropWaiting();
    for (; open_ && next_due_ <= stopped; next_due_ = DueTime()) {
      record.intended = next_due_;
      record.item = draw_.ItemOf(NextArrival());
      Keep(record);
    }
  }

  // Sequences that were begun are ended, so that the server need not wait for their idle time.
  // True: there is something to flush.
  bool EndSequences(Nanos now) {
    bool sent = false;
    for (std::uint32_t item = 0; item < items_.size(); ++item) {
      if (!items_[item].sequences) {
        continue;
      }
      while (const auto turn = items_[item].sequences->TakeToEnd()) {
        ++outstanding_;
        SendTurn(now, item, *turn);
        sent = true;
      }
    }
    return sent;
  }

  const SenderOptions options_;
  const Workload& workload_;
  TransportFactory& transports_;
  RecordSink& records_;
  const ItemDraw draw_;
  ArrivalSchedule schedule_;
  const bool open_;
  const int concurrency_;  // of a closed loop

  std::optional<Poller> poller_;
  UniqueFd wake_;
  std::unique_ptr<Transport> transport_;
  std::thread thread_;
  std::atomic<bool> stopping_{false};
  std::atomic<Nanos> deadline_{kNever};

  // The thread's own.
  Nanos start_ = 0;
  Nanos next_due_ = 0;
  Nanos next_tick_ = 0;
  Nanos paused_until_ = 0;
  bool guard_counted_ = false;  // the arrival that is due is counted in outstanding_max_hit_count
  int outstanding_ = 0;         // begun and not done; some may wait for a sequence
  std::uint64_t begun_count_ = 0;
  std::vector<ItemState> items_;
  std::vector<Slot> slots_;
  std::vector<std::uint32_t> free_slots_;
  std::vector<RequestRecord> chunk_;
  SenderFigures figures_;
};

Sender::Sender(SenderOptions options, const Workload& workload, TransportFactory& transports,
               RecordSink& records)
    : impl_(std::make_unique<Impl>(std::move(options), workload, transports, records)) {}
Sender::~Sender() = default;

Status Sender::Connect() { return impl_->Connect(); }
void Sender::Start(Nanos start) { impl_->Start(start); }
void Sender::StopAt(Nanos deadline) { impl_->StopAt(deadline); }
void Sender::Join() { impl_->Join(); }
SenderFigures Sender::figures() const { return impl_->figures(); }

}  // namespace headrace::load
