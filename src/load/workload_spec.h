// What a workload is made of, as flags and mix files say it. `BuildWorkload` makes the bytes.
#ifndef HEADRACE_LOAD_WORKLOAD_SPEC_H_
#define HEADRACE_LOAD_WORKLOAD_SPEC_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "load/server_control.h"
#include "load/target.h"
#include "load/workload.h"

namespace headrace::load {

// How the pixels of an image become numbers; Triton's image clients have the same names.
enum class PixelScaling : std::uint8_t {
  kUnit,       // 0..1
  kNone,       // 0..255
  kInception,  // -1..1
  kImageNet,   // 0..1, then mean and deviation of ImageNet
};

// One kind of request. Shapes are without the batch dimension, as perf_analyzer's are.
struct ItemSpec {
  std::string name;  // for reports; "" = the model's
  double weight = 1;
  std::string model;
  std::string version;

  // Where the inputs come from: "random", "zero", or paths. Empty = random. What a path means:
  //   v2: a .json file of perf_analyzer's form; an image for a model with one input; another file:
  //     the packed elements of the only input; a directory: one file for each input, named as the
  //     input (and as an output, what is expected of it), or images.
  //   TorchServe, invocations, raw: a file is one body, a directory one body for each file; JSON of
  //     perf_analyzer's form whose entries are {"TORCHSERVE_INPUT": ["path"]}.
  //   v1: JSON: an object with "instances" as it is, an array as the instances, another value as
  //     the only instance; another file as {"b64": ...}; a directory: all its files.
  // Several: their contents follow one another.
  std::vector<std::string> data;
  // The same for single inputs, in place of `data`: "random", "zero", or a file.
  std::map<std::string, std::string> input_data;

  std::map<std::string, std::vector<std::int64_t>>
      shapes;  // --shape: for what the model leaves open
  std::int64_t batch_size = 1;
  int random_count = 4;                    // different contents that are made where data is random
  std::optional<std::string> string_data;  // every BYTES element that would be random
  std::size_t string_length = 128;         // bytes of a random BYTES element
  std::string content_type;                // of bodies; "" = by the file's name
  PixelScaling scaling = PixelScaling::kUnit;

  // Answers that come with the data are compared (`validation_data`, files named as outputs).
  // A file beside them: perf_analyzer's JSON whose `validation_data` goes with the contents in
  // their order; where the protocol has no tensors, the body that each answer must be.
  std::string golden_file;
  bool compare_answers = true;
  double absolute_tolerance = 1e-5;
  double relative_tolerance = 1e-5;

  std::vector<std::string> outputs;
  std::vector<std::pair<std::string, std::string>> parameters;  // name, JSON value
  std::uint64_t priority = 0;
  std::uint64_t timeout_us = 0;
  std::optional<Nanos> sla;
  SequenceSpec sequences;
};

struct WorkloadSpec {
  Protocol protocol = Protocol::kV2Http;
  // The only item, or what every entry of the mix begins with.
  ItemSpec item;
  std::string mix_file;    // YAML (docs/bench.md, "Mixes"); "" = `item` alone
  std::uint64_t seed = 1;  // of draws and of random data
  std::size_t byte_size_max = std::size_t{4} << 30;  // of all contents together
};

// One value of --input-data: "random", "zero", a path, or NAME=one of these for a single input.
// Whether a path exists is seen when it is read.
void AddInputData(std::string_view text, ItemSpec& item);
// One value of --shape: "NAME:3,224,224". INVALID_ARGUMENT with the right form.
Status AddShape(std::string_view text, ItemSpec& item);
// "NAME:VALUE:TYPE" with TYPE one of int, uint, bool, string, double (perf_analyzer's
// --request-parameter), or "NAME=VALUE" with VALUE JSON, else a string.
Status AddParameter(std::string_view text, ItemSpec& item);
Result<PixelScaling> ParsePixelScaling(std::string_view text);

// The items of a mix file, each beginning as `defaults`. A list of weighted shapes becomes one item
// for each. INVALID_ARGUMENT names file and field; unknown fields are refused.
Result<std::vector<ItemSpec>> ReadMix(const std::string& path, const ItemSpec& defaults);

// Reads files, asks `control` for the models' signatures (v2 and in-process; null elsewhere) and
// makes every content. Blocks. Errors name the file, the field and the remedy; those of `control`
// pass through.
Result<Workload> BuildWorkload(const WorkloadSpec& spec, ServerControl* control);

}  // namespace headrace::load

#endif  // HEADRACE_LOAD_WORKLOAD_SPEC_H_
