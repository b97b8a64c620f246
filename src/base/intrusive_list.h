// A doubly linked list whose links live in its elements: no allocation, O(1) removal of a known
// element.
#ifndef HEADRACE_BASE_INTRUSIVE_LIST_H_
#define HEADRACE_BASE_INTRUSIVE_LIST_H_

#include <cstddef>

#include "base/check.h"

namespace headrace {

// Derive an element from `ListNode<Tag>`; one Tag per list that it can be in at the same time.
template <typename Tag = void>
struct ListNode {
  ListNode* previous = nullptr;
  ListNode* next = nullptr;
  bool linked() const { return next != nullptr; }
  ListNode() = default;
  ListNode(const ListNode&) = delete;
  ListNode& operator=(const ListNode&) = delete;
};

// Does not own its elements; an element must be removed before it dies. Not thread-safe.
template <typename T, typename Tag = void>
class IntrusiveList {
  using Node = ListNode<Tag>;

 public:
  IntrusiveList() { head_.previous = head_.next = &head_; }
  IntrusiveList(const IntrusiveList&) = delete;
  IntrusiveList& operator=(const IntrusiveList&) = delete;

  bool empty() const { return head_.next == &head_; }
  std::size_t size() const { return size_; }
  T& front() { return *static_cast<T*>(head_.next); }
  T& back() { return *static_cast<T*>(head_.previous); }
  // The element after `element`, or null at the end. `First()` is null when empty.
  T* First() { return empty() ? nullptr : &front(); }
  const T* First() const { return empty() ? nullptr : static_cast<const T*>(head_.next); }
  T* Next(T& element) {
    Node* next = static_cast<Node&>(element).next;
    return next == &head_ ? nullptr : static_cast<T*>(next);
  }
  const T* Next(const T& element) const {
    const Node* next = static_cast<const Node&>(element).next;
    return next == &head_ ? nullptr : static_cast<const T*>(next);
  }

  void PushBack(T& element) { InsertBefore(head_, element); }
  void PushFront(T& element) { InsertBefore(*head_.next, element); }
  void Remove(T& element) {
    Node& node = element;
    HEADRACE_CHECK(node.linked());
    node.previous->next = node.next;
    node.next->previous = node.previous;
    node.previous = node.next = nullptr;
    --size_;
  }
  T& PopFront() {
    T& element = front();
    Remove(element);
    return element;
  }

 private:
  void InsertBefore(Node& place, T& element) {
    Node& node = element;
    HEADRACE_CHECK(!node.linked());
    node.previous = place.previous;
    node.next = &place;
    place.previous->next = &node;
    place.previous = &node;
    ++size_;
  }

  Node head_;
  std::size_t size_ = 0;
};

}  // namespace headrace

#endif  // HEADRACE_BASE_INTRUSIVE_LIST_H_
