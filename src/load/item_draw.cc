#include "load/item_draw.h"

#include <algorithm>

#include "load/random.h"

namespace headrace::load {

ItemDraw::ItemDraw(const Workload& workload) : seed_(HashOf(workload.seed)) {
  double sum = 0;
  for (const Item& item : workload.items) {
    sum += std::max(item.weight, 0.0);
    reached_.push_back(sum);
  }
  for (std::size_t i = 0; i < reached_.size(); ++i) {
    reached_[i] = sum > 0 ? reached_[i] / sum
                          : static_cast<double>(i + 1) / static_cast<double>(reached_.size());
  }
}

std::uint32_t ItemDraw::ItemOf(std::uint64_t arrival) const {
  if (reached_.size() <= 1) {
    return 0;
  }
  const double at = UniformOf(HashOf(seed_ + arrival));
  const auto item = std::upper_bound(reached_.begin(), reached_.end() - 1, at);
  return static_cast<std::uint32_t>(item - reached_.begin());
}

}  // namespace headrace::load
