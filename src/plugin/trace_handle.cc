#include "plugin/trace_handle.h"

#include <atomic>
#include <utility>

namespace headrace::plugin {
namespace {

constexpr std::uint32_t kTimestamps = TRITONSERVER_TRACE_LEVEL_TIMESTAMPS |
                                      TRITONSERVER_TRACE_LEVEL_MIN | TRITONSERVER_TRACE_LEVEL_MAX;

// Reports to the callbacks of a trace that was made through the interface.
class CallerTrace final : public engine::RequestTrace {
 public:
  explicit CallerTrace(TRITONSERVER_InferenceTrace* handle) : handle_(handle) {}
  ~CallerTrace() override {
    if (handle_->callbacks.release != nullptr) {
      handle_->callbacks.release(handle_, handle_->callbacks.userp);
    } else {
      delete handle_;
    }
  }

  void SetModel(std::string_view name, std::int64_t version, std::string_view request) override {
    handle_->model_name = name;
    handle_->model_version = version;
    handle_->request_id = request;
  }
  void Report(engine::TraceActivity activity, Nanos time) override {
    if ((handle_->level & kTimestamps) != 0 && handle_->callbacks.activity != nullptr) {
      handle_->callbacks.activity(handle_,
                                  static_cast<TRITONSERVER_InferenceTraceActivity>(activity),
                                  static_cast<std::uint64_t>(time), handle_->callbacks.userp);
    }
  }
  // The interface has no place for the name.
  void ReportCustom(std::string_view, Nanos time) override {
    Report(engine::TraceActivity::kCustom, time);
  }
  bool WantsTensors() const override {
    return (handle_->level & TRITONSERVER_TRACE_LEVEL_TENSORS) != 0 &&
           handle_->callbacks.tensor != nullptr;
  }
  void ReportTensor(engine::TraceActivity activity, std::string_view name,
                    const Tensor& tensor) override {
    // One report per buffer: the callback gets memory that lies in one piece.
    const std::string text(name);
    for (std::size_t i = 0; i < tensor.fragment_count(); ++i) {
      const Buffer& buffer = tensor.fragment(i);
      handle_->callbacks.tensor(handle_, static_cast<TRITONSERVER_InferenceTraceActivity>(activity),
                                text.c_str(), static_cast<TRITONSERVER_DataType>(tensor.dtype),
                                buffer.data(), buffer.size(), tensor.shape.data(),
                                tensor.shape.rank(),
                                static_cast<TRITONSERVER_MemoryType>(tensor.memory_kind),
                                tensor.memory_id, handle_->callbacks.userp);
    }
  }
  std::shared_ptr<engine::RequestTrace> SpawnChild() override {
    return AdoptTrace(plugin::SpawnChild(*handle_));
  }
  std::uint64_t id() const override { return handle_->id; }
  std::string Context() const override { return handle_->context; }

  TRITONSERVER_InferenceTrace* handle() const { return handle_; }

 private:
  TRITONSERVER_InferenceTrace* const handle_;
};

}  // namespace

std::uint64_t NextTraceId() {
  static std::atomic<std::uint64_t> last{0};
  return last.fetch_add(1, std::memory_order_relaxed) + 1;
}

std::shared_ptr<engine::RequestTrace> AdoptTrace(TRITONSERVER_InferenceTrace* handle) {
  if (handle == nullptr) {
    return nullptr;
  }
  if (handle->own != nullptr) {
    std::shared_ptr<engine::RequestTrace> own = std::move(handle->own);
    delete handle;
    return own;
  }
  return std::make_shared<CallerTrace>(handle);
}

TRITONSERVER_InferenceTrace* SpawnChild(TRITONSERVER_InferenceTrace& parent) {
  auto child = std::make_unique<TRITONSERVER_InferenceTrace>();
  child->parent_id = parent.id;
  child->level = parent.level;
  child->context = parent.context;
  if (parent.own != nullptr) {
    child->own = parent.own->SpawnChild();
    child->id = child->own == nullptr ? 0 : child->own->id();
    return child->own == nullptr ? nullptr : child.release();
  }
  child->callbacks = parent.callbacks;
  child->id = NextTraceId();
  return child.release();
}

TRITONSERVER_InferenceTrace* HandleOf(const std::shared_ptr<engine::RequestTrace>& trace,
                                      TRITONSERVER_InferenceTrace& shown) {
  if (trace == nullptr) {
    return nullptr;
  }
  if (const auto* mine = dynamic_cast<const CallerTrace*>(trace.get())) {
    return mine->handle();
  }
  if (shown.own != trace) {
    shown.own = trace;
    shown.id = trace->id();
    shown.context = trace->Context();
  }
  return &shown;
}

}  // namespace headrace::plugin
