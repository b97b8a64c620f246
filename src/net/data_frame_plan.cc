#include "net/data_frame_plan.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>

namespace headrace::net {

DataFramePlan::DataFramePlan(const DataFrameState& state, std::span<char> scratch)
    : stream_(state.stream) {
  if (!state.current.empty()) {
    Add(state.current.data(), state.current.size());
  }
  first_head_ = piece_count_;
  std::span<char> left = state.following;
  if (state.frame_byte_size >= kFrameByteSizeMin) {
    while (!left.empty() && frame_count_ < kFrameCountMax) {
      const std::size_t part = std::min(left.size(), state.frame_byte_size);
      Add(heads_[frame_count_].data(), kHeadByteSize);
      Add(left.data(), part);
      left = left.subspan(part);
      ++frame_count_;
    }
    whole_ = left.empty();
  }
  Add(scratch.data(), scratch.size());
}

void DataFramePlan::Add(char* data, std::size_t byte_size) {
  pieces_[piece_count_++] = {data, byte_size};
  byte_size_ += byte_size;
}

bool DataFramePlan::IsHead(std::size_t piece) const {
  return piece >= first_head_ && piece < first_head_ + 2 * frame_count_ &&
         (piece - first_head_) % 2 == 0;
}

bool DataFramePlan::IsExpected(std::size_t piece) const {
  const auto* head = static_cast<const unsigned char*>(pieces_[piece].iov_base);
  const auto number = [head](std::size_t begin, std::size_t end) {
    std::uint32_t value = 0;
    for (std::size_t i = begin; i < end; ++i) {
      value = value << 8 | head[i];
    }
    return value;
  };
  const bool last = whole_ && piece + 2 == first_head_ + 2 * frame_count_;
  const unsigned char flags_allowed = last ? NGHTTP2_FLAG_END_STREAM : 0;
  return number(0, 3) == pieces_[piece + 1].iov_len && head[3] == NGHTTP2_DATA &&
         (head[4] & ~flags_allowed) == 0 && number(5, 9) == static_cast<std::uint32_t>(stream_);
}

void DataFramePlan::Received(std::size_t count) {
  for (std::size_t i = 0; i < piece_count_ && count > 0; ++i) {
    if (IsHead(i) && count > kHeadByteSize && !IsExpected(i)) {
      as_planned_ = false;
      TakeOut(i, count);
      parts_[part_count_++] = taken_out_;
      return;
    }
    const std::size_t part = std::min(count, pieces_[i].iov_len);
    parts_[part_count_++] = {static_cast<const char*>(pieces_[i].iov_base), part};
    count -= part;
  }
}

void DataFramePlan::TakeOut(std::size_t piece, std::size_t count) {
  taken_out_.reserve(count);
  for (; count > 0; ++piece) {
    const std::size_t part = std::min(count, pieces_[piece].iov_len);
    taken_out_.append(static_cast<const char*>(pieces_[piece].iov_base), part);
    count -= part;
  }
}

}  // namespace headrace::net
