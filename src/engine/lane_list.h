// Requests in the order in which they are served: by lane, and in the order of arrival within one.
#ifndef HEADRACE_ENGINE_LANE_LIST_H_
#define HEADRACE_ENGINE_LANE_LIST_H_

#include <cstdint>
#include <iterator>
#include <map>

#include "base/intrusive_list.h"
#include "engine/request.h"

namespace headrace::engine {

// The lane is InferRequest::lane, and must not change while a request is in the list: 0 is served
// first. Does not own the requests. Lane 0 costs what an IntrusiveList costs; every other lane that
// holds something is a node of a map. Not thread-safe.
template <typename Tag>
class LaneList {
 public:
  bool empty() const { return first_.empty() && others_.empty(); }

  void PushBack(InferRequest& request) {
    (request.lane == 0 ? first_ : others_[request.lane]).PushBack(request);
  }
  void Remove(InferRequest& request) {
    if (request.lane == 0) {
      first_.Remove(request);
      return;
    }
    const auto found = others_.find(request.lane);
    found->second.Remove(request);
    if (found->second.empty()) {
      others_.erase(found);
    }
  }

  // The last one of the lanes below `end`, or null.
  InferRequest* LastBelow(std::uint64_t end) {
    const auto found = others_.lower_bound(end);
    if (found != others_.begin()) {
      return &std::prev(found)->second.back();
    }
    return first_.empty() || end == 0 ? nullptr : &first_.back();
  }

  // Null when there is none.
  InferRequest* First() {
    if (!first_.empty() || others_.empty()) {
      return first_.First();
    }
    return others_.begin()->second.First();
  }
  InferRequest* Next(InferRequest& request) {
    if (request.lane == 0) {
      InferRequest* next = first_.Next(request);
      return next != nullptr || others_.empty() ? next : others_.begin()->second.First();
    }
    const auto found = others_.find(request.lane);
    if (InferRequest* next = found->second.Next(request)) {
      return next;
    }
    const auto lane = std::next(found);
    return lane == others_.end() ? nullptr : lane->second.First();
  }

 private:
  using List = IntrusiveList<InferRequest, Tag>;
  List first_;
  std::map<std::uint64_t, List> others_;  // none is empty
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_LANE_LIST_H_
