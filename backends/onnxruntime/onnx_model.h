// A model version of the onnxruntime backend, and what its instances run it with.
#ifndef HEADRACE_BACKENDS_ONNXRUNTIME_ONNX_MODEL_H_
#define HEADRACE_BACKENDS_ONNXRUNTIME_ONNX_MODEL_H_

#include <map>
#include <memory>
#include <mutex>

#include "common/accelerated_model.h"
#include "common/batch_driver.h"
#include "common/error.h"
#include "common/host_placement.h"
#include "common/model_config.h"
#include "common/model_location.h"
#include "common/operator_profile.h"
#include "onnxruntime/session.h"
#include "onnxruntime/session_options.h"
#include "onnxruntime/session_profile.h"
#include "triton_abi.h"

namespace headrace::backend {

// Has one session for each device that instances are on, and for each set of cores to which
// instances with threads of their own are bound; or is run by OpenVINO. Thread-safe once it is
// created.
class OnnxModel {
 public:
  static Error Create(TRITONBACKEND_Model* handle, std::unique_ptr<OnnxModel>* model);
  static void Describe(TRITONBACKEND_BackendAttribute* attributes);

  const ModelTensors& tensors() const { return tensors_; }
  const ModelConfig& config() const { return config_; }

  Error StartProfile(const ProfileOptions& options);
  Error StopProfile(OperatorProfile* profile);
  const ProfileSwitch<SessionProfile>& profile() const { return profile_; }
  // What the instance runs while the model is profiled. Blocks where it is the first one there.
  Error MakeProfiledRun(SessionDevice device, const HostPlacement& placement,
                        SessionProfile& profile, std::unique_ptr<RuntimeRun>* run);

  // What an instance on the device runs, with `placement` of the calling thread. Blocks where it is
  // the first one there. May throw std::exception.
  Error MakeRun(SessionDevice device, const HostPlacement& placement,
                std::unique_ptr<RuntimeRun>* run);

 private:
  Error Load(TRITONBACKEND_Model* handle);
  // Where a session for such an instance is, and its settings.
  SessionSettings PlaceSession(const HostPlacement& placement, SessionDevice* device) const;
  Error RunOf(std::shared_ptr<OnnxSession> session, const SessionDevice& device,
              std::unique_ptr<RuntimeRun>* run) const;
  // Sessions are loaded by it, with `settings` where there is none yet.
  Error FindSession(const SessionDevice& device, const SessionSettings& settings,
                    std::shared_ptr<OnnxSession>* session);
  // The accelerator openvino: by the runtime if that can, or by OpenVINO itself.
  Error LoadWithOpenVino(TRITONBACKEND_Model* handle, const ModelLocation& location);

  ModelConfig config_;
  SessionSettings settings_;
  OnnxFiles files_;
  std::shared_ptr<AcceleratedModel> accelerated_;  // null: the sessions run it
  ModelTensors tensors_;
  ProfileSwitch<SessionProfile> profile_;
  std::mutex mutex_;  // guards what follows; held while one is loaded: others that want it wait
  std::map<SessionDevice, std::shared_ptr<OnnxSession>> sessions_;
  // Told what the tensors are; null as soon as instances turn out to want other sessions.
  std::shared_ptr<OnnxSession> first_;
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_ONNXRUNTIME_ONNX_MODEL_H_
