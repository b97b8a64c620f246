// A mutex for sections of some ten instructions that two threads enter all the time: whoever finds
// it taken looks again for a moment before it sleeps. A sleep and the wake-up that ends it cost two
// system calls and two switches, a hundred times as much as the section itself.
#ifndef HEADRACE_BASE_ADAPTIVE_MUTEX_H_
#define HEADRACE_BASE_ADAPTIVE_MUTEX_H_

#include <pthread.h>

namespace headrace {

// As std::mutex, for std::lock_guard and std::unique_lock. Uncontended it costs the same.
class AdaptiveMutex {
 public:
  AdaptiveMutex() = default;
  ~AdaptiveMutex() { pthread_mutex_destroy(&mutex_); }
  AdaptiveMutex(const AdaptiveMutex&) = delete;
  AdaptiveMutex& operator=(const AdaptiveMutex&) = delete;

  void lock() { pthread_mutex_lock(&mutex_); }
  bool try_lock() { return pthread_mutex_trylock(&mutex_) == 0; }
  void unlock() { pthread_mutex_unlock(&mutex_); }

 private:
  pthread_mutex_t mutex_ = PTHREAD_ADAPTIVE_MUTEX_INITIALIZER_NP;
};

}  // namespace headrace

#endif  // HEADRACE_BASE_ADAPTIVE_MUTEX_H_
