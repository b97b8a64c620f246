// Which item of a workload a request is of.
#ifndef HEADRACE_LOAD_ITEM_DRAW_H_
#define HEADRACE_LOAD_ITEM_DRAW_H_

#include <cstdint>
#include <vector>

#include "load/workload.h"

namespace headrace::load {

// Draws by weight. The draw of an arrival depends on the workload's seed and the arrival's number
// only, so that it is the same however many senders there are. Weights that are not positive are
// never drawn; where none is positive, all are alike.
class ItemDraw {
 public:
  explicit ItemDraw(const Workload& workload);

  std::uint32_t ItemOf(std::uint64_t arrival) const;

 private:
  std::uint64_t seed_;
  std::vector<double> reached_;  // sums of the weights, of 1 in all
};

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_ITEM_DRAW_H_
