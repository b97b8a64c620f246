// Which threads must not wait for the end of an instance, since they are its own.
#ifndef HEADRACE_ENGINE_INSTANCE_THREAD_H_
#define HEADRACE_ENGINE_INSTANCE_THREAD_H_

#include <utility>

namespace headrace::engine {

// While it lives, the calling thread counts as one that an instance waits for when it is destroyed:
// a model whose last handle the thread drops (it ends a request that outlived a drain) is destroyed
// by another thread. Backends use it in threads of their own that end requests.
class ScopedInstanceThread {
 public:
  ScopedInstanceThread() : before_(std::exchange(Mark(), true)) {}
  ~ScopedInstanceThread() { Mark() = before_; }
  ScopedInstanceThread(const ScopedInstanceThread&) = delete;
  ScopedInstanceThread& operator=(const ScopedInstanceThread&) = delete;

  static bool IsActive() { return Mark(); }

 private:
  static bool& Mark() {
    static thread_local bool mark = false;
    return mark;
  }
  const bool before_;
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_INSTANCE_THREAD_H_
