#include "pytorch/package_source.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

namespace headrace::backend {
namespace {

constexpr std::size_t kInputsMax = 4096;
constexpr std::size_t kRankMax = 64;
// A dimension's extent of 0 or 1 is compiled in, so that a variable one begins at 2.
constexpr std::int64_t kProbeExtentMin = 2;

struct DtypeName {
  std::string_view torch;
  TRITONSERVER_DataType dtype;
};
constexpr DtypeName kDtypeNames[] = {
    {"bool", TRITONSERVER_TYPE_BOOL},     {"uint8", TRITONSERVER_TYPE_UINT8},
    {"uint16", TRITONSERVER_TYPE_UINT16}, {"uint32", TRITONSERVER_TYPE_UINT32},
    {"uint64", TRITONSERVER_TYPE_UINT64}, {"int8", TRITONSERVER_TYPE_INT8},
    {"int16", TRITONSERVER_TYPE_INT16},   {"int32", TRITONSERVER_TYPE_INT32},
    {"int64", TRITONSERVER_TYPE_INT64},   {"float16", TRITONSERVER_TYPE_FP16},
    {"float32", TRITONSERVER_TYPE_FP32},  {"float64", TRITONSERVER_TYPE_FP64},
    {"bfloat16", TRITONSERVER_TYPE_BF16},
};

TRITONSERVER_DataType DtypeNamed(std::string_view name) {
  for (const DtypeName& entry : kDtypeNames) {
    if (entry.torch == name) {
      return entry.dtype;
    }
  }
  return TRITONSERVER_TYPE_INVALID;
}

// What stands between `before` and `after`; nothing if either is missing.
std::optional<std::string_view> Between(std::string_view text, std::string_view before,
                                        std::string_view after) {
  const std::size_t start = text.find(before);
  if (start == std::string_view::npos) {
    return std::nullopt;
  }
  text.remove_prefix(start + before.size());
  const std::size_t end = text.find(after);
  return end == std::string_view::npos ? std::nullopt : std::optional(text.substr(0, end));
}

// The number that `text` begins with.
std::optional<std::int64_t> Number(std::optional<std::string_view> text) {
  std::int64_t value = 0;
  if (!text ||
      std::from_chars(text->data(), text->data() + text->size(), value).ec != std::errc()) {
    return std::nullopt;
  }
  return value;
}

bool IsPlainSymbol(std::string_view text) {
  return !text.empty() &&
         text.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string_view::npos;
}

// Reads the source line by line; a check is a message that is spread over two lines:
//   "input_handles[0]: unmatched dim value at 1, "
//   "expected: 64, "
class Reader {
 public:
  PackageSource Read(std::string_view text) {
    while (!text.empty()) {
      const std::size_t end = std::min(text.find('\n'), text.size());
      ReadLine(text.substr(0, end));
      text.remove_prefix(std::min(end + 1, text.size()));
    }
    for (PackageInput& input : source_.inputs) {
      const auto known = [](const PackageDim& dim) { return dim.known; };
      input.rank_known =
          input.rank_known ||
          (!input.dims.empty() && std::all_of(input.dims.begin(), input.dims.end(), known));
    }
    return std::move(source_);
  }

 private:
  enum class Bound { kNone, kExtent, kMin, kMax };

  PackageInput* Input(std::optional<std::int64_t> index) {
    if (!index || *index < 0 || static_cast<std::size_t>(*index) >= kInputsMax) {
      return nullptr;
    }
    const auto place = static_cast<std::size_t>(*index);
    source_.inputs.resize(std::max(source_.inputs.size(), place + 1));
    return &source_.inputs[place];
  }

  PackageDim* Dim(PackageInput* input, std::optional<std::int64_t> index) {
    if (input == nullptr || !index || *index < 0 || static_cast<std::size_t>(*index) >= kRankMax) {
      return nullptr;
    }
    const auto place = static_cast<std::size_t>(*index);
    input->dims.resize(std::max(input->dims.size(), place + 1));
    return &input->dims[place];
  }

  void ReadLine(std::string_view line) {
    if (dim_ != nullptr) {
      ReadBound(line);
      dim_ = nullptr;
    }
    if (const auto dtype = Between(line, "_expected_dtype = aoti_torch_dtype_", "()")) {
      dtype_ = DtypeNamed(*dtype);
    } else if (line.find("\"input_handles[") != std::string_view::npos) {
      ReadCheck(line);
    } else if (const auto index = Number(Between(line, "inputs_info_[", "]"))) {
      if (const auto name = Between(line, ".name = \"", "\""); name && Input(index) != nullptr) {
        input_names_[std::string(*name)] = *index;
      }
    } else if (const auto output = Number(Between(line, "outputs_info_[", "]"))) {
      if (*output >= 0 && static_cast<std::size_t>(*output) < kInputsMax) {
        source_.output_count =
            std::max(source_.output_count, static_cast<std::size_t>(*output) + 1);
      }
    } else if (const auto name = Between(line, "assert_size_stride(", ",")) {
      ReadSizes(*name, line);
    }
  }

  void ReadCheck(std::string_view line) {
    PackageInput* const input = Input(Number(Between(line, "input_handles[", "]")));
    if (input == nullptr) {
      return;
    }
    if (line.find(": unmatched dtype") != std::string_view::npos) {
      input->dtype = dtype_;
      return;
    }
    constexpr std::pair<std::string_view, Bound> kMessages[] = {
        {"unmatched dim value at ", Bound::kExtent},
        {"dim value is too small at ", Bound::kMin},
        {"dim value is too large at ", Bound::kMax},
    };
    for (const auto& [message, bound] : kMessages) {
      if (const auto index = Number(Between(line, message, ","))) {
        dim_ = Dim(input, index);
        bound_ = bound;
      }
    }
  }

  void ReadBound(std::string_view line) {
    const std::string_view before = bound_ == Bound::kExtent ? "expected: "
                                    : bound_ == Bound::kMin  ? ">= "
                                                             : "<= ";
    const auto value = Number(Between(line, before, ","));
    if (!value) {
      return;
    }
    dim_->known = true;
    (bound_ == Bound::kExtent ? dim_->extent
     : bound_ == Bound::kMin  ? dim_->min
                              : dim_->max) = *value;
  }

  // assert_size_stride(arg2_1, {s58, 64L}, {64L, 1L}, "input"): the rank, and which dimensions go
  // together.
  void ReadSizes(std::string_view name, std::string_view line) {
    const auto found = input_names_.find(std::string(name));
    // A line within a condition has that condition's brace first.
    const auto list = Between(line.substr(line.find("assert_size_stride(")), "{", "}");
    if (found == input_names_.end() || !list) {
      return;
    }
    PackageInput& input = source_.inputs[static_cast<std::size_t>(found->second)];
    std::string_view rest = *list;
    std::size_t rank = 0;
    while (!rest.empty() && rank < kRankMax) {
      const std::size_t end = std::min(rest.find(','), rest.size());
      std::string_view item = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      item.remove_prefix(std::min(item.find_first_not_of(' '), item.size()));
      if (item.empty()) {
        continue;  // a list of one ends in a comma
      }
      PackageDim& dim = *Dim(&input, static_cast<std::int64_t>(rank++));
      dim.known = true;
      if (const auto number = Number(item);
          number && item.ends_with("L") &&
          item.find_first_not_of("0123456789L") == std::string_view::npos) {
        dim.extent = *number;
      } else {
        dim.symbol = item;
      }
    }
    input.rank_known = input.dims.size() == rank;
  }

  PackageSource source_;
  std::map<std::string, std::int64_t> input_names_;
  TRITONSERVER_DataType dtype_ = TRITONSERVER_TYPE_INVALID;
  PackageDim* dim_ = nullptr;  // whose bound the next line holds
  Bound bound_ = Bound::kNone;
};

}  // namespace

PackageSource PackageSource::Read(std::string_view text) { return Reader().Read(text); }

bool PackageSource::CanBeProbed() const {
  return !inputs.empty() &&
         std::all_of(inputs.begin(), inputs.end(), [](const PackageInput& input) {
           return input.dtype != TRITONSERVER_TYPE_INVALID && input.rank_known &&
                  std::all_of(input.dims.begin(), input.dims.end(), [](const PackageDim& dim) {
                    return dim.extent >= 0 || IsPlainSymbol(dim.symbol);
                  });
         });
}

std::vector<std::vector<std::int64_t>> PackageSource::ProbeShapes(std::int64_t more) const {
  struct Range {
    std::int64_t min = kProbeExtentMin;
    std::int64_t max = std::numeric_limits<std::int64_t>::max();
  };
  std::map<std::string_view, Range> ranges;
  for (const PackageInput& input : inputs) {
    for (const PackageDim& dim : input.dims) {
      if (dim.extent < 0) {
        Range& range = ranges[dim.symbol];
        range.min = std::max(range.min, dim.min);
        range.max = std::min(range.max, dim.max);
      }
    }
  }
  std::vector<std::vector<std::int64_t>> shapes;
  for (const PackageInput& input : inputs) {
    auto& shape = shapes.emplace_back();
    for (const PackageDim& dim : input.dims) {
      if (dim.extent >= 0) {
        shape.push_back(dim.extent);
        continue;
      }
      const Range& range = ranges[dim.symbol];
      if (range.max - more < range.min) {
        return {};
      }
      shape.push_back(range.min + more);
    }
  }
  return shapes;
}

std::int64_t PackageSource::BatchSizeMax() const {
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
  for (const PackageInput& input : inputs) {
    if (!input.dims.empty()) {
      const PackageDim& first = input.dims.front();
      max = std::min(max, first.extent >= 0 ? first.extent : first.max);
    }
  }
  return max;
}

PackageShapeCheck::PackageShapeCheck(const PackageSource& source,
                                     std::span<const std::string> names)
    : source_(source), names_(names) {}

void PackageShapeCheck::Reset() { seen_.clear(); }

Error PackageShapeCheck::Check(std::size_t index, std::span<const std::int64_t> shape) {
  if (index >= source_.inputs.size()) {
    return {};
  }
  const PackageInput& input = source_.inputs[index];
  if (input.rank_known && input.dims.size() != shape.size()) {
    return InvalidArgument("input '{}' has shape [{}]; the model was compiled for {} dimensions",
                           names_[index], fmt::join(shape, ","), input.dims.size());
  }
  for (std::size_t k = 0; k < std::min(shape.size(), input.dims.size()); ++k) {
    const PackageDim& dim = input.dims[k];
    // The compiler takes it that a variable extent is at least 2, and its code works with less.
    const bool too_small = dim.min > kProbeExtentMin && shape[k] < dim.min;
    if ((dim.extent >= 0 && shape[k] != dim.extent) || too_small || shape[k] > dim.max) {
      return InvalidArgument(
          "input '{}' has shape [{}]; the model was compiled for {} in dimension {}", names_[index],
          fmt::join(shape, ","),
          dim.extent >= 0 ? std::to_string(dim.extent) : fmt::format("{} to {}", dim.min, dim.max),
          k);
    }
    if (dim.extent >= 0 || !IsPlainSymbol(dim.symbol)) {
      continue;
    }
    const auto seen = std::find_if(seen_.begin(), seen_.end(),
                                   [&](const Seen& s) { return s.symbol == dim.symbol; });
    if (seen == seen_.end()) {
      seen_.push_back({dim.symbol, shape[k]});
    } else if (seen->extent != shape[k]) {
      return InvalidArgument(
          "input '{}' has shape [{}]; the model was compiled for {} in dimension {}, as in another "
          "dimension of this call",
          names_[index], fmt::join(shape, ","), seen->extent, k);
    }
  }
  return {};
}

}  // namespace headrace::backend
