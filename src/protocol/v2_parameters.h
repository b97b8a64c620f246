// Reads the `parameters` objects of a v2 inference request (contracts, Triton 1.6; reliability
// D20).
#ifndef HEADRACE_PROTOCOL_V2_PARAMETERS_H_
#define HEADRACE_PROTOCOL_V2_PARAMETERS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/status.h"
#include "protocol/json_cursor.h"
#include "protocol/v2_json.h"
#include "protocol/v2_message.h"

namespace headrace::protocol {

// Where in the request a member is; made into text only for messages.
struct FieldPath {
  std::string_view list;  // "inputs", "outputs", or empty at the top
  std::size_t index = 0;
  bool inside_parameters = false;

  std::string Of(std::string_view member) const;
};

// The cursor's error. One of type gets Triton's words and the place: "Unable to parse 'name':
// attempt to access JSON non-string as string (inputs[0].name)".
Status FieldError(const JsonCursor& cursor, const FieldPath& path, std::string_view member);

struct InputParameters {
  std::optional<std::uint64_t> binary_data_size;
  std::optional<V2SharedMemory> shared_memory = {};
};

// Each reads the cursor's current value, which must be an object. Members of input and output
// parameters that are not known are checked and passed over; members of request parameters are kept
// for the backend.
Status ReadRequestParameters(JsonCursor& cursor, const V2JsonLimits& limits,
                             V2InferRequest& request);
// One member of them: the cursor's current value.
Status ReadRequestParameter(JsonCursor& cursor, std::string_view name, const V2JsonLimits& limits,
                            V2InferRequest& request);
Status ReadInputParameters(JsonCursor& cursor, FieldPath path, InputParameters& parameters);
Status ReadOutputParameters(JsonCursor& cursor, FieldPath path, V2RequestedOutput& output);

// Whether `text` has bytes below 0x20 or 0x7f.
bool HasControlByte(std::string_view text);

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_V2_PARAMETERS_H_
