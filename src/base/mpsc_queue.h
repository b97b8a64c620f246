// A queue that many threads push into and one thread empties: the inbox of an event loop.
//
// The links live in the elements, so pushing allocates nothing. `Push` is lock-free and says
// whether the queue was empty: only that producer needs to wake the consumer, so one wake-up serves
// all that is pushed until `PopAll`.
//
//   if (inbox.Push(message)) eventfd.Signal();                                     // any thread
//   for (auto batch = inbox.PopAll(); Message* m = batch.PopFront();) Handle(*m);  // the consumer
#ifndef HEADRACE_BASE_MPSC_QUEUE_H_
#define HEADRACE_BASE_MPSC_QUEUE_H_

#include <atomic>
#include <utility>

namespace headrace {

// Derive an element from `MpscNode<Tag>`; one Tag per queue that it can be in at the same time.
template <typename Tag = void>
struct MpscNode {
  MpscNode() = default;
  MpscNode(const MpscNode&) = delete;
  MpscNode& operator=(const MpscNode&) = delete;

  MpscNode* next_in_queue = nullptr;  // owned by the queue while the element is in it
};

// Does not own its elements: an element belongs to the queue's user again once `PopFront` has
// returned it, and may then be pushed anew or destroyed. Elements left when the queue dies are the
// user's to have popped before.
template <typename T, typename Tag = void>
class MpscQueue {
  using Node = MpscNode<Tag>;

 public:
  // What one PopAll took, oldest first. Not thread-safe.
  class Batch {
   public:
    Batch() = default;
    Batch(Batch&& other) noexcept : head_(std::exchange(other.head_, nullptr)) {}
    Batch& operator=(Batch&& other) noexcept {
      head_ = std::exchange(other.head_, nullptr);
      return *this;
    }
    bool empty() const { return head_ == nullptr; }
    // The next element, or null at the end. The batch does not look at the element again.
    T* PopFront() {
      if (head_ == nullptr) {
        return nullptr;
      }
      Node* node = std::exchange(head_, head_->next_in_queue);
      node->next_in_queue = nullptr;
      return static_cast<T*>(node);
    }

   private:
    friend class MpscQueue;
    explicit Batch(Node* head) : head_(head) {}
    Node* head_ = nullptr;
  };

  MpscQueue() = default;
  MpscQueue(const MpscQueue&) = delete;
  MpscQueue& operator=(const MpscQueue&) = delete;

  // Any thread. True when the queue was empty before. What the caller wrote before is visible to
  // the consumer.
  bool Push(T& element) {
    Node* node = &static_cast<Node&>(element);
    Node* top = newest_.load(std::memory_order_relaxed);
    // After the exchange the consumer may already own (and destroy) the element: only `top` may be
    // looked at.
    do {
      node->next_in_queue = top;
    } while (!newest_.compare_exchange_weak(top, node, std::memory_order_release,
                                            std::memory_order_relaxed));
    return top == nullptr;
  }

  // The consumer only. All that has been pushed so far, in the order of the pushes.
  Batch PopAll() {
    Node* node = newest_.exchange(nullptr, std::memory_order_acquire);
    Node* oldest = nullptr;
    while (node != nullptr) {
      Node* older = std::exchange(node->next_in_queue, oldest);
      oldest = std::exchange(node, older);
    }
    return Batch(oldest);
  }

  // A hint for the consumer: false means that something waits; true may be out of date at once.
  bool empty() const { return newest_.load(std::memory_order_acquire) == nullptr; }

 private:
  std::atomic<Node*> newest_{nullptr};  // a stack; PopAll turns it round
};

}  // namespace headrace

#endif  // HEADRACE_BASE_MPSC_QUEUE_H_
