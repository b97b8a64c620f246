#include "worker/session.h"

#include <cstring>

namespace headrace::worker {
namespace {

constexpr std::size_t kPadding = 64;

}  // namespace

Result<std::shared_ptr<Session>> Session::Create(std::uint64_t data_byte_size,
                                                 std::function<void()> wake) {
  HEADRACE_ASSIGN_OR_RETURN(std::unique_ptr<DataRegion> region, DataRegion::Create(data_byte_size));
  HEADRACE_ASSIGN_OR_RETURN(Channel::Pair call, Channel::CreatePair());
  HEADRACE_ASSIGN_OR_RETURN(Channel::Pair side, Channel::CreatePair());
  return std::make_shared<Session>(
      std::move(call.ours), std::move(side.ours), std::move(region),
      TheirEnds{.call = std::move(call.theirs), .side = std::move(side.theirs)}, std::move(wake));
}

Status Session::Ask(MessageType type, std::string_view body, std::uint16_t flags) {
  Head head{.type = type, .flags = flags, .body_size = body.size()};
  if (body.size() > kPacketBodyByteSizeMax) {
    if (body.size() > kBodyByteSizeMax) {
      return InvalidArgument("a message of {} bytes for a worker; at most {} are allowed",
                             body.size(), kBodyByteSizeMax);
    }
    HEADRACE_ASSIGN_OR_RETURN(head.body_offset, region->Allocate(body.size()));
    std::memcpy(region->At(head.body_offset), body.data(), body.size());
    head.flags |= kFlagBodyInRegion;
    body = {};
  }
  const Result<bool> sent = call.Send(head, body);
  if (sent.ok() && *sent) {
    asked_blocks_.push_back(head.body_offset);
    return OkStatus();
  }
  if (head.body_offset != 0) {
    region->Free(head.body_offset);
  }
  // So few questions at a time always find room, unless nobody takes them.
  return sent.ok() ? Unavailable("the worker does not read its channel") : sent.status();
}

void Session::Answered() {
  if (asked_blocks_.empty()) {
    return;
  }
  if (asked_blocks_.front() != 0) {
    region->Free(asked_blocks_.front());
  }
  asked_blocks_.pop_front();
}

Result<std::span<const std::byte>> BodyOf(const Head& head, std::span<const std::byte> packet,
                                          const DataRegion& region, std::string& storage) {
  if ((head.flags & kFlagBodyInRegion) == 0) {
    return packet.subspan(kHeadByteSize);
  }
  if (!region.InWorkerHalf(head.body_offset, head.body_size)) {
    return InvalidArgument("a body of {} bytes lies at {}, which is not the worker's",
                           head.body_size, head.body_offset);
  }
  storage.assign(reinterpret_cast<const char*>(region.At(head.body_offset)), head.body_size);
  storage.reserve(storage.size() + kPadding);
  return std::as_bytes(std::span(storage.data(), storage.size()));
}

}  // namespace headrace::worker
