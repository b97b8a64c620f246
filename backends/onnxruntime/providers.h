// The runtime's execution providers: which ones its library has, and how they are asked for.
#ifndef HEADRACE_BACKENDS_ONNXRUNTIME_PROVIDERS_H_
#define HEADRACE_BACKENDS_ONNXRUNTIME_PROVIDERS_H_

#include <onnxruntime_cxx_api.h>

#include <cstdint>
#include <vector>

#include "common/error.h"
#include "onnxruntime/accelerators.h"

namespace headrace::backend {

// Whether the library can be asked for OpenVINO at all.
bool HasOpenVinoProvider();

// Requires HasOpenVinoProvider. May throw Ort::Exception.
void AppendOpenVino(const ProviderOptions& options, Ort::SessionOptions& session);

// The providers in order, each on device `gpu`. UNSUPPORTED if the library lacks one: the wheel
// onnxruntime-gpu has them. May throw Ort::Exception: the runtime's words for an option that it
// does not know, or a device that it does not find.
Error AppendGpu(const std::vector<GpuProvider>& providers, std::int64_t gpu,
                Ort::SessionOptions& session);

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_ONNXRUNTIME_PROVIDERS_H_
