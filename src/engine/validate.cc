#include "engine/validate.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/checked_math.h"
#include "tensor/bytes_codec.h"

namespace headrace::engine {
namespace {

constexpr std::string_view kBatchDimensionNote =
    "NOTE: Setting a non-zero max_batch_size in the model config requires a batch dimension to be "
    "prepended to "
    "each input shape. If you want to specify the full shape including the batch dim in your input "
    "dims config, "
    "try setting max_batch_size to zero. See the model configuration docs for more info on "
    "max_batch_size.";

// Which of a model's tensors a request has named; no allocation for models of ordinary size.
class SeenSet {
 public:
  explicit SeenSet(std::size_t size) {
    if (size > kInlineBits) {
      large_.resize(size);
    }
  }
  // False if it was marked before.
  bool Mark(std::size_t i) {
    if (!large_.empty()) {
      const bool seen = large_[i];
      large_[i] = true;
      return !seen;
    }
    const std::uint64_t bit = std::uint64_t{1} << (i % 64);
    std::uint64_t& word = words_[i / 64];
    const bool seen = (word & bit) != 0;
    word |= bit;
    return !seen;
  }

 private:
  static constexpr std::size_t kInlineBits = 256;
  std::array<std::uint64_t, kInlineBits / 64> words_{};
  std::vector<bool> large_;
};

// Finds tensors by name in any order, and without searching when they come in the configuration's
// order.
class SpecFinder {
 public:
  explicit SpecFinder(const std::vector<TensorSpec>& specs) : specs_(specs) {}
  // The index, or specs.size().
  std::size_t Find(std::string_view name) {
    for (std::size_t tried = 0; tried < specs_.size(); ++tried) {
      const std::size_t i = next_;
      next_ = next_ + 1 == specs_.size() ? 0 : next_ + 1;
      if (specs_[i].name == name) {
        return i;
      }
    }
    return specs_.size();
  }

 private:
  const std::vector<TensorSpec>& specs_;
  std::size_t next_ = 0;
};

bool IsVariable(const Shape& dims) {
  for (const std::int64_t dim : dims) {
    if (dim < 0) {
      return true;
    }
  }
  return false;
}

// A keyed mix: whoever does not know the key cannot make two shapes collide.
std::uint64_t Mix(std::uint64_t a, std::uint64_t b) {
  const auto product =
      static_cast<unsigned __int128>(a ^ 0x9e3779b97f4a7c15u) * (b ^ 0xd6e8feb86659fd93u);
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

class Validator {
 public:
  Validator(const ModelSignature& signature, const std::string& model_name, InferRequest& request)
      : signature_(signature), model_(model_name), request_(request) {}

  Status Run() {
    HEADRACE_RETURN_IF_ERROR(CheckInputCount());
    request_.batch_size = 1;
    request_.byte_size = 0;
    request_.shape_key = 0;
    SeenSet seen(signature_.inputs.size());
    SpecFinder finder(signature_.inputs);
    bool first = true;
    for (const NamedTensor& input : request_.inputs) {
      const std::size_t index = finder.Find(input.name);
      if (index == signature_.inputs.size()) {
        // Without the prefix, as the stock server has it; so is the one about outputs.
        return InvalidArgument("unexpected inference input '{}' for model '{}'", input.name,
                               model_);
      }
      if (!seen.Mark(index)) {
        return Invalid(fmt::format("input '{}' already exists in request", input.name));
      }
      HEADRACE_RETURN_IF_ERROR(CheckInput(signature_.inputs[index], index, input, first));
      first = false;
    }
    if (required_seen_ < required_) {
      return WrongInputs();
    }
    return CheckOutputs();
  }

 private:
  Status Invalid(std::string text) const {
    return InvalidArgument("[request id: {}] {}",
                           request_.id.empty() ? std::string_view("<id_unknown>") : request_.id,
                           text);
  }

  Status CheckInputCount() {
    for (const TensorSpec& spec : signature_.inputs) {
      required_ += spec.optional ? 0 : 1;
    }
    const std::size_t got = request_.inputs.size();
    return got < required_ || got > signature_.inputs.size() ? WrongInputs() : OkStatus();
  }

  Status CheckInput(const TensorSpec& spec, std::size_t index, const NamedTensor& input,
                    bool first) {
    const Tensor& tensor = input.tensor;
    if (tensor.dtype != spec.dtype) {
      return Invalid(
          fmt::format("inference input '{}' data-type is '{}', but model '{}' expects '{}'",
                      input.name, DataTypeName(tensor.dtype), model_, DataTypeName(spec.dtype)));
    }
    if (signature_.batch_size_max > 0) {
      HEADRACE_RETURN_IF_ERROR(CheckBatchSize(input, first));
    }
    if (!ShapeFits(spec, tensor.shape)) {
      return Invalid(fmt::format(
          "unexpected shape for input '{}' for model '{}'. Expected {}, got {}. {}", input.name,
          model_, signature_.ClientShape(spec).ToString(), tensor.shape.ToString(),
          signature_.batch_size_max > 0 ? kBatchDimensionNote : ""));
    }
    HEADRACE_RETURN_IF_ERROR(CheckBytes(spec, input));
    required_seen_ += spec.optional ? 0 : 1;
    AddToShapeKey(spec, index, tensor.shape);
    return OkStatus();
  }

  Status CheckBatchSize(const NamedTensor& input, bool first) {
    const Shape& shape = input.tensor.shape;
    if (shape.empty()) {
      return Invalid(
          fmt::format("input '{}' has no shape but model requires batch dimension for '{}'",
                      input.name, model_));
    }
    if (!first && shape[0] != request_.batch_size) {
      return Invalid(fmt::format("input '{}' batch size does not match other inputs for '{}'",
                                 input.name, model_));
    }
    if (shape[0] < 1) {
      return Invalid(fmt::format("inference request batch-size must be >= 1 for '{}'", model_));
    }
    if (shape[0] > signature_.batch_size_max) {
      return Invalid(fmt::format("inference request batch-size must be <= {} for '{}'",
                                 signature_.batch_size_max, model_));
    }
    request_.batch_size = shape[0];
    return OkStatus();
  }

  bool ShapeFits(const TensorSpec& spec, const Shape& shape) const {
    const std::size_t offset = signature_.batch_size_max > 0 ? 1 : 0;
    if (shape.rank() != spec.dims.rank() + offset) {
      return false;
    }
    for (std::size_t i = 0; i < spec.dims.rank(); ++i) {
      const std::int64_t got = shape[i + offset];
      if (got < 0 || (spec.dims[i] >= 0 && got != spec.dims[i])) {
        return false;
      }
    }
    return true;
  }

  Status CheckBytes(const TensorSpec& spec, const NamedTensor& input) {
    const Tensor& tensor = input.tensor;
    const std::optional<std::int64_t> count = tensor.shape.ElementCount();
    if (!count) {
      return Invalid(
          fmt::format("the element count of shape {} of input '{}' for model '{}' overflows",
                      tensor.shape.ToString(), input.name, model_));
    }
    const std::size_t got = tensor.byte_size();
    if (spec.dtype == DataType::kBytes) {
      // Bytes that this processor cannot read are the backend's to check.
      if (tensor.memory_kind != MemoryKind::kGpu) {
        Status status = ValidateBytesTensor(tensor, *count, input.name, model_);
        if (!status.ok()) {
          return Invalid(status.message());
        }
      }
    } else {
      const auto expected =
          CheckedMultiply(static_cast<std::size_t>(*count), DataTypeByteSize(spec.dtype));
      if (!expected) {
        return Invalid(
            fmt::format("the byte size of shape {} of input '{}' for model '{}' overflows",
                        tensor.shape.ToString(), input.name, model_));
      }
      if (*expected != got) {
        return Invalid(fmt::format(
            "input byte size mismatch for input '{}' for model '{}'. Expected {}, got {}",
            input.name, model_, *expected, got));
      }
    }
    // All of it is in memory, some of it maybe shared between inputs; only a sum of such shares
    // could overflow.
    const auto total = CheckedAdd(request_.byte_size, got);
    if (!total) {
      return Invalid(fmt::format("the byte size of the inputs for model '{}' overflows", model_));
    }
    request_.byte_size = *total;
    return OkStatus();
  }

  // A sum, so that the order of the inputs does not matter; each term is keyed with the input's
  // place.
  void AddToShapeKey(const TensorSpec& spec, std::size_t index, const Shape& shape) {
    const bool variable = !spec.allow_ragged_batch && IsVariable(spec.dims);
    if (!variable && !spec.optional) {
      return;
    }
    std::uint64_t term = Mix(signature_.shape_key_seed, index + 1);
    if (variable) {
      const std::size_t offset = signature_.batch_size_max > 0 ? 1 : 0;
      for (std::size_t i = offset; i < shape.rank(); ++i) {
        term = Mix(term + signature_.shape_key_seed, static_cast<std::uint64_t>(shape[i]));
      }
    }
    request_.shape_key += Mix(term, signature_.shape_key_seed);
  }

  Status CheckOutputs() {
    if (request_.wanted_outputs.empty()) {
      return OkStatus();
    }
    SeenSet seen(signature_.outputs.size());
    SpecFinder finder(signature_.outputs);
    for (const std::string& name : request_.wanted_outputs) {
      const std::size_t index = finder.Find(name);
      if (index == signature_.outputs.size()) {
        return InvalidArgument("unexpected inference output '{}' for model '{}'", name, model_);
      }
      if (!seen.Mark(index)) {
        return Invalid(fmt::format("output '{}' already exists in request", name));
      }
    }
    return OkStatus();
  }

  Status WrongInputs() const {
    std::string got;
    for (std::size_t i = 0; i < request_.inputs.size() && i <= signature_.inputs.size(); ++i) {
      AppendName(got, request_.inputs[i].name);
    }
    std::string missing;
    for (const TensorSpec& spec : signature_.inputs) {
      if (!spec.optional && !IsPresent(spec.name)) {
        AppendName(missing, spec.name);
      }
    }
    const std::size_t declared = signature_.inputs.size();
    const std::string expected =
        required_ == declared
            ? fmt::format("expected {} inputs", declared)
            : fmt::format("expected number of inputs between {} and {}", required_, declared);
    return Invalid(
        fmt::format("{} but got {} inputs for model '{}'. Got input(s) [{}], but missing required "
                    "input(s) [{}]. Please "
                    "provide all required input(s).",
                    expected, request_.inputs.size(), model_, got, missing));
  }

  bool IsPresent(std::string_view name) const {
    for (const NamedTensor& input : request_.inputs) {
      if (input.name == name) {
        return true;
      }
    }
    return false;
  }

  static void AppendName(std::string& list, std::string_view name) {
    fmt::format_to(std::back_inserter(list), "{}'{}'", list.empty() ? "" : ",", name);
  }

  const ModelSignature& signature_;
  const std::string& model_;
  InferRequest& request_;
  std::size_t required_ = 0;
  std::size_t required_seen_ = 0;
};

}  // namespace

Status ValidateRequest(const ModelSignature& signature, const std::string& model_name,
                       InferRequest& request) {
  return Validator(signature, model_name, request).Run();
}

}  // namespace headrace::engine
