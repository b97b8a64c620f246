// What is free in a range of memory that somebody else owns: first fit, with merging.
#ifndef HEADRACE_WORKER_ARENA_H_
#define HEADRACE_WORKER_ARENA_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace headrace::worker {

// Hands out pieces of [begin, end) by their offsets; touches no memory. First fit keeps what is in
// use at the low end, where the pages are warm. Not thread-safe. Costs a walk over the free pieces,
// of which there are few: pieces live as long as one execution.
class Arena {
 public:
  static constexpr std::uint64_t kAlignment = 64;

  // Both multiples of kAlignment.
  Arena(std::uint64_t begin, std::uint64_t end);

  // The offset of a piece of at least `byte_size` bytes, a multiple of kAlignment; a piece of no
  // bytes takes room as well, so that its offset is its own. Nothing where no free piece is long
  // enough.
  std::optional<std::uint64_t> Allocate(std::uint64_t byte_size);

  struct Piece {
    std::uint64_t offset = 0, byte_size = 0;
  };
  // Gives the piece that begins at `offset` back. What was given back; nothing if no piece in use
  // begins there.
  std::optional<Piece> Free(std::uint64_t offset);

  std::uint64_t used_byte_size() const { return used_byte_size_; }
  std::uint64_t byte_size() const { return end_ - begin_; }
  std::size_t piece_count() const { return used_.size(); }

 private:
  const std::uint64_t begin_, end_;
  std::uint64_t used_byte_size_ = 0;
  std::vector<Piece> free_;  // ascending, never two that touch
  std::vector<Piece> used_;  // ascending
};

}  // namespace headrace::worker

#endif  // HEADRACE_WORKER_ARENA_H_
