// A response sink that keeps what it gets.
#ifndef HEADRACE_PLUGIN_TESTING_RECORDING_SINK_H_
#define HEADRACE_PLUGIN_TESTING_RECORDING_SINK_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "engine/response_sink.h"
#include "tensor/block_pool.h"

namespace headrace::plugin::testing {

// What one request came to; shared by the sink and the test. One thread at a time.
struct Record {
  std::vector<engine::InferResponse> responses;
  std::vector<const std::byte*> allocated;
  int finish_count = 0;
  Status status;
  bool cancelled = false;

  // The bytes of the first response's first output.
  std::string_view Output() const { return responses.at(0).outputs.at(0).tensor.data.view(); }
};

class RecordingSink final : public engine::ResponseSink {
 public:
  RecordingSink(std::shared_ptr<Record> record, BlockPool& pool)
      : record_(std::move(record)), pool_(pool) {}

  Result<MutableBuffer> AllocateOutput(std::string_view, std::size_t byte_size) override {
    auto buffer = pool_.Allocate(byte_size);
    if (buffer.ok()) {
      record_->allocated.push_back(buffer->data());
    }
    return buffer;
  }
  void Send(engine::InferResponse response) override {
    record_->responses.push_back(std::move(response));
  }
  void Finish(Status status) override {
    ++record_->finish_count;
    record_->status = std::move(status);
  }
  bool Cancelled() const override { return record_->cancelled; }

 private:
  const std::shared_ptr<Record> record_;
  BlockPool& pool_;
};

}  // namespace headrace::plugin::testing

#endif  // HEADRACE_PLUGIN_TESTING_RECORDING_SINK_H_
