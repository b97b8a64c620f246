#include "frontend/grpc_health.h"

#include <chrono>
#include <utility>

#include "base/thread.h"
#include "frontend/grpc_handlers.h"
#include "frontend/grpc_session.h"
#include "frontend/grpc_unary.h"

namespace headrace::frontend {
namespace {

constexpr std::chrono::milliseconds kInterval{500};

grpc::health::v1::HealthCheckResponse StatusMessage(bool ready) {
  using Response = grpc::health::v1::HealthCheckResponse;
  Response response;
  response.set_status(ready ? Response::SERVING : Response::NOT_SERVING);
  return response;
}

Result<grpc::health::v1::HealthCheckResponse> Check(GrpcContext& context,
                                                    const grpc::health::v1::HealthCheckRequest&) {
  return StatusMessage(ServerIsReady(context.services));
}

}  // namespace

// What one watcher has seen last. On its call's loop.
class GrpcHealth::Session final : public GrpcSession {
 public:
  static void Show(net::GrpcCall& call, bool ready) {
    auto* session = static_cast<Session*>(GrpcSession::Of(call));
    if (session != nullptr && !call.cancelled() && session->shown_ != (ready ? 1 : 0)) {
      session->shown_ = ready ? 1 : 0;
      call.Send(EncodeGrpcMessage(StatusMessage(ready)));
    }
  }

 private:
  int shown_ = -1;
};

GrpcHealth::~GrpcHealth() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  if (thread_.joinable()) {
    thread_.join();
  }
}

Status GrpcHealth::Watch(const net::GrpcCallRef& call) {
  {
    std::lock_guard lock(mutex_);
    std::erase_if(watchers_, [](const auto& watcher) { return watcher.expired(); });
    if (watchers_.size() >= kWatcherCountMax) {
      return ResourceExhausted("{} calls watch the server's health already", kWatcherCountMax);
    }
    watchers_.push_back(call);
    if (!thread_.joinable()) {
      thread_ = std::thread([this] { Run(); });
    }
  }
  changed_.notify_all();
  GrpcSession::Attach(*call, std::make_shared<Session>());
  Session::Show(*call, ServerIsReady(services_));
  return OkStatus();
}

void GrpcHealth::Look() {
  {
    std::lock_guard lock(mutex_);
    look_ = true;
  }
  changed_.notify_all();
}

void GrpcHealth::Run() {
  SetThreadName("grpc_health");
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    if (watchers_.empty()) {
      changed_.wait(lock, [this] { return stopping_ || !watchers_.empty(); });
    } else {
      changed_.wait_for(lock, kInterval, [this] { return stopping_ || look_; });
    }
    look_ = false;
    lock.unlock();
    const bool ready = ServerIsReady(services_);
    lock.lock();
    if (!stopping_) {
      Tell(ready);
    }
  }
}

void GrpcHealth::Tell(bool ready) {
  std::erase_if(watchers_, [ready](const auto& watcher) {
    const net::GrpcCallRef call = watcher.lock();
    if (call == nullptr || call->cancelled()) {
      return true;
    }
    call->loop().PostFunction([call, ready] { Session::Show(*call, ready); });
    return false;
  });
}

void GrpcHealthCheck(GrpcContext& context) {
  ServeUnary<grpc::health::v1::HealthCheckRequest, grpc::health::v1::HealthCheckResponse, Check>(
      context);
}

void GrpcHealthWatch(GrpcContext& context) {
  grpc::health::v1::HealthCheckRequest request;
  Status status = ParseGrpcMessage(context.message, request);
  if (status.ok()) {
    status = context.health.Watch(context.call);
  }
  if (!status.ok()) {
    context.call->Finish(std::move(status));
  }
}

}  // namespace headrace::frontend
