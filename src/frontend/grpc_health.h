// Who watches the server's health over gRPC (grpc.health.v1.Health/Watch).
#ifndef HEADRACE_FRONTEND_GRPC_HEALTH_H_
#define HEADRACE_FRONTEND_GRPC_HEALTH_H_

#include <condition_variable>
#include <cstddef>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/status.h"
#include "net/grpc.h"

namespace headrace::frontend {

struct Services;

// SERVING while the server is ready, whatever service is asked for (contracts, Triton 2.1).
// Thread-safe. While somebody watches, a thread of its own looks at the readiness twice a second.
class GrpcHealth {
 public:
  static constexpr std::size_t kWatcherCountMax = 1024;

  // `services` are borrowed.
  explicit GrpcHealth(const Services& services) : services_(services) {}
  ~GrpcHealth();

  // On the call's loop: sends the status now, and whenever it has changed, until the call ends.
  // RESOURCE_EXHAUSTED if too many watch already.
  Status Watch(const net::GrpcCallRef& call);
  // Looks at once.
  void Look();

 private:
  class Session;

  void Run();
  // With mutex_ held: posts the status to whoever has seen another one.
  void Tell(bool ready);

  const Services& services_;
  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<std::weak_ptr<net::GrpcCall>> watchers_;
  bool look_ = false;
  bool stopping_ = false;
  std::thread thread_;  // started by the first watcher
};

}  // namespace headrace::frontend

#endif  // HEADRACE_FRONTEND_GRPC_HEALTH_H_
