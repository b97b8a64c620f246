// Deadlines of one constant duration, in a list that is sorted by itself: whoever is armed last
// expires last.
//
// One list per kind of timeout and loop; arming, disarming and finding the next deadline are O(1).
// Not thread-safe.
#ifndef HEADRACE_NET_TIMEOUT_LIST_H_
#define HEADRACE_NET_TIMEOUT_LIST_H_

#include "base/clock.h"
#include "base/intrusive_list.h"

namespace headrace::net {

class TimeoutList;

// Lives inside the object that waits; `Owner` finds that object again. In one list at most.
class TimeoutEntry : public ListNode<> {
 public:
  explicit TimeoutEntry(void* owner) : owner_(owner) {}
  ~TimeoutEntry() { Disarm(); }

  void Disarm();
  template <typename T>
  T& Owner() const {
    return *static_cast<T*>(owner_);
  }

 private:
  friend class TimeoutList;
  void* owner_;
  TimeoutList* list_ = nullptr;
  Nanos deadline_ = 0;
};

class TimeoutList {
 public:
  // `duration` kNever: nothing expires.
  explicit TimeoutList(Nanos duration) : duration_(duration) {}

  // Starts, or starts again, the wait of `entry`; takes it out of any other list.
  void Arm(TimeoutEntry& entry, Nanos now) {
    entry.Disarm();
    if (duration_ == kNever) {
      return;
    }
    entry.deadline_ = now + duration_;
    entry.list_ = this;
    entries_.PushBack(entry);
  }
  // kNever when nothing waits.
  Nanos NextDeadline() { return entries_.empty() ? kNever : entries_.front().deadline_; }
  // The next entry whose deadline is not after `now`, disarmed; null when there is none.
  TimeoutEntry* PopExpired(Nanos now) {
    if (NextDeadline() > now) {
      return nullptr;
    }
    TimeoutEntry& entry = entries_.front();
    entry.Disarm();
    return &entry;
  }

 private:
  friend class TimeoutEntry;
  const Nanos duration_;
  IntrusiveList<TimeoutEntry> entries_;
};

inline void TimeoutEntry::Disarm() {
  if (list_ != nullptr) {
    list_->entries_.Remove(*this);
    list_ = nullptr;
  }
}

}  // namespace headrace::net

#endif  // HEADRACE_NET_TIMEOUT_LIST_H_
