// The parts of a response that all JSON forms of it share.
#ifndef HEADRACE_PROTOCOL_V2_RESPONSE_JSON_H_
#define HEADRACE_PROTOCOL_V2_RESPONSE_JSON_H_

#include <string>
#include <vector>

#include "base/parameter.h"
#include "base/status.h"
#include "protocol/json_writer.h"
#include "protocol/v2_message.h"

namespace headrace::protocol {

// Each parameter as a member of the object that is open.
void WriteParameterMembers(const std::vector<Parameter>& parameters, JsonWriter& json);

// Appends the elements as one flat list, "[1,2]". INVALID_ARGUMENT for what has no JSON form: FP16,
// BF16, NaN, infinities.
Status WriteTensorData(const V2OutputTensor& output, std::string& out);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_V2_RESPONSE_JSON_H_
