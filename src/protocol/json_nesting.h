// Checks that nested arrays are regular while they are walked.
#ifndef HEADRACE_PROTOCOL_JSON_NESTING_H_
#define HEADRACE_PROTOCOL_JSON_NESTING_H_

#include <cstddef>
#include <vector>

namespace headrace::protocol {

// Told of every bracket and every run of elements; each call says whether the nesting is still
// regular. Costs one step per bracket, whatever the number of elements.
class JsonNesting {
 public:
  std::size_t depth() const { return levels_used_; }

  bool Open() {
    if (leaf_depth_ != 0 && levels_used_ >= leaf_depth_) {
      return false;
    }
    if (levels_.size() == levels_used_) {
      levels_.emplace_back();
    }
    levels_[levels_used_++].count = 0;
    return true;
  }
  // `count` elements that are no arrays, in the innermost array. Requires Open before.
  bool Leaves(std::size_t count) {
    levels_[levels_used_ - 1].count += count;
    if (leaf_depth_ == 0) {
      leaf_depth_ = levels_used_;
    }
    return leaf_depth_ == levels_used_;
  }
  // Requires Open before.
  bool Close() {
    Level& level = levels_[levels_used_ - 1];
    if (level.count == 0 && !Leaves(0)) {
      return false;
    }
    if (level.closed && level.expected != level.count) {
      return false;
    }
    level.closed = true;
    level.expected = level.count;
    if (--levels_used_ != 0) {
      ++levels_[levels_used_ - 1].count;
    }
    return true;
  }

 private:
  struct Level {
    std::size_t count = 0;     // elements of the array that is open
    std::size_t expected = 0;  // elements of those that were closed
    bool closed = false;
  };
  std::vector<Level> levels_;  // by depth
  std::size_t levels_used_ = 0;
  std::size_t leaf_depth_ = 0;  // 0: not known yet
};

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_JSON_NESTING_H_
