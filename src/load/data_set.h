// Data of a v2 model before it is put into batches: steps of single inferences.
#ifndef HEADRACE_LOAD_DATA_SET_H_
#define HEADRACE_LOAD_DATA_SET_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "load/input_signature.h"
#include "load/workload.h"

namespace headrace::load {

// One tensor of one inference.
struct Row {
  std::vector<std::int64_t> dims;  // without the batch dimension
  bool dims_known = true;  // false: an expected output whose shape nobody said; `dims` is empty
  std::shared_ptr<const std::string> bytes;
};

struct Step {
  std::string where;                           // "file.json: data[3]": for messages
  std::map<std::string, Row> inputs, outputs;  // outputs: what is expected
};

struct DataSet {
  std::vector<Step> steps;
  std::vector<Stream> streams;  // over `steps`; empty = all of them are one list

  void Append(DataSet more);
};

// A row of `tensor` that `bytes` holds. `dims`: of this row alone, in place of the signature's.
// INVALID_ARGUMENT begins with `where` and says how many elements and bytes are wanted.
Result<Row> MakeRow(const TensorSignature& tensor, std::string bytes,
                    const std::optional<std::vector<std::int64_t>>& dims, const std::string& where);
// The same for an expected output, whose shape may be open.
Result<Row> MakeOutputRow(const TensorSignature& tensor, std::string bytes,
                          const std::optional<std::vector<std::int64_t>>& dims,
                          const std::string& where);

// perf_analyzer's JSON: "data" is a list of objects, or of lists of them (streams), with one member
// for each input: an array, {"b64"}, or {"content", "shape"}; "validation_data" likewise for
// outputs. Inputs that are in `given` may be missing, as optional ones may.
Result<DataSet> ReadDataFile(const std::string& path, const Signature& signature,
                             const std::map<std::string, std::string>& given);

// The "validation_data" of a file alone, in order, streams one after the other; steps have outputs
// only.
Result<DataSet> ReadGoldenFile(const std::string& path, const Signature& signature);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_DATA_SET_H_
