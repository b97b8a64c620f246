// Takes up certificates whose files have changed.
#ifndef HEADRACE_SERVER_CERTIFICATE_WATCHER_H_
#define HEADRACE_SERVER_CERTIFICATE_WATCHER_H_

#include <condition_variable>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/status.h"
#include "net/tls_context.h"

namespace headrace::server {

// Looks at the files from a thread of its own, because a file system may be slow. A certificate
// that cannot be read leaves the old one in force and is tried again. Thread-safe behind Start.
class CertificateWatcher {
 public:
  ~CertificateWatcher();

  // Looks every `interval`; 0: only when asked. Nothing to watch: no thread.
  Status Start(std::vector<std::shared_ptr<net::TlsContext>> contexts, Nanos interval);
  // Has all certificates read soon, changed or not. Returns at once.
  void ReloadNow();

 private:
  void Run(Nanos interval);
  void Look(bool all);

  std::vector<std::shared_ptr<net::TlsContext>> contexts_;
  std::mutex mutex_;  // guards the two flags
  std::condition_variable wake_;
  bool stop_ = false;
  bool asked_ = false;
  std::thread thread_;
};

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_CERTIFICATE_WATCHER_H_
