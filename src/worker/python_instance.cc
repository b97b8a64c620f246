#include "worker/python_instance.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/wake_batch.h"
#include "engine/model.h"
#include "engine/sequence_step.h"

namespace headrace::worker {
namespace {

// Between two looks for an answer it is some 20 ms. What is much more was a pause of the server,
// and most likely of the worker too, which must not be killed for it.
constexpr Nanos kLookGapMax = 200 * kMillisecond;
// A batch takes no more of either half than this, or goes alone: the outputs of two have to fit.
constexpr std::uint64_t kSmallPart = 16;

bool IsGone(const Status& status) { return status.code() == StatusCode::kUnavailable; }

class NoMore final : public engine::BatchSource {
 public:
  std::optional<engine::Batch> TryNext() override { return std::nullopt; }
};

}  // namespace

PythonInstance::PythonInstance(std::unique_ptr<Keeper> keeper, std::string label,
                               std::vector<std::string> input_names,
                               std::vector<std::string> output_names, ExecutionOptions options)
    : keeper_(std::move(keeper)),
      label_(std::move(label)),
      response_timeout_(options.response_timeout),
      second_batch_(options.second_batch),
      codec_(std::move(input_names), std::move(output_names)) {}

void PythonInstance::Execute(engine::Batch batch) {
  NoMore none;
  ExecuteRow(std::move(batch), none);
}

void PythonInstance::ExecuteRow(engine::Batch first, engine::BatchSource& more) {
  if (!flights_.empty()) {
    answered_.clear();
    Lose(Internal("{}: an execution was given up", label_), /*has_begun=*/true);  // it threw
  }
  Accept(std::move(first));
  while (!waiting_.empty() || !flights_.empty()) {
    HandOver();
    if (waiting_.empty() && !flights_.empty() && flights_.size() < FlightCountMax()) {
      if (std::optional<engine::Batch> next = more.TryNext()) {
        Accept(*std::move(next));
        continue;
      }
    }
    if (!flights_.empty()) {
      Complete();
    }
  }
  session_.reset();
}

void PythonInstance::Accept(engine::Batch batch) {
  RefuseGpuInputs(batch.requests);
  if (!batch.requests.empty()) {
    waiting_.push_back(std::move(batch.requests));
  }
}

// What lies in GPU memory cannot be copied from here.
void PythonInstance::RefuseGpuInputs(Requests& requests) const {
  std::erase_if(requests, [this](const auto& request) {
    const bool on_gpu = std::any_of(
        request->inputs.begin(), request->inputs.end(),
        [](const NamedTensor& input) { return input.tensor.memory_kind == MemoryKind::kGpu; });
    if (on_gpu) {
      Fail(*request, Unimplemented("{}: inputs of Python models must be in host memory", label_));
    }
    return on_gpu;
  });
}

void PythonInstance::HandOver() {
  while (!waiting_.empty() && flights_.size() < FlightCountMax()) {
    if (flights_.empty()) {
      // What this thread owes to others must not wait for the worker.
      WakeBatch::FlushCurrent();
      if (std::exchange(is_gone_, false)) {
        (void)keeper_->WaitEnd(session_);
      }
      const Requests& requests = waiting_.front();
      auto session = keeper_->Acquire([&requests] {
        return std::all_of(requests.begin(), requests.end(),
                           [](const auto& request) { return request->Cancelled(); });
      });
      if (!session.ok()) {
        for (const auto& request : requests) {
          Fail(*request, session.status());
        }
        waiting_.pop_front();
        continue;
      }
      session_ = *std::move(session);
    }
    if (is_gone_ || (!SendFirst() && !flights_.empty())) {
      return;
    }
  }
}

bool PythonInstance::SendFirst() {
  Requests& requests = waiting_.front();
  OpenRequests& open = session_->open;
  if (!flights_.empty() && open.count() + requests.size() > OpenRequests::kCountMax) {
    return false;
  }
  Flight& flight = flights_.emplace_back();
  flight.start = clock_.Now();
  flight.model = requests.front()->model();
  open.OpenBatch(requests, flight.opened);
  for (std::size_t i = flight.opened.size(); i < requests.size(); ++i) {
    Fail(*requests[i],
         Unavailable("{}: {} requests of its worker are not answered yet, more are not allowed",
                     label_, OpenRequests::kCountMax));
  }
  if (flight.opened.empty()) {
    flights_.pop_back();
    waiting_.pop_front();
    return true;
  }
  const Result<std::string_view> body = codec_.Encode(*session_, flight);
  Status status = body.status();
  if (status.ok()) {
    status = session_->Ask(MessageType::kExecute, *body, flights_.size() == 1 ? kFlagAllRead : 0);
    if (!status.ok()) {
      session_->region->Free(flight.block_offset);
    }
  }
  if (status.ok()) {
    flight.number = ++session_->execute_count;
    flight.sent = clock_.Now();
    waiting_.pop_front();
    return true;
  }
  Requests taken = open.TakeBatch(flight.opened);
  flights_.pop_back();
  if (IsGone(status)) {
    // The worker never got them: the next one may.
    is_gone_ = true;
  } else if (flights_.empty() && taken.size() == 1) {
    Fail(*taken.front(), std::move(status));
    waiting_.pop_front();
    return true;
  } else if (flights_.empty()) {
    // Too much for the data region: the requests may fit one by one.
    waiting_.pop_front();
    for (auto request = taken.rbegin(); request != taken.rend(); ++request) {
      waiting_.emplace_front().push_back(std::move(*request));
    }
    second_batch_.Record(0, /*small=*/false);
    return true;
  }
  requests = std::move(taken);
  return false;
}

void PythonInstance::Complete() {
  WakeBatch::FlushCurrent();
  Flight& flight = flights_.front();
  const Result<std::size_t> packet_size = WaitForAnswer(flight);
  if (IsGone(packet_size.status())) {
    // Died before it looked, as the kernel says and, of two packets, the worker.
    const bool has_begun = !session_->call.left_unread() ||
                           (flights_.size() > 1 && session_->region->BegunCount() >= flight.number);
    Lose(packet_size.status(), has_begun);
    return;
  }
  Status status = packet_size.ok()
                      ? codec_.Decode(*session_, flight, packet_.first(*packet_size), answered_)
                      : packet_size.status();
  GiveAnswers(flight);
  if (!status.ok()) {
    Lose(std::move(status), /*has_begun=*/true);
    return;
  }
  session_->open.SettleBatch(flight.opened);
  if (session_->ended()) {
    // The keeper may have looked for late requests before these were.
    FailRest(flight, keeper_->WaitEnd(session_));
  }
  const DataRegion& region = *session_->region;
  second_batch_.Record(
      flight.answered - flight.start,
      std::max(flight.block_size, flight.output_byte_size) < region.middle() / kSmallPart);
  const Nanos answered = flight.answered;
  flights_.pop_front();
  if (!flights_.empty()) {
    flights_.front().start = flights_.front().sent = answered;
  }
}

Result<std::size_t> PythonInstance::WaitForAnswer(const Flight& flight) {
  Nanos looked = flight.sent;
  Nanos waited = 0;
  for (;;) {
    HEADRACE_ASSIGN_OR_RETURN(const std::optional<std::size_t> size,
                              session_->call.Receive(packet_));
    if (size) {
      return *size;
    }
    if (session_->ended()) {
      return Unavailable("the worker ended");
    }
    const Nanos now = clock_.Now();
    waited += std::min(now - looked, kLookGapMax);
    looked = now;
    if (response_timeout_ > 0 && waited > response_timeout_) {
      return Status(StatusCode::kDeadlineExceeded,
                    fmt::format("{}: the worker did not answer within {} s "
                                "(response-timeout-seconds) and is replaced",
                                label_, response_timeout_ / kSecond));
    }
    session_->open.ShowCancelled();
  }
}

// Statistics first: whoever has an answer finds it counted.
void PythonInstance::GiveAnswers(const Flight& flight) {
  const engine::ExecutionTimes times{.exec_start = flight.start,
                                     .compute_start = flight.sent,
                                     .compute_end = flight.answered,
                                     .exec_end = clock_.Now()};
  for (const FlightCodec::Answered& answered : answered_) {
    ReportExecution(*answered.request, answered.answer.ok(), times);
  }
  if (flight.answered != 0) {
    flight.model->statistics().RecordBatchExecution(flight.batch_size, times);
  }
  for (FlightCodec::Answered& answered : answered_) {
    engine::SequenceStep* const step = answered.request->step.get();
    if (answered.ends_sequence && step != nullptr) {
      step->EndSequence();
    }
    if (!answered.rescheduled) {
      answered.answer.response.final = true;
      Give(std::move(answered.answer), *answered.request);
    } else if (step != nullptr && step->MayReschedule()) {
      step->Reschedule(std::move(answered.request));
    } else {
      Fail(*answered.request,
           InvalidArgument("a request is rescheduled only for a model whose sequence_batching says "
                           "iterative_sequence: true"));
    }
  }
  answered_.clear();
}

void PythonInstance::Lose(Status why, bool has_begun) {
  if (!IsGone(why)) {
    if (why.code() == StatusCode::kInvalidArgument) {
      why = Internal("{}: the worker broke the protocol: {}", label_, why.message());
    }
    keeper_->MustDie(session_, std::move(why));
  }
  const Status end = keeper_->WaitEnd(session_);
  if (has_begun) {
    FailRest(flights_.front(), end);
    flights_.pop_front();
  }
  for (; !flights_.empty(); flights_.pop_back()) {
    if (Requests rest = session_->open.TakeBatch(flights_.back().opened); !rest.empty()) {
      waiting_.push_front(std::move(rest));
    }
  }
  is_gone_ = false;
  second_batch_.WorkerDied();
}

void PythonInstance::FailRest(const Flight& flight, const Status& why) {
  for (const auto& request : session_->open.TakeBatch(flight.opened)) {
    Fail(*request, why);
  }
}

}  // namespace headrace::worker
