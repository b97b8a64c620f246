// How requests of a workload cross to a server. One object per sender, on that sender's thread.
#ifndef HEADRACE_LOAD_TRANSPORT_H_
#define HEADRACE_LOAD_TRANSPORT_H_

#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/result.h"
#include "load/poller.h"
#include "load/record.h"
#include "load/target.h"
#include "load/workload.h"

namespace headrace::load {

// One request that is due.
struct Outgoing {
  std::uint32_t slot = 0;  // the sender's number for it, free again once it is done
  std::uint32_t item = 0;
  std::uint32_t content = 0;
  Nanos timeout_at = kNever;
  std::uint64_t sequence_id = 0;  // 0 = none
  bool sequence_start = false;
  bool sequence_end = false;
};

// The sender's side. Called by the transport on the sender's thread, from within Flush, Expire,
// Abandon and the poller's dispatch, never from within Send. May not call the transport.
class CompletionSink {
 public:
  virtual ~CompletionSink() = default;
  // The first byte of `slot` went to the kernel. `cold`: over a connection that carried none
  // before.
  virtual void OnSent(std::uint32_t slot, Nanos when, bool cold) = 0;
  // One whole response of a stream; a unary request has none of these.
  virtual void OnResponse(std::uint32_t slot, Nanos when) = 0;
  // The end, exactly once for each Send.
  virtual void OnDone(std::uint32_t slot, Nanos when, Outcome outcome,
                      std::uint32_t wire_status) = 0;
};

class Transport {
 public:
  virtual ~Transport() = default;

  // Opens `connections` connections (or what stands for them) and drives them until they are up.
  // Bytes of requests are encoded before: Send copies no payload. Blocks for connect_timeout at
  // most; UNAVAILABLE names the address and the reason.
  virtual Status Connect(Poller& poller, CompletionSink& sink, int connections) = 0;

  // Takes the request at once. Where none of the connections is free it waits inside.
  virtual void Send(const Outgoing& request) = 0;

  // Ends with kTimeout what is out, or waits inside, past its timeout_at. The sender calls it about
  // every 20 ms; a transport that watches the time by itself has nothing to do here.
  virtual void Expire(Nanos now) { static_cast<void>(now); }

  // Gives up on what is still out: each ends with kTimeout before this returns.
  virtual void Abandon() = 0;

  // Writes what Send has gathered in this turn; the sender calls it once before it polls.
  virtual void Flush() {}

  // Requests that waited inside because every connection was taken, since Connect.
  virtual std::uint64_t waited_count() const = 0;
};

// What senders share: the encoded requests and, where there is any, registered shared memory or the
// server in this process. Made once for a run; thread-safe.
class TransportFactory {
 public:
  virtual ~TransportFactory() = default;
  virtual std::unique_ptr<Transport> Make() = 0;
};

// Encodes the workload for the target's protocol. `workload` outlives the factory.
// INVALID_ARGUMENT: a content that the protocol cannot carry, named by item and tensor.
Result<std::unique_ptr<TransportFactory>> MakeTransportFactory(const TargetSpec& target,
                                                               const Workload& workload);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_TRANSPORT_H_
