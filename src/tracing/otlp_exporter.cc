#include "tracing/otlp_exporter.h"

#include <curl/curl.h>

#include <algorithm>
#include <utility>

#include "base/log.h"
#include "protocol/json_writer.h"

namespace headrace::tracing {
namespace {

using protocol::JsonWriter;

constexpr long kConnectTimeoutMs = 2000;
constexpr long kTimeoutMs = 10'000;
constexpr int kSpanKindServer = 2;
constexpr int kSpanKindInternal = 1;
constexpr std::string_view kComputeSpan = "compute";

// Which of a trace's spans an activity is an event of.
enum class Owner { kRequest, kModel, kCompute };

Owner OwnerOf(std::string_view activity) {
  if (activity.starts_with("HTTP_") || activity.starts_with("GRPC_")) {
    return Owner::kRequest;
  }
  return activity.starts_with("COMPUTE_") ? Owner::kCompute : Owner::kModel;
}

struct Span {
  std::string_view name;
  std::uint64_t id = 0;
  std::uint64_t parent_id = 0;
  int kind = kSpanKindInternal;
  std::vector<const TraceEvent*> events;
  Nanos start = kNever;
  Nanos end = 0;

  void Cover(Nanos time) {
    start = std::min(start, time);
    end = std::max(end, time);
  }
};

void WriteAttribute(JsonWriter& json, std::string_view key, std::string_view value) {
  json.BeginObject().Key("key").String(key).Key("value").BeginObject();
  json.Key("stringValue").String(value).EndObject().EndObject();
}

void WriteAttribute(JsonWriter& json, std::string_view key, std::int64_t value) {
  json.BeginObject().Key("key").String(key).Key("value").BeginObject();
  json.Key("intValue").String(fmt::format("{}", value)).EndObject().EndObject();
}

void WriteSpan(const TraceData& trace, const Span& span, Nanos wall_minus_monotonic,
               std::string& out) {
  const auto wall = [&](Nanos time) { return fmt::format("{}", time + wall_minus_monotonic); };
  JsonWriter json(out);
  json.BeginObject().Key("traceId").String(trace.span.TraceIdText());
  json.Key("spanId").String(SpanIdText(span.id));
  if (span.parent_id != 0) {
    json.Key("parentSpanId").String(SpanIdText(span.parent_id));
  }
  json.Key("name").String(span.name).Key("kind").Int(span.kind);
  json.Key("startTimeUnixNano").String(wall(span.start));
  json.Key("endTimeUnixNano").String(wall(span.end));
  json.Key("attributes").BeginArray();
  if (span.name != kComputeSpan) {
    WriteAttribute(json, "triton.model_name", trace.model_name);
    WriteAttribute(json, "triton.model_version", trace.model_version);
    WriteAttribute(json, "triton.trace_id", static_cast<std::int64_t>(trace.id));
    WriteAttribute(json, "triton.trace_parent_id", static_cast<std::int64_t>(trace.parent_id));
    if (!trace.request_id.empty()) {
      WriteAttribute(json, "triton.request_id", trace.request_id);
    }
  }
  json.EndArray().Key("events").BeginArray();
  for (const TraceEvent* event : span.events) {
    json.BeginObject().Key("timeUnixNano").String(wall(event->time));
    json.Key("name").String(event->name).EndObject();
  }
  json.EndArray().EndObject();
}

std::size_t Discard(char*, std::size_t size, std::size_t count, void*) { return size * count; }

}  // namespace

std::string SpansJson(const TraceData& trace, Nanos wall_minus_monotonic) {
  // The ids of a trace's other spans follow from that of the request's own.
  Span request{"InferRequest", trace.span.span_id ^ 1, trace.parent_span_id, kSpanKindServer, {}};
  Span model{trace.model_name.empty() ? std::string_view("model") : trace.model_name,
             trace.span.span_id,
             request.id,
             kSpanKindInternal,
             {}};
  Span compute{kComputeSpan, trace.span.span_id ^ 2, model.id, kSpanKindInternal, {}};
  for (const TraceEvent& event : trace.events) {
    Span& owner = OwnerOf(event.name) == Owner::kRequest   ? request
                  : OwnerOf(event.name) == Owner::kCompute ? compute
                                                           : model;
    owner.events.push_back(&event);
    owner.Cover(event.time);
    request.Cover(event.time);
  }
  std::string out;
  const auto write = [&](const Span& span) {
    if (span.start != kNever) {
      out += out.empty() ? "" : ",";
      WriteSpan(trace, span, wall_minus_monotonic, out);
    }
  };
  if (trace.parent_id == 0) {
    write(request);
  } else {
    model.parent_id = trace.parent_span_id;
  }
  write(model);
  write(compute);
  return out;
}

PostFunction HttpPost() {
  curl_global_init(CURL_GLOBAL_DEFAULT);
  return [](const std::string& url, const std::string& body) -> Status {
    const std::unique_ptr<CURL, void (*)(CURL*)> curl(curl_easy_init(), &curl_easy_cleanup);
    if (curl == nullptr) {
      return Internal("the HTTP client could not be made");
    }
    const std::unique_ptr<curl_slist, void (*)(curl_slist*)> headers(
        curl_slist_append(nullptr, "Content-Type: application/json"), &curl_slist_free_all);
    curl_easy_setopt(curl.get(), CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl.get(), CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl.get(), CURLOPT_HTTPHEADER, headers.get());
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDS, body.data());
    curl_easy_setopt(curl.get(), CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(body.size()));
    curl_easy_setopt(curl.get(), CURLOPT_CONNECTTIMEOUT_MS, kConnectTimeoutMs);
    curl_easy_setopt(curl.get(), CURLOPT_TIMEOUT_MS, kTimeoutMs);
    curl_easy_setopt(curl.get(), CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl.get(), CURLOPT_WRITEFUNCTION, &Discard);
    if (const CURLcode code = curl_easy_perform(curl.get()); code != CURLE_OK) {
      return Unavailable("{}", curl_easy_strerror(code));
    }
    long status = 0;
    curl_easy_getinfo(curl.get(), CURLINFO_RESPONSE_CODE, &status);
    return status / 100 == 2 ? OkStatus() : Unavailable("the collector answers {}", status);
  };
}

OtlpExporter::OtlpExporter(TraceTarget target, PostFunction post, Nanos wall_minus_monotonic)
    : target_(std::move(target)),
      post_(std::move(post)),
      wall_minus_monotonic_(wall_minus_monotonic) {}

void OtlpExporter::Take(TraceData trace) {
  if (spans_.size() >= target_.queue_size_max) {
    ++dropped_;
    return;
  }
  if (std::string spans = SpansJson(trace, wall_minus_monotonic_); !spans.empty()) {
    spans_.push_back(std::move(spans));
  }
}

std::string OtlpExporter::BatchJson(std::size_t count) const {
  std::string out;
  JsonWriter json(out);
  json.BeginObject().Key("resourceSpans").BeginArray().BeginObject();
  json.Key("resource").BeginObject().Key("attributes").BeginArray();
  bool has_name = false;
  for (const auto& [key, value] : target_.resource) {
    WriteAttribute(json, key, value);
    has_name = has_name || key == "service.name";
  }
  if (!has_name) {
    WriteAttribute(json, "service.name", "triton-inference-server");
  }
  json.EndArray().EndObject().Key("scopeSpans").BeginArray().BeginObject();
  json.Key("scope").BeginObject().Key("name").String("headrace").EndObject();
  json.Key("spans").BeginArray();
  for (std::size_t i = 0; i < count; ++i) {
    json.Raw(spans_[i]);
  }
  json.EndArray().EndObject().EndArray().EndObject().EndArray().EndObject();
  return out;
}

Nanos OtlpExporter::Flush(Nanos now, bool all) {
  const Nanos delay = target_.schedule_delay_ms * kMillisecond;
  if (spans_.empty()) {
    oldest_ = kNever;
    return kNever;
  }
  if (oldest_ == kNever) {
    oldest_ = now;
  }
  while (!spans_.empty() &&
         (all || spans_.size() >= target_.export_batch_size_max || now - oldest_ >= delay)) {
    const std::size_t count = std::min(spans_.size(), target_.export_batch_size_max);
    const Status status = post_(target_.url, BatchJson(count));
    if (!status.ok()) {
      dropped_ += count;
      if (!failure_logged_) {
        HEADRACE_LOG_WARNING("traces cannot be exported to {}: {}", EscapeForLog(target_.url),
                             status.message());
      }
    }
    failure_logged_ = !status.ok();
    spans_.erase(spans_.begin(), spans_.begin() + static_cast<std::ptrdiff_t>(count));
  }
  oldest_ = spans_.empty() ? kNever : now;
  return spans_.empty() ? kNever : oldest_ + delay;
}

}  // namespace headrace::tracing
