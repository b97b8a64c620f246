// What the generated source in a compiled package (.pt2) tells of the model's inputs.
#ifndef HEADRACE_BACKENDS_PYTORCH_PACKAGE_SOURCE_H_
#define HEADRACE_BACKENDS_PYTORCH_PACKAGE_SOURCE_H_

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/error.h"
#include "triton_abi.h"

namespace headrace::backend {

// One dimension of an input, as the model was compiled for it.
struct PackageDim {
  bool known = false;        // the source speaks of it
  std::int64_t extent = -1;  // -1: any from min to max
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  // Dimensions with the same symbol have the same extent in every call; empty: not told. A symbol
  // may be an expression such as "2L*s0".
  std::string symbol;
};

struct PackageInput {
  TRITONSERVER_DataType dtype = TRITONSERVER_TYPE_INVALID;  // INVALID: not told
  std::vector<PackageDim> dims;
  bool rank_known = false;
};

// Compiled code reads its inputs without looking at their type and shape, so a server has to. The
// compiler writes the checks that it would make into the source that lies in the package; this
// reads them. They are the only place in the package where dtypes and shapes stand.
struct PackageSource {
  std::vector<PackageInput> inputs;  // in the order of the call
  std::size_t output_count = 0;      // 0: not told

  // Never fails: what is not found is not told. `text` comes from outside.
  static PackageSource Read(std::string_view text);

  // True if the shapes of a call can be made up: every dimension of every input is a number or has
  // a plain symbol.
  bool CanBeProbed() const;
  // Shapes of a call with every symbol at its least extent, at least 2, plus `more`. Empty if that
  // is beyond a symbol's greatest. Requires: CanBeProbed.
  std::vector<std::vector<std::int64_t>> ProbeShapes(std::int64_t more) const;
  // The most that the first dimension of every input may be.
  std::int64_t BatchSizeMax() const;
};

// Compares the shapes of a call with what the model was compiled for. INVALID_ARG names the input
// and what it should be. `names`: of the inputs, for messages.
class PackageShapeCheck {
 public:
  PackageShapeCheck(const PackageSource& source, std::span<const std::string> names);

  // Begins another call.
  void Reset();
  Error Check(std::size_t index, std::span<const std::int64_t> shape);

 private:
  struct Seen {
    std::string_view symbol;
    std::int64_t extent = 0;
  };
  const PackageSource& source_;
  const std::span<const std::string> names_;
  std::vector<Seen> seen_;  // plain symbols of this call
};

}  // namespace headrace::backend

#endif  // HEADRACE_BACKENDS_PYTORCH_PACKAGE_SOURCE_H_
