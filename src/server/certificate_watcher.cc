#include "server/certificate_watcher.h"

#include <chrono>
#include <system_error>
#include <utility>

#include "base/log.h"
#include "base/thread.h"

namespace headrace::server {

CertificateWatcher::~CertificateWatcher() {
  if (thread_.joinable()) {
    {
      const std::lock_guard lock(mutex_);
      stop_ = true;
    }
    wake_.notify_all();
    thread_.join();
  }
}

Status CertificateWatcher::Start(std::vector<std::shared_ptr<net::TlsContext>> contexts,
                                 Nanos interval) {
  contexts_ = std::move(contexts);
  if (contexts_.empty()) {
    return OkStatus();
  }
  try {
    thread_ = std::thread([this, interval] { Run(interval); });
  } catch (const std::system_error& error) {
    return ResourceExhausted("cannot start the thread that watches certificates: {}", error.what());
  }
  return OkStatus();
}

void CertificateWatcher::ReloadNow() {
  {
    const std::lock_guard lock(mutex_);
    asked_ = true;
  }
  wake_.notify_all();
}

void CertificateWatcher::Run(Nanos interval) {
  SetThreadName("certificates");
  std::unique_lock lock(mutex_);
  while (true) {
    const auto woken = [this] { return stop_ || asked_; };
    if (interval == 0) {
      wake_.wait(lock, woken);
    } else {
      wake_.wait_for(lock, std::chrono::nanoseconds(interval), woken);
    }
    if (stop_) {
      return;
    }
    const bool all = std::exchange(asked_, false);
    lock.unlock();
    Look(all);
    lock.lock();
  }
}

void CertificateWatcher::Look(bool all) {
  for (const auto& context : contexts_) {
    if (!all && !context->FilesChanged()) {
      continue;
    }
    if (const Status status = context->Reload(); status.ok()) {
      HEADRACE_LOG_INFO("read the certificate '{}' again", context->options().certificate_file);
    } else {
      HEADRACE_LOG_WARNING("the old certificate stays in force: {}", status.message());
    }
  }
}

}  // namespace headrace::server
