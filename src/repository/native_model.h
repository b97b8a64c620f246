// Models whose handler needs no Python: one of the default handlers over weights that the pytorch
// backend runs.
#ifndef HEADRACE_REPOSITORY_NATIVE_MODEL_H_
#define HEADRACE_REPOSITORY_NATIVE_MODEL_H_

#include <cstdint>
#include <memory>
#include <string>

#include "base/result.h"
#include "engine/backend.h"
#include "engine/request_stages.h"
#include "handler/cpu_pool.h"
#include "repository/model_config_fwd.h"
#include "repository/model_plan.h"
#include "repository/variant_manifest.h"
#include "tensor/block_pool.h"

namespace headrace::repository {

// A parameter of the configuration, and a key of model-config.yaml: "false" gives the model to
// Python workers.
inline constexpr char kNativeParameter[] = "native";

struct NativeModel {
  std::unique_ptr<engine::LoadedModel> loaded;  // null: the model is not native
  std::shared_ptr<engine::RequestStages> stages;
  std::string why_not;  // where it is not; empty: it is no handler's
};

// What native models use of the server's. Borrowed but for `cpu`.
struct NativeParts {
  std::shared_ptr<handler::CpuPool> cpu;  // null: there are no native handlers
  engine::BackendProvider& backends;
  BlockPool& pool;
};

// Loads `version` of the plan by the pytorch backend if its handler is image_classifier,
// image_segmenter, object_detector or text_classifier, its weights are TorchScript or a compiled
// package, it brings no code, and it asks for nothing that only a worker does. `variant`: runs in
// the place of the archive's weights, by its own backend; null: none. INVALID_ARGUMENT for a label
// file or settings that do not read; other failures are the backend's. Blocks.
Result<NativeModel> LoadNativeModel(const ModelPlan& plan, std::int64_t version,
                                    const Variant* variant, const NativeParts& parts);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_NATIVE_MODEL_H_
