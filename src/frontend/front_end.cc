#include "frontend/front_end.h"

#include <algorithm>
#include <mutex>
#include <utility>

#include "frontend/call.h"
#include "frontend/grpc_service.h"
#include "frontend/header_forwarder.h"
#include "frontend/infer_headers.h"
#include "frontend/loop_contexts.h"
#include "frontend/model_metrics.h"
#include "frontend/predictions.h"
#include "frontend/refusal_ledger.h"
#include "frontend/replies.h"
#include "frontend/router.h"
#include "frontend/v2_infer.h"
#include "frontend/v2_routes.h"

namespace headrace::frontend {
namespace {

// Bodies up to this size are read whatever the verdict is, so that the connection can go on behind
// the answer.
constexpr std::uint64_t kSmallBodyByteSizeMax = 64 * 1024;
constexpr std::uint64_t kControlBodyByteSizeMax = 1024 * 1024;

net::BodyPlan Refuse(Refusal refusal) {
  net::BodyPlan plan;
  plan.refuse_status = refusal.status;
  plan.refuse_json = std::move(refusal.json);
  plan.refuse_headers = std::move(refusal.headers);
  return plan;
}

Refusal TooLarge(std::uint64_t byte_size, std::uint64_t byte_size_max) {
  return RefusalOf(ResourceExhausted(
      "request body of {} bytes exceeds the maximum allowed input size of {} bytes. Use "
      "--http-max-input-size to increase the limit.",
      byte_size, byte_size_max));
}

bool IsAtMost(const net::HttpRequestHead& head, std::uint64_t byte_size_max) {
  return !head.chunked && head.content_length.value_or(0) <= byte_size_max;
}

// Where the first tensor byte will be; 0 when nobody says. A wrong value is refused when the
// request is complete.
std::uint64_t AlignedOffset(const net::HttpRequestHead& head) {
  const auto size = InferHeaders::Of(head).JsonByteSize(head.content_length);
  return size.ok() ? size->value_or(0) : 0;
}

class V2Handler final : public net::HttpHandler {
 public:
  explicit V2Handler(Services& services) : services_(services) {}

  net::BodyPlan OnHead(const net::HttpRequestHead& head) override {
    const std::uint64_t small_max = std::min(kSmallBodyByteSizeMax, services_.InputByteSizeMax());
    if (!IsAtMost(head, small_max)) {
      return PlanLargeBody(head);
    }
    net::BodyPlan plan;
    plan.byte_size_max = small_max;
    if (head.content_length.value_or(0) > 0) {
      plan.aligned_offset = AlignedOffset(head);
    }
    return plan;
  }

  void OnRequest(net::HttpExchangeRef exchange) override {
    const net::HttpRequestHead& head = exchange->head();
    const std::optional<RouteMatch> match = V2Router().Match(head.path);
    if (!match) {
      Reply(*exchange, NotFoundRefusal());
    } else if (!Allows(match->route->methods, head.method)) {
      Reply(*exchange, MethodNotAllowedRefusal(AllowHeaderLine(match->route->methods)));
    } else {
      LoopContext& loop = services_.loops.Of(exchange->loop());
      Call call{services_, loop, *match, std::move(exchange)};
      match->route->handler(call);
    }
  }

 private:
  std::uint64_t BodyByteSizeMax(BodyRule rule) const {
    switch (rule) {
      case BodyRule::kIgnored:
        return kSmallBodyByteSizeMax;
      case BodyRule::kControl:
        return std::min(kControlBodyByteSizeMax, services_.InputByteSizeMax());
      case BodyRule::kUpload:
      case BodyRule::kInfer:
      case BodyRule::kPrediction:
        return services_.InputByteSizeMax();
    }
    return 0;
  }

  // A large body is worth all the checks that its head allows, before any of it is read.
  net::BodyPlan PlanLargeBody(const net::HttpRequestHead& head) {
    const std::optional<RouteMatch> match = V2Router().Match(head.path);
    if (!match) {
      return Refuse(NotFoundRefusal());
    }
    if (!Allows(match->route->methods, head.method)) {
      return Refuse(MethodNotAllowedRefusal(AllowHeaderLine(match->route->methods)));
    }
    net::BodyPlan plan;
    plan.byte_size_max = BodyByteSizeMax(match->route->body);
    if (match->route->body == BodyRule::kPrediction) {
      if (auto refusal =
              RefusePredictionEarly(services_, *match, head, *services_.registry.Load())) {
        return Refuse(*std::move(refusal));
      }
      return plan;
    }
    if (head.content_length.value_or(0) > plan.byte_size_max) {
      return Refuse(TooLarge(*head.content_length, plan.byte_size_max));
    }
    if (match->route->body == BodyRule::kInfer) {
      if (auto refusal = RefuseInferEarly(services_, *match, head, *services_.registry.Load())) {
        return Refuse(*std::move(refusal));
      }
      plan.aligned_offset = AlignedOffset(head);
    }
    return plan;
  }

  Services& services_;
};

HeaderForwarder ForwarderOf(std::string_view pattern) {
  Result<HeaderForwarder> forwarder = HeaderForwarder::Create(pattern);
  return forwarder.ok() ? *std::move(forwarder) : HeaderForwarder();
}

// The front end's own metrics: models and memory.
class OwnMetrics final : public telemetry::MetricSource {
 public:
  explicit OwnMetrics(const Services& services) : services_(services) {}

  void Collect(telemetry::PrometheusWriter& writer) const override {
    CollectModelMetrics(*services_.registry.Load(), services_.refusals, writer);
    services_.grpc_cells.Collect(writer);
    services_.http_stream_cells.Collect(writer);
    writer.Family("headrace_memory_pool_bytes", telemetry::MetricKind::kGauge,
                  "Memory for request bodies and response tensors");
    writer.Sample({{"state", "in_use"}},
                  static_cast<std::uint64_t>(services_.pool.in_use_byte_size()));
    writer.Sample({{"state", "idle"}}, static_cast<std::uint64_t>(services_.pool.idle_byte_size()));
  }

 private:
  const Services& services_;
};

class MetricsHandler final : public net::HttpHandler {
 public:
  MetricsHandler(const telemetry::MetricSource& own, LoopContexts& loops)
      : loops_(loops), sources_{&own} {}

  void Add(const telemetry::MetricSource& source) {
    std::lock_guard lock(mutex_);
    sources_.push_back(&source);
  }

  net::BodyPlan OnHead(const net::HttpRequestHead& head) override {
    if (!IsAtMost(head, kSmallBodyByteSizeMax)) {
      return Refuse(TooLarge(head.content_length.value_or(0), kSmallBodyByteSizeMax));
    }
    net::BodyPlan plan;
    plan.byte_size_max = kSmallBodyByteSizeMax;
    return plan;
  }

  void OnRequest(net::HttpExchangeRef exchange) override {
    if (exchange->head().path != "/metrics") {
      Reply(*exchange, NotFoundRefusal());
    } else if (exchange->head().method != net::HttpMethod::kGet) {
      Reply(*exchange, MethodNotAllowedRefusal(AllowHeaderLine(MethodSet::kGet)));
    } else {
      net::HttpResponse response;
      response.content_type = "text/plain; charset=utf-8";
      response.body.push_back(Buffer::FromString(Page()));
      exchange->Respond(std::move(response));
      loops_.RefreshAll();  // scrapes come regularly: a good time to let go of unloaded models
    }
  }

  std::string Page() const {
    telemetry::PrometheusWriter writer;
    std::lock_guard lock(mutex_);
    for (const telemetry::MetricSource* source : sources_) {
      source->Collect(writer);
    }
    return writer.Take();
  }

 private:
  LoopContexts& loops_;
  mutable std::mutex mutex_;  // guards sources_
  std::vector<const telemetry::MetricSource*> sources_;
};

}  // namespace

class FrontEnd::Impl {
 public:
  Impl(FrontEndOptions options, engine::Registry& registry, repository::ModelManager& models,
       tracing::Tracer& tracer, BlockPool& pool, const Clock& clock)
      : options_(std::move(options)),
        loops_(registry),
        shared_memory_(options_.shared_memory),
        http_headers_(ForwarderOf(options_.header_forward_pattern)),
        grpc_metadata_(ForwarderOf(options_.grpc_header_forward_pattern)),
        services_{
            options_,    registry,           models,   pool,      clock,         loops_,
            refusals_,   shared_memory_,     tracer,   profiler_, http_headers_, grpc_metadata_,
            grpc_cells_, http_stream_cells_, draining_},
        v2_(services_),
        grpc_(services_),
        own_metrics_(services_),
        metrics_(own_metrics_, loops_) {
    metrics_.Add(tracer);
  }

  const FrontEndOptions options_;
  LoopContexts loops_;
  RefusalLedger refusals_;
  SharedMemoryRegions shared_memory_;
  profiling::Profiler profiler_;
  HeaderForwarder http_headers_;
  HeaderForwarder grpc_metadata_;
  GrpcCells grpc_cells_;
  HttpStreamCells http_stream_cells_;
  std::atomic<bool> draining_{false};
  Services services_;
  V2Handler v2_;
  GrpcService grpc_;
  OwnMetrics own_metrics_;
  MetricsHandler metrics_;
};

FrontEnd::FrontEnd(FrontEndOptions options, engine::Registry& registry,
                   repository::ModelManager& models, tracing::Tracer& tracer, BlockPool& pool,
                   const Clock& clock)
    : impl_(std::make_unique<Impl>(std::move(options), registry, models, tracer, pool, clock)) {}

FrontEnd::~FrontEnd() = default;

Services& FrontEnd::services() { return impl_->services_; }

net::HttpHandler& FrontEnd::v2_handler() { return impl_->v2_; }

net::HttpHandler& FrontEnd::metrics_handler() { return impl_->metrics_; }

void FrontEnd::AddMetricSource(const telemetry::MetricSource& source) {
  impl_->metrics_.Add(source);
}

net::GrpcHandler& FrontEnd::grpc_handler() { return impl_->grpc_; }

std::string FrontEnd::MetricsPage() const { return impl_->metrics_.Page(); }

void FrontEnd::RefreshModels() { impl_->loops_.RefreshAll(); }

bool FrontEnd::draining() const { return impl_->draining_.load(std::memory_order_relaxed); }

void FrontEnd::SetDraining() {
  impl_->draining_.store(true, std::memory_order_relaxed);
  impl_->profiler_.End();
  impl_->grpc_.ReadinessChanged();
}

}  // namespace headrace::frontend
