#include "worker/arena.h"

#include <algorithm>

#include "base/check.h"

namespace headrace::worker {
namespace {

bool Before(const Arena::Piece& piece, std::uint64_t offset) { return piece.offset < offset; }

}  // namespace

Arena::Arena(std::uint64_t begin, std::uint64_t end) : begin_(begin), end_(end) {
  HEADRACE_CHECK(begin % kAlignment == 0 && end % kAlignment == 0 && begin <= end);
  if (begin < end) {
    free_.push_back({begin, end - begin});
  }
}

std::optional<std::uint64_t> Arena::Allocate(std::uint64_t byte_size) {
  if (byte_size > end_ - begin_) {
    return std::nullopt;
  }
  const std::uint64_t rounded =
      std::max((byte_size + kAlignment - 1) / kAlignment * kAlignment, kAlignment);
  const auto found = std::find_if(free_.begin(), free_.end(), [rounded](const Piece& piece) {
    return piece.byte_size >= rounded;
  });
  if (found == free_.end()) {
    return std::nullopt;
  }
  const Piece piece{found->offset, rounded};
  if (found->byte_size == rounded) {
    free_.erase(found);
  } else {
    found->offset += rounded;
    found->byte_size -= rounded;
  }
  used_.insert(std::lower_bound(used_.begin(), used_.end(), piece.offset, Before), piece);
  used_byte_size_ += rounded;
  return piece.offset;
}

std::optional<Arena::Piece> Arena::Free(std::uint64_t offset) {
  const auto found = std::lower_bound(used_.begin(), used_.end(), offset, Before);
  if (found == used_.end() || found->offset != offset) {
    return std::nullopt;
  }
  const Piece piece = *found;
  used_.erase(found);
  used_byte_size_ -= piece.byte_size;
  const auto next = std::lower_bound(free_.begin(), free_.end(), offset, Before);
  const bool joins_next = next != free_.end() && piece.offset + piece.byte_size == next->offset;
  const bool joins_previous =
      next != free_.begin() && std::prev(next)->offset + std::prev(next)->byte_size == piece.offset;
  if (joins_previous) {
    std::prev(next)->byte_size += piece.byte_size + (joins_next ? next->byte_size : 0);
    if (joins_next) {
      free_.erase(next);
    }
  } else if (joins_next) {
    next->offset = piece.offset;
    next->byte_size += piece.byte_size;
  } else {
    free_.insert(next, piece);
  }
  return piece;
}

}  // namespace headrace::worker
