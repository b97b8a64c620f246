// preserve_ordering: answers leave in the order in which their requests came, also when several
// instances work on them.
#ifndef HEADRACE_ENGINE_ORDERING_H_
#define HEADRACE_ENGINE_ORDERING_H_

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <vector>

#include "engine/response_sink.h"

namespace headrace::engine {

// One line of requests: each Join takes the next place, and what a sink is told is passed on when
// all places before it have ended. Requests that end without having been executed (CANCELLED,
// UNAVAILABLE) are answered at once and give up their place. For models with one response per
// request: responses are held until their request ends. Thread-safe.
//
// The inner sink's calls keep its contract (one thread at a time): AllocateOutput comes before the
// request ends, Send and Finish after, from whichever thread ended the last request before it. No
// lock is held over them.
class ResponseOrder : public std::enable_shared_from_this<ResponseOrder> {
 public:
  // The place in line for `sink`'s request; call in the order of arrival. The result keeps the line
  // alive.
  std::unique_ptr<ResponseSink> Join(std::unique_ptr<ResponseSink> sink);
  // Places that have not been passed on.
  std::size_t held_count() const;

 private:
  class Sink;
  struct Place {
    std::unique_ptr<ResponseSink> sink;
    std::vector<InferResponse> responses;
    Status status;
    bool ended = false;
  };

  void End(std::uint64_t ticket, Place place);

  mutable std::mutex mutex_;  // guards what follows
  std::deque<Place> line_;
  std::uint64_t first_ticket_ = 0;  // of line_.front()
  bool delivering_ =
      false;  // one thread at a time passes answers on, or they could overtake each other
};

}  // namespace headrace::engine

#endif  // HEADRACE_ENGINE_ORDERING_H_
