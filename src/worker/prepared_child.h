// All that a new child needs, made before there is one.
#ifndef HEADRACE_WORKER_PREPARED_CHILD_H_
#define HEADRACE_WORKER_PREPARED_CHILD_H_

#include <linux/filter.h>
#include <sched.h>

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/unique_fd.h"
#include "worker/child_setup.h"
#include "worker/process.h"

namespace headrace::worker {

// Owns the memory and the descriptors that its plan points to; stays where it is. Not thread-safe.
class PreparedChild {
 public:
  // `options` is borrowed as long as the child is prepared. INVALID_ARGUMENT or UNAVAILABLE says
  // what of it cannot be.
  static Result<std::unique_ptr<PreparedChild>> Make(const ProcessOptions& options,
                                                     const std::string& mark);
  PreparedChild(const PreparedChild&) = delete;
  PreparedChild& operator=(const PreparedChild&) = delete;

  ChildPlan& plan() { return plan_; }
  const std::string& program() const { return program_; }
  // The end of the pipe that the child's output comes out of; invalid with keeps_terminal.
  UniqueFd TakeOutput() { return std::move(output_); }

 private:
  // What execve takes: pointers to strings, then null.
  class StringArray {
   public:
    void Set(std::vector<std::string> strings);
    char* const* get() const { return pointers_.data(); }

   private:
    std::vector<std::string> strings_;
    std::vector<char*> pointers_;
  };

  PreparedChild() = default;
  Status PrepareStandardStreams();
  void PrepareDescriptors(const ProcessOptions& options);
  void PrepareConfinement(const Confinement& confinement);
  void PrepareCpus(const CpuList& cpus);

  ChildPlan plan_;
  std::string program_;
  StringArray arguments_;
  StringArray environment_;
  UniqueFd output_, output_writer_, no_input_, fence_;
  std::vector<ChildPlan::Move> moves_;
  std::vector<ChildPlan::Range> closed_;
  std::vector<ChildPlan::Limit> limits_;
  std::vector<sock_filter> filter_;
  sock_fprog filter_program_ = {};
  std::unique_ptr<cpu_set_t, void (*)(cpu_set_t*)> cpus_{nullptr,
                                                         [](cpu_set_t* set) { CPU_FREE(set); }};
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_PREPARED_CHILD_H_
