#include "server/sagemaker_properties.h"

#include <fmt/format.h>

#include <string>
#include <utility>

namespace headrace::server {

Properties SageMakerProperties(const Environment& environment) {
  Properties properties;
  const char* port = environment("SAGEMAKER_BIND_TO_PORT");
  if (port == nullptr) {
    return properties;
  }
  const std::string address = fmt::format("http://0.0.0.0:{}", port);
  properties = {{"inference_address", address},
                {"management_address", address},
                {"disable_token_authorization", "true"},
                {"decode_input_request", "false"}};
  for (const auto& [variable, key] :
       {std::pair("SAGEMAKER_MODEL_STORE", "model_store"),
        std::pair("SAGEMAKER_RESPONSE_TIMEOUT", "default_response_timeout"),
        std::pair("SAGEMAKER_NUM_MODEL_WORKERS", "default_workers_per_model"),
        std::pair("SAGEMAKER_HANDLER", "default_service_handler"),
        std::pair("SAGEMAKER_MAX_REQUEST_SIZE", "max_request_size"),
        std::pair("SAGEMAKER_MAX_RESPONSE_SIZE", "max_response_size")}) {
    if (const char* value = environment(variable); value != nullptr) {
      properties.insert_or_assign(key, value);
    }
  }
  return properties;
}

}  // namespace headrace::server
