#include "pytorch/process_settings.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <torch/csrc/jit/passes/tensorexpr_fuser.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <mutex>
#include <thread>

#include "common/log.h"

namespace headrace::backend {
namespace {

std::mutex& ProcessMutex() {
  static std::mutex mutex;
  return mutex;
}

}  // namespace

void ApplyToProcess(const PyTorchSettings& settings) {
  const std::lock_guard lock(ProcessMutex());
  if (settings.jit_executor) {
    torch::jit::getExecutorMode() = *settings.jit_executor;
  }
  if (settings.jit_profiling) {
    torch::jit::getProfilingMode() = *settings.jit_profiling;
  }
  if (settings.tensor_fuser) {
    torch::jit::setTensorExprFuserEnabled(*settings.tensor_fuser);
  }
  if (settings.cudnn) {
    at::globalContext().setUserEnabledCuDNN(*settings.cudnn);
  }
  if (settings.inter_op_threads &&
      static_cast<int>(at::get_num_interop_threads()) != *settings.inter_op_threads) {
    try {
      at::set_num_interop_threads(*settings.inter_op_threads);
    } catch (const std::exception&) {
      HEADRACE_BACKEND_LOG(TRITONSERVER_LOG_WARN,
                           "INTER_OP_THREAD_COUNT {} has no effect: this process has a pool of {} "
                           "inter-op threads already",
                           *settings.inter_op_threads, at::get_num_interop_threads());
    }
  }
}

void UseThreads(int count) {
  thread_local int used = 0;
  if (used == count) {
    return;
  }
  // PyTorch gives a thread the process's number when it first meets it, which would undo ours.
  at::internal::lazy_init_num_threads();
  at::set_num_threads(count);
  used = count;
}

Error RunApart(const std::function<Error()>& body) {
  Error error;
  std::thread thread([&] { error = Guarded("pytorch", body); });
  thread.join();
  return error;
}

}  // namespace headrace::backend
