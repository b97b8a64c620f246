#include "profiling/frame_tree.h"

#include <algorithm>
#include <utility>

namespace headrace::profiling {

Nanos FlameFrame::self() const {
  Nanos time = total;
  for (const FlameFrame& child : children) {
    time -= child.total;
  }
  return std::max<Nanos>(0, time);
}

std::size_t FrameTree::Child(std::size_t outer, std::string_view name, FlameFrame::Kind kind) {
  if (nodes_[outer].depth >= kDepthMax) {
    return outer;
  }
  const auto [at, added] =
      children_.try_emplace(std::tuple(outer, kind, std::string(name)), nodes_.size());
  if (added) {
    nodes_[outer].children.push_back(at->second);
    nodes_.push_back({.name = std::string(name), .kind = kind, .depth = nodes_[outer].depth + 1});
  }
  return at->second;
}

void FrameTree::Add(std::size_t frame, Nanos time, std::uint64_t count) {
  nodes_[frame].total += time;
  nodes_[frame].count += count;
}

void FrameTree::Cover(std::size_t frame) {
  Nanos sum = 0;
  for (const std::size_t child : nodes_[frame].children) {
    sum += nodes_[child].total;
  }
  nodes_[frame].total = std::max(nodes_[frame].total, sum);
}

FlameFrame FrameTree::Take(std::string_view root_name) {
  nodes_[kRoot].name = root_name;
  Cover(kRoot);
  return FrameOf(nodes_[kRoot]);
}

FlameFrame FrameTree::FrameOf(const Node& node) const {
  FlameFrame frame{.name = node.name, .kind = node.kind, .total = node.total, .count = node.count};
  for (const std::size_t child : node.children) {
    if (nodes_[child].total > 0) {
      frame.children.push_back(FrameOf(nodes_[child]));
    }
  }
  return frame;
}

}  // namespace headrace::profiling
