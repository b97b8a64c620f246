// A library of custom operators for the tests: Triple, which answers three times its input.
#define ORT_API_MANUAL_INIT
#include <onnxruntime_cxx_api.h>

namespace {

struct TripleKernel {
  void Compute(OrtKernelContext* raw) {
    const Ort::KernelContext context(raw);
    const auto input = context.GetInput(0);
    const auto info = input.GetTensorTypeAndShapeInfo();
    auto output = context.GetOutput(0, info.GetShape());
    const float* const from = input.GetTensorData<float>();
    float* const to = output.GetTensorMutableData<float>();
    for (std::size_t i = 0; i < info.GetElementCount(); ++i) {
      to[i] = 3 * from[i];
    }
  }
};

struct Triple : Ort::CustomOpBase<Triple, TripleKernel> {
  void* CreateKernel(const OrtApi&, const OrtKernelInfo*) const { return new TripleKernel; }
  const char* GetName() const { return "Triple"; }
  std::size_t GetInputTypeCount() const { return 1; }
  ONNXTensorElementDataType GetInputType(std::size_t) const {
    return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  }
  std::size_t GetOutputTypeCount() const { return 1; }
  ONNXTensorElementDataType GetOutputType(std::size_t) const {
    return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
  }
};

}  // namespace

// What the runtime looks up.
extern "C" __attribute__((visibility("default"))) OrtStatus* RegisterCustomOps(
    OrtSessionOptions* options, const OrtApiBase* base) {
  Ort::InitApi(base->GetApi(HEADRACE_ORT_API_VERSION));
  static const Triple triple;
  static const Ort::CustomOpDomain domain = [] {
    Ort::CustomOpDomain made("headrace.test");
    made.Add(&triple);
    return made;
  }();
  Ort::UnownedSessionOptions(options).Add(domain);
  return nullptr;
}
