// Packets that carry more than bytes: descriptors on the way to a process, and on the way from one
// the kernel's word about who sent them.
#ifndef HEADRACE_WORKER_DESCRIPTOR_PASSING_H_
#define HEADRACE_WORKER_DESCRIPTOR_PASSING_H_

#include <sys/types.h>

#include <cstddef>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "worker/channel.h"

namespace headrace::worker {

inline constexpr std::size_t kPassedDescriptorCountMax = 8;

// As Channel::Send; the other side gets copies of `descriptors`, kPassedDescriptorCountMax at most,
// in this order.
Result<bool> SendWithDescriptors(Channel& channel, const Head& head, std::string_view body,
                                 std::span<const int> descriptors);

struct PacketFrom {
  std::size_t byte_size = 0;
  pid_t sender = 0;  // 0: the kernel does not say
};

// From now on packets that are sent to `channel` have a sender.
Status AskForSenders(Channel& channel);
// As Channel::Receive. The sender is the process that made the system call, as the kernel says; one
// without capabilities cannot name another. Descriptors that came along are closed.
Result<std::optional<PacketFrom>> ReceiveWithSender(Channel& channel, PacketBuffer& buffer);

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_DESCRIPTOR_PASSING_H_
