#include "frontend/v2_routes.h"

#include "frontend/predictions.h"
#include "frontend/v2_handlers.h"

namespace headrace::frontend {
namespace {

using enum MethodSet;
using enum OperationClass;

constexpr Route kRoutes[] = {
    {"/v2", kGet, kMetadata, BodyRule::kIgnored, ServeServerMetadata},
    {"/v2/health/live", kGet, kHealth, BodyRule::kIgnored, ServeLive},
    {"/v2/health/ready", kGet, kHealth, BodyRule::kIgnored, ServeReady},

    {"/v2/models/{model}", kGet, kMetadata, BodyRule::kIgnored, ServeModelMetadata},
    {"/v2/models/{model}/versions/{version}", kGet, kMetadata, BodyRule::kIgnored,
     ServeModelMetadata},
    {"/v2/models/{model}/ready", kGet, kHealth, BodyRule::kIgnored, ServeModelReady},
    {"/v2/models/{model}/versions/{version}/ready", kGet, kHealth, BodyRule::kIgnored,
     ServeModelReady},
    {"/v2/models/{model}/config", kGet, kModelConfig, BodyRule::kIgnored, ServeModelConfig},
    {"/v2/models/{model}/versions/{version}/config", kGet, kModelConfig, BodyRule::kIgnored,
     ServeModelConfig},
    {"/v2/models/stats", kGet, kStatistics, BodyRule::kIgnored, ServeAllStatistics},
    {"/v2/models/{model}/stats", kGet, kStatistics, BodyRule::kIgnored, ServeModelStatistics},
    {"/v2/models/{model}/versions/{version}/stats", kGet, kStatistics, BodyRule::kIgnored,
     ServeModelStatistics},

    {"/v2/models/{model}/infer", kPost, kInference, BodyRule::kInfer, ServeInfer},
    {"/v2/models/{model}/versions/{version}/infer", kPost, kInference, BodyRule::kInfer,
     ServeInfer},
    {"/v2/models/{model}/generate", kPost, kInference, BodyRule::kUpload, ServeGenerate},
    {"/v2/models/{model}/versions/{version}/generate", kPost, kInference, BodyRule::kUpload,
     ServeGenerate},
    {"/v2/models/{model}/generate_stream", kPost, kInference, BodyRule::kUpload,
     ServeGenerateStream},
    {"/v2/models/{model}/versions/{version}/generate_stream", kPost, kInference, BodyRule::kUpload,
     ServeGenerateStream},

    {"/v2/models/{model}/profile", kPost, kTrace, BodyRule::kControl, ServeProfile},
    {"/v2/models/{model}/versions/{version}/profile", kPost, kTrace, BodyRule::kControl,
     ServeProfile},
    {"/v2/trace/setting", kGetAndPost, kTrace, BodyRule::kControl, ServeTraceSetting},
    {"/v2/models/{model}/trace/setting", kGetAndPost, kTrace, BodyRule::kControl,
     ServeTraceSetting},
    {"/v2/logging", kGetAndPost, kLogging, BodyRule::kControl, ServeLogSettings},

    {"/v2/repository/index", kPost, kModelRepository, BodyRule::kControl, ServeRepositoryIndex},
    {"/v2/repository/{repository}/index", kPost, kModelRepository, BodyRule::kControl,
     ServeRepositoryIndex},
    {"/v2/repository/models/{model}/load", kPost, kModelRepository, BodyRule::kUpload,
     ServeModelLoad},
    {"/v2/repository/{repository}/models/{model}/load", kPost, kModelRepository, BodyRule::kUpload,
     ServeModelLoad},
    {"/v2/repository/models/{model}/unload", kPost, kModelRepository, BodyRule::kControl,
     ServeModelUnload},
    {"/v2/repository/{repository}/models/{model}/unload", kPost, kModelRepository,
     BodyRule::kControl, ServeModelUnload},

    {"/v2/systemsharedmemory/status", kGet, kSharedMemory, BodyRule::kIgnored,
     ServeSystemSharedMemoryStatus},
    {"/v2/systemsharedmemory/region/{region}/status", kGet, kSharedMemory, BodyRule::kIgnored,
     ServeSystemSharedMemoryStatus},
    {"/v2/systemsharedmemory/region/{region}/register", kPost, kSharedMemory, BodyRule::kControl,
     ServeSystemSharedMemoryRegister},
    {"/v2/systemsharedmemory/unregister", kPost, kSharedMemory, BodyRule::kControl,
     ServeSystemSharedMemoryUnregister},
    {"/v2/systemsharedmemory/region/{region}/unregister", kPost, kSharedMemory, BodyRule::kControl,
     ServeSystemSharedMemoryUnregister},
    {"/v2/cudasharedmemory/status", kGet, kSharedMemory, BodyRule::kIgnored,
     ServeCudaSharedMemoryStatus},
    {"/v2/cudasharedmemory/region/{region}/status", kGet, kSharedMemory, BodyRule::kIgnored,
     ServeCudaSharedMemoryStatus},
    {"/v2/cudasharedmemory/region/{region}/register", kPost, kSharedMemory, BodyRule::kControl,
     ServeCudaSharedMemoryRegister},
    {"/v2/cudasharedmemory/unregister", kPost, kSharedMemory, BodyRule::kControl,
     ServeCudaSharedMemoryUnregister},
    {"/v2/cudasharedmemory/region/{region}/unregister", kPost, kSharedMemory, BodyRule::kControl,
     ServeCudaSharedMemoryUnregister},

    {"/predictions", kAny, kInference, BodyRule::kPrediction, ServePrediction},
    {"/predictions/{model}", kAny, kInference, BodyRule::kPrediction, ServePrediction},
    {"/predictions/{model}/{rest}", kAny, kInference, BodyRule::kPrediction, ServePrediction},
    {"/explanations", kAny, kInference, BodyRule::kPrediction, ServeExplanation},
    {"/explanations/{model}", kAny, kInference, BodyRule::kPrediction, ServeExplanation},
    {"/explanations/{model}/{rest}", kAny, kInference, BodyRule::kPrediction, ServeExplanation},
};

constexpr Router kRouter(kRoutes);

}  // namespace

const Router& V2Router() { return kRouter; }

}  // namespace headrace::frontend
