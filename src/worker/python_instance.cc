#include "worker/python_instance.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/wake_batch.h"
#include "engine/model.h"
#include "engine/reshape.h"
#include "engine/sequence_step.h"

namespace headrace::worker {
namespace {

std::uint64_t Aligned(std::uint64_t byte_size) {
  return (byte_size + Arena::kAlignment - 1) / Arena::kAlignment * Arena::kAlignment;
}

// Between two looks for an answer it is some 20 ms. What is much more was a pause of the server,
// and most likely of the worker too, which must not be killed for it.
constexpr Nanos kLookGapMax = 200 * kMillisecond;

bool IsGone(const Status& status) { return status.code() == StatusCode::kUnavailable; }

}  // namespace

PythonInstance::PythonInstance(std::unique_ptr<Keeper> keeper, std::string label,
                               std::vector<std::string> input_names,
                               std::vector<std::string> output_names, ExecutionLimits limits)
    : keeper_(std::move(keeper)),
      label_(std::move(label)),
      input_names_(std::move(input_names)),
      output_names_(std::move(output_names)),
      limits_(limits) {}

void PythonInstance::Execute(engine::Batch batch) {
  RefuseGpuInputs(batch);
  if (batch.requests.empty()) {
    return;
  }
  // What this thread owes to others must not wait for the worker.
  WakeBatch::FlushCurrent();
  auto requests = std::move(batch.requests);
  while (!requests.empty()) {
    const auto session = keeper_->Acquire([&requests] {
      return std::all_of(requests.begin(), requests.end(),
                         [](const auto& request) { return request->Cancelled(); });
    });
    if (!session.ok()) {
      for (const auto& request : requests) {
        Fail(*request, session.status());
      }
      return;
    }
    requests = Run(*session, requests);
  }
}

// What lies in GPU memory cannot be copied from here.
void PythonInstance::RefuseGpuInputs(engine::Batch& batch) const {
  std::erase_if(batch.requests, [this](const auto& request) {
    const bool on_gpu = std::any_of(
        request->inputs.begin(), request->inputs.end(),
        [](const NamedTensor& input) { return input.tensor.memory_kind == MemoryKind::kGpu; });
    if (on_gpu) {
      Fail(*request, Unimplemented("{}: inputs of Python models must be in host memory", label_));
    }
    return on_gpu;
  });
}

PythonInstance::Unsent PythonInstance::Run(const std::shared_ptr<Session>& session,
                                           Requests requests) {
  stamps_ = {};
  stamps_.start = clock_.Now();
  opened_.clear();
  const engine::ModelHandle model = requests.front()->model();  // for what outlives its requests
  session->open.OpenBatch(requests, opened_);
  for (std::size_t i = opened_.size(); i < requests.size(); ++i) {
    Fail(*requests[i],
         Unavailable("{}: {} requests of its worker are not answered yet, more are not allowed",
                     label_, OpenRequests::kCountMax));
  }
  if (opened_.empty()) {
    return {};
  }
  Status status = Encode(*session);
  if (status.ok()) {
    status = session->Ask(MessageType::kExecute, body_);
    if (!status.ok()) {
      session->region->Free(block_offset_);
    }
  }
  if (!status.ok() && IsGone(status)) {
    // The worker never got them: the next one may.
    (void)keeper_->WaitEnd(session);
    return session->open.TakeBatch(opened_);
  }
  if (!status.ok()) {
    // Too much for the data region: the requests may fit one by one.
    auto taken = session->open.TakeBatch(opened_);
    if (taken.size() == 1) {
      Fail(*taken.front(), std::move(status));
      return {};
    }
    Unsent unsent;
    for (auto& request : taken) {
      for (auto& left : Run(session, Requests(&request, 1))) {
        unsent.push_back(std::move(left));
      }
    }
    return unsent;
  }
  stamps_.sent = clock_.Now();
  const Result<std::size_t> packet_size = WaitForAnswer(*session);
  if (IsGone(packet_size.status()) && session->call.left_unread()) {
    (void)keeper_->WaitEnd(session);  // as above: it died before it looked
    return session->open.TakeBatch(opened_);
  }
  status = packet_size.ok() ? ReadAnswer(*session, *packet_size) : packet_size.status();
  GiveAnswers(model->statistics());
  if (status.ok()) {
    session->open.SettleBatch(opened_);
    if (session->ended()) {
      // The keeper may have looked for late requests before these were.
      Lose(session, Unavailable("the worker ended"));
    }
  } else {
    Lose(session, std::move(status));
  }
  return {};
}

Status PythonInstance::Encode(Session& session) {
  block_size_ = batch_size_ = 0;
  for (const OpenRequests::Opened& opened : opened_) {
    batch_size_ += static_cast<std::uint64_t>(opened.request->batch_size);
    for (const NamedTensor& input : opened.request->inputs) {
      block_size_ += Aligned(input.tensor.byte_size());
    }
  }
  HEADRACE_ASSIGN_OR_RETURN(block_offset_, session.region->Allocate(block_size_));
  body_.clear();
  AppendExecute(body_, static_cast<std::uint32_t>(opened_.size()), block_offset_, block_size_);
  std::uint64_t offset = block_offset_;
  for (const OpenRequests::Opened& opened : opened_) {
    AppendInputs(session, opened, offset);
  }
  return OkStatus();
}

void PythonInstance::AppendInputs(const Session& session, const OpenRequests::Opened& opened,
                                  std::uint64_t& offset) {
  const engine::InferRequest& request = *opened.request;
  const engine::ModelSignature& signature = request.model()->signature();
  tensors_.clear();
  for (const NamedTensor& input : request.inputs) {
    WireTensor& tensor = tensors_.emplace_back();
    tensor.offset = offset;
    tensor.byte_size = input.tensor.byte_size();
    tensor.dtype = input.tensor.dtype;
    tensor.shape = input.tensor.shape;
    tensor.name = input.name;
    const auto index = static_cast<std::size_t>(
        std::find(input_names_.begin(), input_names_.end(), input.name) - input_names_.begin());
    if (index < input_names_.size() && index < kNameFollows) {
      tensor.name_index = static_cast<std::uint16_t>(index);
    }
    if (const engine::TensorSpec* const spec = signature.FindInput(input.name);
        spec != nullptr && spec->reshape) {
      const std::size_t batch_rank = signature.batch_size_max > 0 ? 1 : 0;
      if (const auto inside =
              engine::Reshape(tensor.shape, spec->dims, *spec->reshape, batch_rank)) {
        tensor.shape = *inside;
      }
    }
    std::uint64_t at = offset;
    for (std::size_t i = 0; i < input.tensor.fragment_count(); ++i) {
      if (const Buffer& fragment = input.tensor.fragment(i); !fragment.empty()) {
        std::memcpy(session.region->At(at), fragment.data(), fragment.size());
        at += fragment.size();
      }
    }
    offset += Aligned(tensor.byte_size);
  }
  extras_.clear();
  AppendRequestExtras(request, output_names_, extras_);
  AppendRequest(body_, {.key = opened.key,
                        .correlation_id = request.correlation_id,
                        .timeout_us = request.timeout_us,
                        .sequence_flags = request.sequence_flags,
                        .cancel_slot = opened.cancel_slot,
                        .tensors = tensors_,
                        .extras = extras_});
}

Result<std::size_t> PythonInstance::WaitForAnswer(Session& session) {
  Nanos looked = stamps_.sent;
  Nanos waited = 0;
  for (;;) {
    HEADRACE_ASSIGN_OR_RETURN(const std::optional<std::size_t> size, session.call.Receive(packet_));
    if (size) {
      return *size;
    }
    if (session.ended()) {
      return Unavailable("the worker ended");
    }
    const Nanos now = clock_.Now();
    waited += std::min(now - looked, kLookGapMax);
    looked = now;
    if (limits_.response_timeout > 0 && waited > limits_.response_timeout) {
      return Status(StatusCode::kDeadlineExceeded,
                    fmt::format("{}: the worker did not answer within {} s "
                                "(response-timeout-seconds) and is replaced",
                                label_, limits_.response_timeout / kSecond));
    }
    session.open.ShowCancelled();
  }
}

Status PythonInstance::ReadAnswer(Session& session, std::size_t packet_size) {
  const auto packet = packet_.first(packet_size);
  HEADRACE_ASSIGN_OR_RETURN(const Head head, DecodeHead(packet));
  if (head.type != MessageType::kExecuted) {
    return InvalidArgument("a packet of type {} out of turn", static_cast<int>(head.type));
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::span<const std::byte> body,
                            BodyOf(head, packet, *session.region, storage_));
  HEADRACE_ASSIGN_OR_RETURN(
      const std::span<const WireResponse> responses,
      decoder_.Responses(
          body,
          {.worker_half = {.begin = session.region->middle(), .end = session.region->byte_size()},
           .block = {.begin = block_offset_, .end = block_offset_ + block_size_},
           .names = output_names_,
           .count_max = static_cast<std::uint32_t>(opened_.size())}));
  stamps_.answered = clock_.Now();
  for (const WireResponse& response : responses) {
    HEADRACE_ASSIGN_OR_RETURN(ResponseExtras extras, json_.Response(response.extras));
    Answered& answered = answered_.emplace_back();
    answered.request = session.open.TakeExecuting(response.key);
    answered.rescheduled = response.rescheduled;
    answered.ends_sequence = response.ends_sequence;
    if (answered.request == nullptr) {
      answered_.pop_back();
      if (std::any_of(opened_.begin(), opened_.end(),
                      [&](const auto& opened) { return opened.key == response.key; })) {
        continue;  // its stream has ended it
      }
      return InvalidArgument("an answer to {}, which is not executing", response.key);
    }
    if (!answered.rescheduled) {
      answered.answer =
          PrepareAnswer(response, std::move(extras), *answered.request, *session.region);
      answered.answer.ends = true;  // EXECUTED has the last word
    }
  }
  if ((head.flags & kFlagBlockFree) != 0 && !session.region->Free(block_offset_)) {
    return InvalidArgument("the block of an execution is released twice");
  }
  session.Answered();
  return OkStatus();
}

// Statistics first: whoever has an answer finds it counted.
void PythonInstance::GiveAnswers(engine::ModelStatistics& statistics) {
  const engine::ExecutionTimes times{.exec_start = stamps_.start,
                                     .compute_start = stamps_.sent,
                                     .compute_end = stamps_.answered,
                                     .exec_end = clock_.Now()};
  for (const Answered& answered : answered_) {
    ReportExecution(*answered.request, answered.answer.ok(), times);
  }
  if (stamps_.answered != 0) {
    statistics.RecordBatchExecution(batch_size_, times);
  }
  for (Answered& answered : answered_) {
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

void PythonInstance::Lose(const std::shared_ptr<Session>& session, Status why) {
  if (!IsGone(why)) {
    if (why.code() == StatusCode::kInvalidArgument) {
      why = Internal("{}: the worker broke the protocol: {}", label_, why.message());
    }
    keeper_->MustDie(session, std::move(why));
  }
  const Status end = keeper_->WaitEnd(session);
  for (const auto& request : session->open.TakeBatch(opened_)) {
    Fail(*request, end);
  }
}

}  // namespace headrace::worker
