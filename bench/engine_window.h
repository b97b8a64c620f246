// So many requests at a time to a model of the engine, and what they cost this process.
#ifndef HEADRACE_BENCH_ENGINE_WINDOW_H_
#define HEADRACE_BENCH_ENGINE_WINDOW_H_

#include <ctime>
#include <semaphore>
#include <string_view>

#include "base/clock.h"
#include "engine/response_sink.h"

namespace headrace::engine {

// A place for each request that may be out; one acquires it before a request is submitted.
using Window = std::counting_semaphore<65'536>;

// Of a model without outputs: gives the request's place back when it ends.
class WindowSink final : public ResponseSink {
 public:
  explicit WindowSink(Window& window) : window_(window) {}
  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t) override {
    return Unimplemented("none");
  }
  void Send(InferResponse) override {}
  void Finish(Status) override { window_.release(); }
  bool Cancelled() const override { return false; }

 private:
  Window& window_;
};

// Of all threads of this process.
inline Nanos CpuTime() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return now.tv_sec * kSecond + now.tv_nsec;
}

}  // namespace headrace::engine

#endif  // HEADRACE_BENCH_ENGINE_WINDOW_H_
