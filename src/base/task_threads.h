// A few threads for short tasks that may block, so that whoever must not block hands them over.
#ifndef HEADRACE_BASE_TASK_THREADS_H_
#define HEADRACE_BASE_TASK_THREADS_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

namespace headrace {

// Thread-safe. Tasks begin in the order in which they were given, and run beside each other.
class TaskThreads {
 public:
  class Task {
   public:
    virtual ~Task() = default;
    // On one of the threads. Does not throw.
    virtual void Run() = 0;
  };

  // `name`: of the threads, cut to 15 bytes. `waiting_max`: tasks that wait for a thread.
  TaskThreads(const std::string& name, std::size_t thread_count, std::size_t waiting_max);
  // Runs what waits, and blocks until all of it is done; on one of its own threads (the last task
  // owned it) that thread does the rest by itself.
  ~TaskThreads();
  TaskThreads(const TaskThreads&) = delete;
  TaskThreads& operator=(const TaskThreads&) = delete;

  // Takes the task; false, and leaves it, when too many wait. Does not block.
  bool Submit(std::unique_ptr<Task>& task);

  std::uint64_t refused_count() const;
  std::size_t waiting_count() const;

 private:
  struct State;
  static void Work(State& state);

  const std::shared_ptr<State> state_;
};

}  // namespace headrace

#endif  // HEADRACE_BASE_TASK_THREADS_H_
