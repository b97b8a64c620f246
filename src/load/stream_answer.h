// What a load generator wants of a ModelStreamInferResponse.
#ifndef HEADRACE_LOAD_STREAM_ANSWER_H_
#define HEADRACE_LOAD_STREAM_ANSWER_H_

#include <string_view>

namespace headrace::load {

// Views into the message.
struct StreamAnswer {
  std::string_view error;     // error_message; "" = none
  std::string_view id;        // of infer_response; "" = it has none
  std::string_view response;  // infer_response, as far as it is there
  bool has_outputs = false;
  bool final = true;  // triton_final_response; a server that does not say so answers once
};

// Reads the message's first bytes, up to the tensors: servers write them last. `bytes` may end
// anywhere in them. False: it is no such message.
bool ReadStreamAnswer(std::string_view bytes, StreamAnswer& answer);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_STREAM_ANSWER_H_
