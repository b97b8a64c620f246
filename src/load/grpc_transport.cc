#include "load/grpc_transport.h"

#include <algorithm>
#include <deque>
#include <utility>
#include <vector>

#include "base/check.h"
#include "load/first_failure.h"
#include "load/grpc_plan.h"
#include "load/grpc_request.h"
#include "load/grpc_stream.h"
#include "load/h2_connection.h"

namespace headrace::load {
namespace {

constexpr std::size_t kReadByteSize = std::size_t{256} << 10;
constexpr Nanos kRetryPause = 100 * kMillisecond;  // after a connection that could not be made

class GrpcTransport final : public Transport, public GrpcRequestOwner, public H2Connection::Owner {
 public:
  GrpcTransport(std::shared_ptr<const GrpcPlan> plan, FirstFailure& first_failure)
      : plan_(std::move(plan)), first_failure_(first_failure), read_buffer_(kReadByteSize) {}
  ~GrpcTransport() override {
    closing_ = true;
    // Requests of the connections hear of their end, and tell nobody.
    lanes_.clear();
    retired_.clear();
  }

  Status Connect(Poller& poller, CompletionSink& sink, int /*connections*/) override {
    poller_ = &poller;
    sink_ = &sink;
    const int count = std::max(plan_->target.grpc_connections, 1);
    connecting_ = true;
    for (int i = 0; i < count; ++i) {
      Begin(lanes_.emplace_back(NewLane()));
    }
    const Nanos until = Clock::Real().Now() + plan_->target.connect_timeout;
    while (failure_.ok() && !std::all_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) {
             return lane.connection->open();
           })) {
      if (Clock::Real().Now() >= until) {
        failure_ = NoAnswer();
        break;
      }
      FlushConnections();
      poller.Poll(until);
    }
    connecting_ = false;
    return failure_;
  }

  void Send(const Outgoing& outgoing) override {
    GrpcRequest& request = TakeFree();
    request.Begin(outgoing);
    request.state = GrpcRequest::State::kWaiting;
    next_timeout_ = std::min(next_timeout_, outgoing.timeout_at);
    if (waiting_.empty() && TryBegin(request)) {
      return;
    }
    waiting_.push_back(&request);
    ++waited_count_;
  }

  void Flush() override {
    Mend();
    Pump();
    FlushConnections();
  }

  void Expire(Nanos now) override {
    for (Lane& lane : lanes_) {
      H2Connection& connection = *lane.connection;
      if (!connection.idle() && !connection.open() &&
          now - connection.begun_at() >= plan_->target.connect_timeout) {
        connection.Fail(NoAnswer());
      }
    }
    if (now >= next_timeout_) {
      next_timeout_ = kNever;
      EndThose([now](const Outgoing& outgoing) { return outgoing.timeout_at <= now; }, now);
    }
  }

  void Abandon() override {
    EndThose([](const Outgoing&) { return true; }, Clock::Real().Now());
    FlushConnections();
  }

  std::uint64_t waited_count() const override { return waited_count_; }

 private:
  struct Lane {
    std::unique_ptr<GrpcStream> stream;  // null: unary. In front: outlives the connection
    std::unique_ptr<H2Connection> connection;
    Nanos retry_at = 0;
  };

  Lane NewLane() {
    Lane lane;
    lane.connection = std::make_unique<H2Connection>(*poller_, *this, plan_->endpoint);
    if (plan_->target.streaming) {
      lane.stream = std::make_unique<GrpcStream>(*this, *lane.connection);
    }
    return lane;
  }
  static void Begin(Lane& lane) { lane.connection->Begin(); }
  Status NoAnswer() const {
    return Unavailable("{} did not answer within {} ms", plan_->endpoint.name,
                       plan_->target.connect_timeout / kMillisecond);
  }

  // Replaces connections that take nothing any more, and begins those that are down.
  void Mend() {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      Lane& lane = lanes_[i];
      if (lane.connection->open() && lane.connection->draining()) {
        if (lane.stream != nullptr) {
          lane.stream->Finish();
        }
        retired_.push_back(std::exchange(lane, NewLane()));
      }
      if (lane.connection->idle()) {
        const Nanos now = lane.retry_at == 0 ? 0 : Clock::Real().Now();
        if (now >= lane.retry_at) {
          Begin(lane);
        }
      }
    }
    std::erase_if(retired_, [this](const Lane& lane) {
      if (!lane.connection->idle()) {
        return false;
      }
      std::erase(wanting_, lane.connection.get());
      return true;
    });
  }

  void Pump() {
    while (!waiting_.empty() && TryBegin(*waiting_.front())) {
      waiting_.pop_front();
    }
  }

  bool TryBegin(GrpcRequest& request) {
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
      Lane& lane = lanes_[next_lane_];
      next_lane_ = next_lane_ + 1 == lanes_.size() ? 0 : next_lane_ + 1;
      if (lane.stream != nullptr ? lane.stream->CanTake() && lane.stream->Take(request)
                                 : lane.connection->CanSubmit() &&
                                       request.Submit(*lane.connection, plan_->fields.view())) {
        request.state = GrpcRequest::State::kOut;
        return true;
      }
    }
    return false;
  }

  // Ends with kTimeout those whose `matches` is true.
  template <typename Matches>
  void EndThose(Matches matches, Nanos now) {
    const GrpcEnding timeout =
        EndingOfCode(static_cast<std::uint32_t>(StatusCode::kDeadlineExceeded));
    std::erase_if(waiting_, [&](GrpcRequest* request) {
      if (!matches(request->outgoing())) {
        return false;
      }
      OnEnding(*request, now, timeout);
      OnFree(*request);
      return true;
    });
    for (const auto& request : requests_) {
      if (request->state == GrpcRequest::State::kOut && matches(request->outgoing())) {
        OnEnding(*request, now, timeout);
        if (request->stream != nullptr) {
          request->stream->GiveUp(*request);
        } else {
          request->connection->Cancel(*request);
        }
      } else if (request->state == GrpcRequest::State::kOut ||
                 request->state == GrpcRequest::State::kWaiting) {
        next_timeout_ = std::min(next_timeout_, request->outgoing().timeout_at);
      }
    }
  }

  GrpcRequest& TakeFree() {
    if (free_.empty()) {
      requests_.push_back(
          std::make_unique<GrpcRequest>(*this, static_cast<std::uint32_t>(requests_.size())));
      return *requests_.back();
    }
    GrpcRequest& request = *free_.back();
    free_.pop_back();
    return request;
  }

  void FlushConnections() {
    // Others may come to want it while these are flushed.
    for (std::size_t i = 0; i < wanting_.size(); ++i) {
      wanting_[i]->Flush();
    }
    wanting_.clear();
  }

  // GrpcRequestOwner.
  const GrpcPlan& plan() const override { return *plan_; }
  FirstFailure& first_failure() override { return first_failure_; }
  void OnResponse(GrpcRequest& request, Nanos when) override {
    sink_->OnResponse(request.outgoing().slot, when);
  }
  void OnEnding(GrpcRequest& request, Nanos when, GrpcEnding ending) override {
    request.state = GrpcRequest::State::kEnded;
    if (!closing_) {
      sink_->OnDone(request.outgoing().slot, when, ending.outcome, ending.code);
    }
  }
  void OnFree(GrpcRequest& request) override {
    request.state = GrpcRequest::State::kFree;
    request.stream = nullptr;
    request.connection = nullptr;
    free_.push_back(&request);
  }
  void OnRefused(GrpcRequest& request) override {
    request.Rewind();
    request.resent = true;
    request.state = GrpcRequest::State::kWaiting;
    request.connection = nullptr;
    waiting_.push_front(&request);
  }
  GrpcRequest* Find(std::uint64_t id, const GrpcStream& stream) override {
    GrpcRequest* const request = FindRequest(id);
    return request != nullptr && request->state == GrpcRequest::State::kOut &&
                   request->stream == &stream
               ? request
               : nullptr;
  }
  GrpcRequest* FindRequest(std::uint64_t id) {
    const std::uint32_t index = GrpcRequest::IndexOf(id);
    return index < requests_.size() && requests_[index]->id() == id ? requests_[index].get()
                                                                    : nullptr;
  }

  // H2Connection::Owner.
  void OnOpen(H2Connection& /*connection*/) override {}
  void OnWritten(std::uint64_t mark, Nanos when) override {
    GrpcRequest* const request = FindRequest(mark);
    if (request != nullptr && request->state == GrpcRequest::State::kOut &&
        !std::exchange(request->sent, true)) {
      sink_->OnSent(request->outgoing().slot, when, request->cold);
    }
  }
  void OnDown(H2Connection& connection, const Status& why, bool was_open) override {
    if (connecting_) {
      failure_ = why;
      return;
    }
    for (Lane& lane : lanes_) {
      if (lane.connection.get() == &connection) {
        lane.retry_at = was_open ? 0 : Clock::Real().Now() + kRetryPause;
      }
    }
    const bool hope = was_open || std::any_of(lanes_.begin(), lanes_.end(), [](const Lane& lane) {
                        return !lane.connection->idle();
                      });
    if (!hope) {
      if (!waiting_.empty()) {
        first_failure_.Note(fmt::format("no connection: {}", why.message()));
      }
      const Nanos now = Clock::Real().Now();
      for (GrpcRequest* const request : std::exchange(waiting_, {})) {
        OnEnding(*request, now,
                 {Outcome::kConnect, static_cast<std::uint32_t>(StatusCode::kUnavailable)});
        OnFree(*request);
      }
    }
  }
  void OnWantsFlush(H2Connection& connection) override { wanting_.push_back(&connection); }
  std::span<char> read_buffer() override { return read_buffer_; }

  const std::shared_ptr<const GrpcPlan> plan_;
  FirstFailure& first_failure_;
  Poller* poller_ = nullptr;
  CompletionSink* sink_ = nullptr;
  std::vector<char> read_buffer_;
  std::vector<std::unique_ptr<GrpcRequest>> requests_;  // by index
  std::vector<GrpcRequest*> free_;
  std::deque<GrpcRequest*> waiting_;
  std::uint64_t waited_count_ = 0;
  Nanos next_timeout_ = kNever;  // none is due before
  std::vector<H2Connection*> wanting_;
  bool connecting_ = false;
  bool closing_ = false;
  Status failure_;  // of Connect
  // Behind what their ends use.
  std::vector<Lane> lanes_;
  std::vector<Lane> retired_;  // drain
  std::size_t next_lane_ = 0;
};

class GrpcTransportFactory final : public TransportFactory {
 public:
  explicit GrpcTransportFactory(std::shared_ptr<const GrpcPlan> plan) : plan_(std::move(plan)) {}
  std::unique_ptr<Transport> Make() override {
    return std::make_unique<GrpcTransport>(plan_, first_failure_);
  }
  std::string FirstFailureText() const override { return first_failure_.text(); }

 private:
  const std::shared_ptr<const GrpcPlan> plan_;
  FirstFailure first_failure_;
};

}  // namespace

Result<std::unique_ptr<TransportFactory>> MakeGrpcTransportFactory(const TargetSpec& target,
                                                                   const Workload& workload) {
  HEADRACE_ASSIGN_OR_RETURN(std::unique_ptr<SharedMemory> memory,
                            MakeSharedMemory(target, workload));
  HEADRACE_ASSIGN_OR_RETURN(std::unique_ptr<const GrpcPlan> plan,
                            GrpcPlan::Make(target, workload, std::move(memory)));
  return std::unique_ptr<TransportFactory>(std::make_unique<GrpcTransportFactory>(std::move(plan)));
}

}  // namespace headrace::load
