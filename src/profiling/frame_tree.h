// Frames within frames, and how they are put together.
#ifndef HEADRACE_PROFILING_FRAME_TREE_H_
#define HEADRACE_PROFILING_FRAME_TREE_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "base/clock.h"

namespace headrace::profiling {

struct FlameFrame {
  enum class Kind : std::uint8_t {
    kServer,    // the server's own spans: model, instance, batch
    kSource,    // a line of the model's source
    kOperator,  // of the runtime
    kCopy,      // one that moves or converts data
    kDevice,    // on a GPU
    kFunction,  // where the processor was found to be
  };
  std::string name{};
  Kind kind = Kind::kServer;
  Nanos total = 0;                     // with its children
  std::uint64_t count = 0;             // spans that were merged into it
  std::vector<FlameFrame> children{};  // in the order in which they came first

  Nanos self() const;
};

// Merges spans into frames. Frames are known by their number. One thread.
class FrameTree {
 public:
  static constexpr std::size_t kRoot = 0;
  // Below so many frames there are none: what is deeper is a part of what called it.
  static constexpr std::size_t kDepthMax = 256;

  FrameTree() : nodes_(1) {}

  // The frame of that name and kind in another one, which is made if it is new; `outer` itself
  // where that is the deepest that there can be.
  std::size_t Child(std::size_t outer, std::string_view name, FlameFrame::Kind kind);
  void Add(std::size_t frame, Nanos time, std::uint64_t count = 1);
  // Raises a frame's time to what the frames in it took together, where those ran side by side.
  void Cover(std::size_t frame);
  // All of it; frames without time are left out. The root takes what the frames in it take.
  FlameFrame Take(std::string_view root_name);

 private:
  struct Node {
    std::string name{};
    FlameFrame::Kind kind = FlameFrame::Kind::kServer;
    std::size_t depth = 0;
    Nanos total = 0;
    std::uint64_t count = 0;
    std::vector<std::size_t> children{};
  };
  FlameFrame FrameOf(const Node& node) const;

  std::vector<Node> nodes_;
  std::map<std::tuple<std::size_t, FlameFrame::Kind, std::string>, std::size_t> children_;
};

}  // namespace headrace::profiling

#endif  // HEADRACE_PROFILING_FRAME_TREE_H_
