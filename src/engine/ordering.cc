#include "engine/ordering.h"

#include <utility>

namespace headrace::engine {

class ResponseOrder::Sink final : public ResponseSink {
 public:
  Sink(std::shared_ptr<ResponseOrder> order, std::uint64_t ticket,
       std::unique_ptr<ResponseSink> inner)
      : order_(std::move(order)), ticket_(ticket), inner_(std::move(inner)) {}

  Result<MutableBuffer> AllocateOutput(std::string_view name, std::size_t byte_size) override {
    return inner_->AllocateOutput(name, byte_size);
  }
  void Send(InferResponse response) override { responses_.push_back(std::move(response)); }
  void Finish(Status status) override {
    Place place;
    const bool unanswered = responses_.empty() && (status.code() == StatusCode::kCancelled ||
                                                   status.code() == StatusCode::kUnavailable);
    if (unanswered) {
      inner_->Finish(std::move(status));
      inner_.reset();
    } else {
      place = {.sink = std::move(inner_),
               .responses = std::move(responses_),
               .status = std::move(status)};
    }
    place.ended = true;
    order_->End(ticket_, std::move(place));
  }
  // After Finish the answer belongs to the line.
  bool Cancelled() const override { return inner_ != nullptr && inner_->Cancelled(); }

 private:
  const std::shared_ptr<ResponseOrder> order_;
  const std::uint64_t ticket_;
  std::unique_ptr<ResponseSink> inner_;
  std::vector<InferResponse> responses_;
};

std::unique_ptr<ResponseSink> ResponseOrder::Join(std::unique_ptr<ResponseSink> sink) {
  std::uint64_t ticket;
  {
    std::lock_guard lock(mutex_);
    ticket = first_ticket_ + line_.size();
    line_.emplace_back();
  }
  return std::make_unique<Sink>(shared_from_this(), ticket, std::move(sink));
}

std::size_t ResponseOrder::held_count() const {
  std::lock_guard lock(mutex_);
  return line_.size();
}

void ResponseOrder::End(std::uint64_t ticket, Place place) {
  std::unique_lock lock(mutex_);
  line_[ticket - first_ticket_] = std::move(place);
  if (delivering_) {
    return;  // the thread that is at it looks at the line again
  }
  delivering_ = true;
  while (!line_.empty() && line_.front().ended) {
    Place head = std::move(line_.front());
    line_.pop_front();
    ++first_ticket_;
    lock.unlock();
    if (head.sink != nullptr) {
      for (InferResponse& response : head.responses) {
        head.sink->Send(std::move(response));
      }
      head.sink->Finish(std::move(head.status));
      head.sink.reset();
    }
    lock.lock();
  }
  delivering_ = false;
}

}  // namespace headrace::engine
