#include "worker/side_sender.h"

#include <cstring>
#include <utility>

namespace headrace::worker {

SideSender::SideSender(Channel& channel, DataRegion& region, std::function<void()> wake)
    : channel_(channel), region_(region), wake_(std::move(wake)) {}

Status SideSender::Send(MessageType type, std::string body) {
  Message message{.head = {.type = type, .body_size = body.size()}, .body = std::move(body)};
  if (message.body.size() > kPacketBodyByteSizeMax) {
    if (message.body.size() > kBodyByteSizeMax) {
      return Status(StatusCode::kResourceExhausted,
                    fmt::format("a message of {} bytes for a worker; at most {} are allowed",
                                message.body.size(), kBodyByteSizeMax));
    }
    HEADRACE_ASSIGN_OR_RETURN(message.head.body_offset, region_.Allocate(message.body.size()));
    std::memcpy(region_.At(message.head.body_offset), message.body.data(), message.body.size());
    message.head.flags = kFlagBodyInRegion;
    message.body.clear();
  }
  std::lock_guard lock(mutex_);
  if (messages_.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(const bool sent, channel_.TrySend(message.head, message.body));
    if (sent) {
      return OkStatus();
    }
  }
  if (waiting_byte_size_ + message.body.size() > kWaitingByteSizeMax) {
    if (message.head.body_offset != 0) {
      region_.Free(message.head.body_offset);
    }
    return Status(
        StatusCode::kResourceExhausted,
        fmt::format("the worker does not read: {} bytes wait for it", waiting_byte_size_));
  }
  waiting_byte_size_ += message.body.size() + kHeadByteSize;
  messages_.push_back(std::move(message));
  wake_();
  return OkStatus();
}

Status SideSender::Flush() {
  std::lock_guard lock(mutex_);
  while (!messages_.empty()) {
    HEADRACE_ASSIGN_OR_RETURN(const bool sent,
                              channel_.TrySend(messages_.front().head, messages_.front().body));
    if (!sent) {
      break;
    }
    waiting_byte_size_ -= messages_.front().body.size() + kHeadByteSize;
    messages_.pop_front();
  }
  return OkStatus();
}

bool SideSender::waiting() const {
  std::lock_guard lock(mutex_);
  return !messages_.empty();
}

}  // namespace headrace::worker
