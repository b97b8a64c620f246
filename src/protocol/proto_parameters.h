// Reads the `parameters` maps of a ModelInferRequest (contracts, Triton 2.3; reliability D20).
#ifndef HEADRACE_PROTOCOL_PROTO_PARAMETERS_H_
#define HEADRACE_PROTOCOL_PROTO_PARAMETERS_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "base/status.h"
#include "protocol/proto_reader.h"
#include "protocol/v2_proto.h"

namespace headrace::protocol {

// INVALID_ARGUMENT "<path>: <what is wrong with the bytes>".
Status ProtoError(const ProtoReader& reader, std::string_view path);

// One entry of a map<string, InferParameter>; monostate: no alternative is chosen.
struct ProtoParameter {
  std::string name;
  std::variant<std::monostate, bool, std::int64_t, std::string, double, std::uint64_t> value;
};

// Reads the current field of `reader` as such an entry. `path` names the map.
Status ReadProtoParameter(ProtoReader& reader, const V2ProtoLimits& limits, std::string_view path,
                          ProtoParameter& parameter);

// Applies one parameter of the request: reserved ones are checked, others are kept for the backend,
// the last of equal names.
Status ApplyRequestParameter(ProtoParameter parameter, const V2ProtoLimits& limits,
                             V2ProtoRequest& request);

// Where in a region a tensor lies, as parameters of an input or output say it.
class SharedMemoryParameters {
 public:
  // False if `parameter` is none of the three. `tensor` goes into messages.
  bool Take(const ProtoParameter& parameter, std::string_view tensor, Status& status);
  // After the last parameter.
  Status Finish(std::string_view tensor, std::optional<V2SharedMemory>& memory) const;

 private:
  std::optional<std::string> region_;
  std::optional<std::uint64_t> byte_size_;
  std::uint64_t offset_ = 0;
};

}  // namespace headrace::protocol

#endif  // HEADRACE_PROTOCOL_PROTO_PARAMETERS_H_
