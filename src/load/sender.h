// One thread that sends on schedule and never waits for an answer.
#ifndef HEADRACE_LOAD_SENDER_H_
#define HEADRACE_LOAD_SENDER_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "load/arrivals.h"
#include "load/record.h"
#include "load/transport.h"
#include "load/workload.h"

namespace headrace::load {

// Takes the records of one or more senders. Called on their threads, a chunk at a time: when it is
// full, and every 20 ms. Implementations lock once for a chunk.
class RecordSink {
 public:
  virtual ~RecordSink() = default;
  virtual void Take(std::span<const RequestRecord> records) = 0;
};

struct SenderOptions {
  ArrivalSpec arrivals;
  int sender_index = 0;  // of `sender_count`: its share of the arrivals, or of the concurrency
  int sender_count = 1;
  int outstanding_max = 100'000;  // a guard: what is beyond it waits, and is counted
  Nanos request_timeout = 60 * kSecond;
  int cpu = -1;  // core to pin the thread to
  // So long before each intended time of an open loop the thread stays awake. A thread that sleeps
  // is late by the time that it takes to wake up (tens of microseconds, in a virtual machine more);
  // this buys that back with processor time, and is only for a core of its own.
  Nanos spin = 0;
};

// What a sender says of itself, at its end.
struct SenderFigures {
  std::uint64_t sent_count = 0;
  std::uint64_t waited_for_connection_count = 0;
  std::uint64_t outstanding_max_hit_count = 0;
  Nanos cpu_time = 0;  // of its thread, while it sent
};

class Sender {
 public:
  // The workload, the sink and the factory outlive the sender.
  Sender(SenderOptions options, const Workload& workload, TransportFactory& transports,
         RecordSink& records);
  ~Sender();

  // Connects. Blocks; called before Start by the thread that owns the sender.
  Status Connect();
  // Starts the thread; the schedule's zero is `start` (CLOCK_MONOTONIC).
  void Start(Nanos start);
  // Nothing that is due later than now is sent. What is out, and what was due and had to wait, may
  // end until `deadline`, then it is given up: a record with kTimeout for each. Sequences that are
  // open are ended by a request of their own. Any thread; does not block.
  void StopAt(Nanos deadline);
  // Waits for the thread. Every request that was sent has had its record by then.
  void Join();
  SenderFigures figures() const;  // after Join

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_SENDER_H_
