// What a new child does before it becomes the program. It runs in the server's memory (see
// process.h), beside the server's other threads, so it may only make system calls: no allocation,
// no lock, no function that keeps state.
#ifndef HEADRACE_WORKER_CHILD_SETUP_H_
#define HEADRACE_WORKER_CHILD_SETUP_H_

#include <linux/filter.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/types.h>

#include <cstdint>
#include <span>

namespace headrace::worker {

// Prepared by Process::Start; borrowed by the child until it executes the program or ends.
struct ChildPlan {
  struct Limit {
    int resource;
    rlimit value;
  };
  struct Move {
    int source;
    int number;
  };
  struct Range {
    unsigned first;
    unsigned last;
  };

  const char* program = nullptr;
  char* const* arguments = nullptr;
  char* const* environment = nullptr;
  const char* working_directory = nullptr;  // null: stays
  pid_t parent = 0;
  bool own_group = true;
  std::span<Move> moves;          // `source` is changed as they are made
  int staging_base = 3;           // above all numbers of `moves`
  std::span<const Range> closed;  // what else is closed
  std::span<const Limit> limits;
  const sock_fprog* filter = nullptr;  // null: none
  int fence = -1;                      // Landlock's rules; -1: none
  const cpu_set_t* cpus = nullptr;     // null: those of the starting thread
  std::size_t cpus_byte_size = 0;

  // The child's report: which step failed (null: none), and errno.
  const char* failed_step = nullptr;
  int error = 0;
};

// `plan`: a ChildPlan. Does not return if the program could be started; else ends the child with
// status 127 after writing failed_step and error.
int RunChild(void* plan);

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_CHILD_SETUP_H_
