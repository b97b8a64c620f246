// A batch on its way to the worker and back.
#ifndef HEADRACE_WORKER_FLIGHT_H_
#define HEADRACE_WORKER_FLIGHT_H_

#include <cstdint>
#include <vector>

#include "base/clock.h"
#include "engine/request.h"
#include "worker/open_requests.h"

namespace headrace::worker {

// What an EXECUTE has handed over, until its EXECUTED. The instance thread's.
struct Flight {
  engine::ModelHandle model;  // for what outlives its requests
  std::vector<OpenRequests::Opened> opened{};
  std::uint64_t number = 0;      // of the session's EXECUTEs, from 1
  std::uint64_t batch_size = 0;  // of all requests
  std::uint64_t block_offset = 0, block_size = 0;
  std::uint64_t output_byte_size = 0;  // once it is answered
  // Behind another batch it begins when that is answered: until then it queues, as far as
  // statistics and time limits are concerned.
  Nanos start = 0, sent = 0;
  Nanos answered = 0;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_FLIGHT_H_
