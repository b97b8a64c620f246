#include "worker/flight_codec.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "engine/model.h"
#include "engine/reshape.h"

namespace headrace::worker {
namespace {

std::uint64_t Aligned(std::uint64_t byte_size) {
  return (byte_size + Arena::kAlignment - 1) / Arena::kAlignment * Arena::kAlignment;
}

}  // namespace

Result<std::string_view> FlightCodec::Encode(Session& session, Flight& flight) {
  flight.block_size = flight.batch_size = 0;
  for (const OpenRequests::Opened& opened : flight.opened) {
    flight.batch_size += static_cast<std::uint64_t>(opened.request->batch_size);
    for (const NamedTensor& input : opened.request->inputs) {
      flight.block_size += Aligned(input.tensor.byte_size());
    }
  }
  HEADRACE_ASSIGN_OR_RETURN(flight.block_offset, session.region->Allocate(flight.block_size));
  body_.clear();
  AppendExecute(body_, static_cast<std::uint32_t>(flight.opened.size()), flight.block_offset,
                flight.block_size);
  std::uint64_t offset = flight.block_offset;
  for (const OpenRequests::Opened& opened : flight.opened) {
    AppendInputs(session, opened, offset);
  }
  return std::string_view(body_);
}

void FlightCodec::AppendInputs(const Session& session, const OpenRequests::Opened& opened,
                               std::uint64_t& offset) {
  const engine::InferRequest& request = *opened.request;
  const engine::ModelSignature& signature = request.model()->signature();
  tensors_.clear();
  for (const NamedTensor& input : request.inputs) {
    WireTensor& tensor = tensors_.emplace_back();
    tensor.offset = offset;
    tensor.byte_size = input.tensor.byte_size();
    tensor.dtype = input.tensor.dtype;
    tensor.shape = input.tensor.shape;
    tensor.name = input.name;
    const auto index = static_cast<std::size_t>(
        std::find(input_names_.begin(), input_names_.end(), input.name) - input_names_.begin());
    if (index < input_names_.size() && index < kNameFollows) {
      tensor.name_index = static_cast<std::uint16_t>(index);
    }
    if (const engine::TensorSpec* const spec = signature.FindInput(input.name);
        spec != nullptr && spec->reshape) {
      const std::size_t batch_rank = signature.batch_size_max > 0 ? 1 : 0;
      if (const auto inside =
              engine::Reshape(tensor.shape, spec->dims, *spec->reshape, batch_rank)) {
        tensor.shape = *inside;
      }
    }
    std::uint64_t at = offset;
    for (std::size_t i = 0; i < input.tensor.fragment_count(); ++i) {
      if (const Buffer& fragment = input.tensor.fragment(i); !fragment.empty()) {
        std::memcpy(session.region->At(at), fragment.data(), fragment.size());
        at += fragment.size();
      }
    }
    offset += Aligned(tensor.byte_size);
  }
  extras_.clear();
  AppendRequestExtras(request, output_names_, extras_);
  AppendRequest(body_, {.key = opened.key,
                        .correlation_id = request.correlation_id,
                        .timeout_us = request.timeout_us,
                        .sequence_flags = request.sequence_flags,
                        .cancel_slot = opened.cancel_slot,
                        .tensors = tensors_,
                        .extras = extras_});
}

Status FlightCodec::Decode(Session& session, Flight& flight, std::span<const std::byte> packet,
                           std::vector<Answered>& answered) {
  HEADRACE_ASSIGN_OR_RETURN(const Head head, DecodeHead(packet));
  if (head.type != MessageType::kExecuted) {
    return InvalidArgument("a packet of type {} out of turn", static_cast<int>(head.type));
  }
  HEADRACE_ASSIGN_OR_RETURN(const std::span<const std::byte> body,
                            BodyOf(head, packet, *session.region, storage_));
  HEADRACE_ASSIGN_OR_RETURN(
      const std::span<const WireResponse> responses,
      decoder_.Responses(
          body,
          {.worker_half = {.begin = session.region->middle(), .end = session.region->byte_size()},
           .block = {.begin = flight.block_offset, .end = flight.block_offset + flight.block_size},
           .names = output_names_,
           .count_max = static_cast<std::uint32_t>(flight.opened.size())}));
  flight.answered = Clock::Real().Now();
  for (const WireResponse& response : responses) {
    HEADRACE_ASSIGN_OR_RETURN(ResponseExtras extras, json_.Response(response.extras));
    // Those of a batch behind this one are open too: their turn comes.
    if (std::none_of(flight.opened.begin(), flight.opened.end(),
                     [&](const auto& opened) { return opened.key == response.key; })) {
      return InvalidArgument("an answer to {}, which is not executing", response.key);
    }
    auto request = session.open.TakeExecuting(response.key);
    if (request == nullptr) {
      continue;  // its stream has ended it
    }
    Answered& own = answered.emplace_back();
    own.request = std::move(request);
    own.rescheduled = response.rescheduled;
    own.ends_sequence = response.ends_sequence;
    if (!own.rescheduled) {
      for (const WireTensor& tensor : response.tensors) {
        flight.output_byte_size += tensor.byte_size;
      }
      own.answer = PrepareAnswer(response, std::move(extras), *own.request, *session.region);
      own.answer.ends = true;  // EXECUTED has the last word
    }
  }
  if ((head.flags & kFlagBlockFree) != 0 && !session.region->Free(flight.block_offset)) {
    return InvalidArgument("the block of an execution is released twice");
  }
  session.Answered();
  return OkStatus();
}

}  // namespace headrace::worker
