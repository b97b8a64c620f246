// How each backend is told the threads of its instances (contracts, Triton 3.3).
#ifndef HEADRACE_REPOSITORY_THREAD_PARAMETERS_H_
#define HEADRACE_REPOSITORY_THREAD_PARAMETERS_H_

#include <array>
#include <string>
#include <string_view>

#include "repository/model_config_fwd.h"

namespace headrace::repository {

// The parameter that says it; "" = the backend cannot be told.
std::string_view ThreadParameter(std::string_view backend);
// What any of them calls it: two of these in one configuration would contradict each other.
inline constexpr std::array kThreadParameters = {"intra_op_thread_count", "INTRA_OP_THREAD_COUNT",
                                                 "NUM_THREADS", "INFERENCE_NUM_THREADS"};
// The value of `parameter` for `threads` in each of `instances`: OpenVINO counts those of all
// instances together.
std::string ThreadValue(std::string_view parameter, int threads, int instances);

// What the configuration asks for, of each instance; 0 = it does not say, or nothing that a number
// of threads can be. Its instance groups are filled in.
int ThreadsAsked(const inference::ModelConfig& config);
// For its backend, which may have changed. Nothing for 0, or where the backend cannot be told.
void AskForThreads(int threads, inference::ModelConfig& config);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_THREAD_PARAMETERS_H_
