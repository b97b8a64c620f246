// What the process's threads did with their time: ran, or waited for a core.
#ifndef HEADRACE_PROFILING_THREAD_TIMES_H_
#define HEADRACE_PROFILING_THREAD_TIMES_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "base/clock.h"

namespace headrace::profiling {

struct ThreadTime {
  std::string name{};
  Nanos ran = 0;
  Nanos waited = 0;  // able to run, without a core
  std::uint64_t migrations = 0;
};

// By the system's thread number, since each thread began. From /proc/self/task; threads that end
// while it looks are left out.
std::map<std::int64_t, ThreadTime> ReadThreadTimes(
    const std::string& task_directory = "/proc/self/task");

// What happened between two looks; threads that did nothing are left out. Most active first.
struct ThreadUse {
  std::int64_t id = 0;
  ThreadTime time{};
};
std::vector<ThreadUse> ThreadUseBetween(const std::map<std::int64_t, ThreadTime>& before,
                                        const std::map<std::int64_t, ThreadTime>& after);

}  // namespace headrace::profiling

#endif  // HEADRACE_PROFILING_THREAD_TIMES_H_
