// Reads the DATA frames of a large message straight to their place, several with one system call.
//
// A peer that sends a large message sends frames of one size. So the heads that lie between them
// are expected where the size of the first says, nine bytes each, and the socket is read into the
// message's block, a head, the block again, ... What came is looked at before anybody acts on it:
// from the first head on that is not what was expected, it is taken out of the block, and goes the
// ordinary way.
#ifndef HEADRACE_NET_DATA_FRAME_PLAN_H_
#define HEADRACE_NET_DATA_FRAME_PLAN_H_

#include <sys/uio.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace headrace::net {

// What is known of the frame that is being received, or was received last.
struct DataFrameState {
  std::int32_t stream = 0;
  std::size_t frame_byte_size = 0;  // of the whole frame
  std::span<char> current;          // where the rest of it goes; may be empty
  // Where the bytes of the frames behind it would go, up to the end of the message. Empty: they
  // are not known to come next.
  std::span<char> following;
};

// For one read. Not thread-safe.
class DataFramePlan {
 public:
  static constexpr std::size_t kHeadByteSize = 9;
  static constexpr std::size_t kFrameCountMax = 16;  // behind the current one
  // Smaller frames are read as they come.
  static constexpr std::size_t kFrameByteSizeMin = 4096;

  // `scratch` takes what lies behind the planned frames.
  DataFramePlan(const DataFrameState& state, std::span<char> scratch);
  DataFramePlan(const DataFramePlan&) = delete;
  DataFramePlan& operator=(const DataFramePlan&) = delete;

  // Where to read to, in order. Never empty.
  std::span<const iovec> pieces() const { return {pieces_.data(), piece_count_}; }
  std::size_t byte_size() const { return byte_size_; }  // of all pieces

  // Looks at the `count` bytes that were read there.
  void Received(std::size_t count);
  // They, in the order in which they came. Those of planned frames are where they belong.
  std::span<const std::string_view> parts() const { return {parts_.data(), part_count_}; }
  // False when other frames came than were planned.
  bool as_planned() const { return as_planned_; }

 private:
  void Add(char* data, std::size_t byte_size);
  bool IsHead(std::size_t piece) const;
  // Whether the bytes of that head are those of the frame that was planned.
  bool IsExpected(std::size_t piece) const;
  void TakeOut(std::size_t piece, std::size_t count);

  const std::int32_t stream_;
  std::size_t first_head_ = 0;   // piece
  std::size_t frame_count_ = 0;  // planned
  bool whole_ = false;           // the frames that were planned end the message
  std::array<std::array<char, kHeadByteSize>, kFrameCountMax> heads_;
  // The current frame; head and bytes of each that follows; the scratch memory.
  std::array<iovec, 2 * kFrameCountMax + 2> pieces_;
  std::size_t piece_count_ = 0;
  std::size_t byte_size_ = 0;
  std::array<std::string_view, 2 * kFrameCountMax + 2> parts_;
  std::size_t part_count_ = 0;
  bool as_planned_ = true;
  std::string taken_out_;
};

}  // namespace headrace::net

#endif  // HEADRACE_NET_DATA_FRAME_PLAN_H_
