// What SageMaker says about a TorchServe through its variables (contracts, TorchServe 5.5).
#ifndef HEADRACE_SERVER_SAGEMAKER_PROPERTIES_H_
#define HEADRACE_SERVER_SAGEMAKER_PROPERTIES_H_

#include "server/java_properties.h"
#include "server/option_sources.h"

namespace headrace::server {

// As keys of config.properties; empty where SAGEMAKER_BIND_TO_PORT is not set. The platform sends
// no tokens, reaches one port, and nothing else can reach the container.
Properties SageMakerProperties(const Environment& environment);

}  // namespace headrace::server

#endif  // HEADRACE_SERVER_SAGEMAKER_PROPERTIES_H_
