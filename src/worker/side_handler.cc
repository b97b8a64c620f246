#include "worker/side_handler.h"

#include <cstring>
#include <utility>
#include <vector>

#include "base/checked_math.h"
#include "base/log.h"
#include "base/wake_batch.h"
#include "engine/model.h"
#include "engine/sequence_step.h"
#include "worker/delivery.h"

namespace headrace::worker {
namespace {

// Of one field of a worker's log entry (reliability D21).
constexpr std::size_t kLogTextByteSizeMax = 16 * 1024;
constexpr std::uint32_t kLogEntriesPerSecondMax = 1000;
// Of the files of one load.
constexpr std::size_t kFilesByteSizeMax = std::size_t{1} << 30;

DecodeRules RulesOf(const Session& session, const SideOptions& options) {
  return {.worker_half = {.begin = session.region->middle(), .end = session.region->byte_size()},
          .names = options.output_names};
}

}  // namespace

SideHandler::SideHandler(std::shared_ptr<Session> session, const SideOptions& options)
    : session_(std::move(session)),
      options_(options),
      rules_(RulesOf(*session_, options_)),
      calls_(std::make_shared<Calls>(session_)),
      metrics_(options_.services == nullptr ? nullptr : options_.services->NewMetrics()) {}

SideHandler::~SideHandler() { calls_->CancelAll(); }

Status SideHandler::Handle(std::span<const std::byte> packet) {
  HEADRACE_ASSIGN_OR_RETURN(const Head head, DecodeHead(packet));
  HEADRACE_ASSIGN_OR_RETURN(const std::span<const std::byte> body,
                            BodyOf(head, packet, *session_->region, storage_));
  if ((head.flags & kFlagBodyInRegion) != 0) {
    GiveBack(std::span(&head.body_offset, 1));
  }
  switch (head.type) {
    case MessageType::kResponse:
      return Respond(body);
    case MessageType::kRelease:
      return Release(body);
    case MessageType::kDropped:
      return Drop(body);
    case MessageType::kLog:
      return Log(body);
    case MessageType::kMetric:
      return Measure(body);
    case MessageType::kControl:
      return Control(body);
    case MessageType::kCall: {
      HEADRACE_ASSIGN_OR_RETURN(const WireRequest call, decoder_.Request(body, rules_));
      HEADRACE_ASSIGN_OR_RETURN(CallExtras extras, json_.Call(call.extras));
      if (options_.services == nullptr) {
        return InvalidArgument("a call of another model, which this worker may not make");
      }
      Status status = calls_->Begin(call, std::move(extras), *options_.services);
      GiveBack(call.tensors);
      return status;
    }
    case MessageType::kCallCancel: {
      std::uint64_t key = 0;
      if (body.size() != sizeof(key)) {
        return InvalidArgument("a cancellation of {} bytes", body.size());
      }
      std::memcpy(&key, body.data(), sizeof(key));
      calls_->Cancel(key);
      return OkStatus();
    }
    case MessageType::kReadiness: {
      HEADRACE_ASSIGN_OR_RETURN(const ReadinessMessage answer, json_.Readiness(TextOf(body)));
      if (options_.on_readiness) {
        options_.on_readiness(answer);
      }
      return OkStatus();
    }
    default:
      return InvalidArgument("a message of type {} on the side channel",
                             static_cast<int>(head.type));
  }
}

Status SideHandler::Respond(std::span<const std::byte> body) {
  HEADRACE_ASSIGN_OR_RETURN(const std::span<const WireResponse> responses,
                            decoder_.Responses(body, rules_));
  for (const WireResponse& response : responses) {
    HEADRACE_ASSIGN_OR_RETURN(ResponseExtras extras, json_.Response(response.extras));
    if (response.rescheduled) {
      return InvalidArgument("a request is rescheduled by the end of its execution only");
    }
    const std::optional<OpenRequests::Used> used = session_->open.Use(response.key);
    if (!used) {
      if (!session_->open.WasOpened(response.key)) {
        return InvalidArgument("a response to {}, which nobody asked", response.key);
      }
      // The request has ended: its execution failed, say. The response is late.
      GiveBack(response.tensors);
      continue;
    }
    engine::InferRequest& request = *used->request;
    const bool decoupled = options_.streams || request.model()->options().decoupled;
    Answer answer;
    if (used->answered && !decoupled) {
      // An ordinary model may mark the end apart from its one response.
      answer.ends = answer.is_nothing = true;
      if (!response.final || !response.tensors.empty()) {
        answer.error = Internal("the model gave two responses where one is expected");
      }
    } else {
      answer = PrepareAnswer(response, std::move(extras), request, *session_->region);
    }
    GiveBack(response.tensors);
    const bool ends = answer.ends;
    if (ends) {
      // The execution of a late request lasts until its last response.
      const Nanos begin = request.times.executing, now = Clock::Real().Now();
      ReportExecution(
          request, answer.ok(),
          {.exec_start = begin, .compute_start = begin, .compute_end = now, .exec_end = now});
    }
    if (response.ends_sequence && request.step != nullptr) {
      request.step->EndSequence();
    }
    Give(std::move(answer), request);
    if (ends) {
      (void)session_->open.Remove(response.key);
    } else {
      session_->open.Keep(response.key);
    }
  }
  return OkStatus();
}

Status SideHandler::Release(std::span<const std::byte> body) {
  HEADRACE_ASSIGN_OR_RETURN(const std::span<const std::uint64_t> offsets, decoder_.Numbers(body));
  for (const std::uint64_t offset : offsets) {
    if (!session_->region->Free(offset)) {
      return InvalidArgument("a release of {}, where the server has no block", offset);
    }
  }
  return OkStatus();
}

Status SideHandler::Drop(std::span<const std::byte> body) {
  HEADRACE_ASSIGN_OR_RETURN(const std::span<const std::uint64_t> keys, decoder_.Numbers(body));
  for (const std::uint64_t key : keys) {
    if (!session_->open.WasOpened(key)) {
      return InvalidArgument("request {}, which was never given out, is dropped", key);
    }
    if (session_->open.Use(key)) {
      const auto request = session_->open.Remove(key);
      Fail(*request, Internal("the model let go of the request without a final response"));
    }
  }
  return OkStatus();
}

bool SideHandler::MayLog() {
  const Nanos now = Clock::Real().Now();
  if (now - log_since_ >= kSecond) {
    if (log_count_ > kLogEntriesPerSecondMax) {
      HEADRACE_LOG_WARNING("{}: {} of its log entries were left out", options_.label,
                           log_count_ - kLogEntriesPerSecondMax);
    }
    log_since_ = now;
    log_count_ = 0;
  }
  return ++log_count_ <= kLogEntriesPerSecondMax;
}

Status SideHandler::Log(std::span<const std::byte> body) {
  HEADRACE_ASSIGN_OR_RETURN(LogFromWorker entry, json_.Log(TextOf(body)));
  if (LogEnabled(entry.level) && MayLog()) {
    LogMessage(entry.level, EscapeForLog(entry.file).c_str(), static_cast<int>(entry.line),
               fmt::format("{}: {}", options_.label,
                           std::string_view(entry.message).substr(0, kLogTextByteSizeMax)));
  }
  return OkStatus();
}

// Of a handler: lines, in `description`.
Status SideHandler::TakeMetricLines(std::string_view lines) {
  MetricLineSink* const sink =
      options_.services == nullptr ? nullptr : options_.services->metric_lines();
  if (sink == nullptr) {
    return Unimplemented("nobody takes metrics as lines");
  }
  while (!lines.empty()) {
    const std::size_t end = std::min(lines.find('\n'), lines.size());
    sink->OnMetricLine(lines.substr(0, end));
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return OkStatus();
}

Status SideHandler::ApplyMetric(MetricMessage& metric, std::string& value_json) {
  if (metric.op == "lines") {
    return TakeMetricLines(metric.description);
  }
  if (metrics_ == nullptr) {
    return Unimplemented("this worker may have no metrics");
  }
  if (metric.op == "family") {
    return metrics_->NewFamily(metric.id, metric.kind, std::move(metric.name),
                               std::move(metric.description));
  }
  if (metric.op == "series") {
    return metrics_->NewSeries(metric.id, metric.family, std::move(metric.labels), metric.buckets);
  }
  if (metric.op == "drop_family") {
    return metrics_->DropFamily(metric.id);
  }
  if (metric.op == "drop_series") {
    return metrics_->DropSeries(metric.id);
  }
  if (metric.op == "increment") {
    return metrics_->Increment(metric.id, metric.value);
  }
  if (metric.op == "set") {
    return metrics_->Set(metric.id, metric.value);
  }
  if (metric.op == "observe") {
    return metrics_->Observe(metric.id, metric.value);
  }
  if (metric.op == "value") {
    HEADRACE_ASSIGN_OR_RETURN(const double value, metrics_->Value(metric.id));
    value_json = fmt::format("{}", value);
    return OkStatus();
  }
  return InvalidArgument("there is no operation '{}' of metrics", metric.op);
}

Status SideHandler::Measure(std::span<const std::byte> body) {
  HEADRACE_ASSIGN_OR_RETURN(MetricMessage metric, json_.Metric(TextOf(body)));
  const std::optional<std::uint64_t> call = metric.call;
  std::string value = "true";
  const Status status = ApplyMetric(metric, value);
  if (call) {
    // A worker that cannot be told any more ends by other ways.
    (void)session_->sender.Send(MessageType::kReply, EncodeReply(*call, status, value));
  }
  return OkStatus();
}

Status SideHandler::Control(std::span<const std::byte> body) {
  HEADRACE_ASSIGN_OR_RETURN(ControlMessage control, json_.Control(TextOf(body)));
  std::map<std::string, std::string> files;
  std::vector<std::uint64_t> offsets;
  std::size_t byte_size = 0;
  for (const ControlMessage::File& file : control.files) {
    byte_size += std::min<std::uint64_t>(file.byte_size, kFilesByteSizeMax);
    if (!session_->region->InWorkerHalf(file.offset, file.byte_size) ||
        byte_size > kFilesByteSizeMax) {
      return InvalidArgument("a file of {} bytes at {}", file.byte_size, file.offset);
    }
    files[file.path].assign(reinterpret_cast<const char*>(session_->region->At(file.offset)),
                            file.byte_size);
    offsets.push_back(file.offset);
  }
  GiveBack(offsets);
  const auto reply = [session = session_, id = control.id](const Status& status,
                                                           std::string_view value) {
    (void)session->sender.Send(MessageType::kReply, EncodeReply(id, status, value));
  };
  if (control.op == "sync") {
    // All that came before on this channel has been done.
    reply(OkStatus(), "true");
    return OkStatus();
  }
  if (options_.services == nullptr) {
    reply(Unimplemented("this worker may control no models"), "");
    return OkStatus();
  }
  HostServices& services = *options_.services;
  if (control.op == "is_ready") {
    const auto version = ParseDecimal<std::int64_t>(control.model_version);
    if (!version && !control.model_version.empty()) {
      reply(InvalidArgument("model version '{}' is no number", control.model_version), "");
      return OkStatus();
    }
    const auto model = services.FindModel(control.model_name, version);
    reply(OkStatus(), model.ok() && (*model)->Health().ok() ? "true" : "false");
    return OkStatus();
  }
  if (control.op != "load" && control.op != "unload") {
    return InvalidArgument("there is no control '{}'", control.op);
  }
  auto task = [&services, reply, control = std::move(control), files = std::move(files)]() mutable {
    const Status status =
        control.op == "load"
            ? services.Load(control.model_name, std::move(control.config), std::move(files))
            : services.Unload(control.model_name, control.unload_dependents);
    reply(status, "true");
  };
  if (!options_.controls->Run(std::move(task))) {
    reply(Unavailable("{} loads and unloads by models are under way, more are not allowed",
                      ControlThreads::kCountMax),
          "");
  }
  return OkStatus();
}

void SideHandler::GiveBack(std::span<const std::uint64_t> offsets) {
  if (!offsets.empty()) {
    std::string body;
    AppendRelease(body, offsets);
    (void)session_->sender.Send(MessageType::kRelease, std::move(body));
  }
}

void SideHandler::GiveBack(std::span<const WireTensor> tensors) {
  std::vector<std::uint64_t> offsets;
  for (const WireTensor& tensor : tensors) {
    if (tensor.byte_size > 0) {
      offsets.push_back(tensor.offset);
    }
  }
  GiveBack(offsets);
}

}  // namespace headrace::worker
