// EXECUTE out of a batch of requests, and what EXECUTED says of them.
#ifndef HEADRACE_WORKER_FLIGHT_CODEC_H_
#define HEADRACE_WORKER_FLIGHT_CODEC_H_

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "worker/delivery.h"
#include "worker/flight.h"
#include "worker/json_messages.h"
#include "worker/session.h"
#include "worker/wire.h"

namespace headrace::worker {

// Of one instance; the instance thread's. Keeps its memory from batch to batch.
class FlightCodec {
 public:
  FlightCodec(std::vector<std::string> input_names, std::vector<std::string> output_names)
      : input_names_(std::move(input_names)), output_names_(std::move(output_names)) {}

  // Copies the inputs into a block of the region, which the flight has then, and makes the body of
  // EXECUTE, valid until the next call. RESOURCE_EXHAUSTED: they find no room.
  Result<std::string_view> Encode(Session& session, Flight& flight);

  struct Answered {
    std::unique_ptr<engine::InferRequest> request;
    Answer answer;
    bool rescheduled = false;
    bool ends_sequence = false;
  };
  // Reads EXECUTED, takes the requests that it answers and copies their outputs; what it has read
  // before a fault stands. INVALID_ARGUMENT: the worker breaks the rules.
  Status Decode(Session& session, Flight& flight, std::span<const std::byte> packet,
                std::vector<Answered>& answered);

 private:
  void AppendInputs(const Session& session, const OpenRequests::Opened& opened,
                    std::uint64_t& offset);

  const std::vector<std::string> input_names_, output_names_;
  std::string body_, extras_, storage_;
  std::vector<WireTensor> tensors_;
  WireDecoder decoder_;
  JsonDecoder json_;
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_FLIGHT_CODEC_H_
