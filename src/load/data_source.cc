#include "load/data_source.h"

#include <algorithm>
#include <utility>

#include "load/file_bytes.h"
#include "load/image_elements.h"
#include "protocol/utf8.h"
#include "tensor/bytes_codec.h"

namespace headrace::load {
namespace {

constexpr std::string_view kRandom = "random";
constexpr std::string_view kZero = "zero";
// Of one item's random data together; beyond it there are fewer different contents.
constexpr std::size_t kRandomByteSizeMax = std::size_t{256} << 20;

// Text has one element on a line, as perf_analyzer's files of strings have it; other bytes are one
// element.
std::string PackText(std::string_view file) {
  std::string out;
  const bool text =
      file.find('\0') == std::string_view::npos && protocol::FindInvalidUtf8(file) == file.size();
  if (!text) {
    AppendBytesElement(out, file);
    return out;
  }
  while (!file.empty()) {
    const std::size_t size = std::min(file.find('\n'), file.size());
    std::string_view line = file.substr(0, size);
    file.remove_prefix(std::min(size + 1, file.size()));
    AppendBytesElement(out, line.ends_with('\r') ? line.substr(0, line.size() - 1) : line);
  }
  return out;
}

class StepSource {
 public:
  StepSource(const ItemSpec& item, const Signature& signature, Random& random)
      : item_(item),
        signature_(signature),
        random_(random),
        strings_{item.string_data, item.string_length} {
    for (const TensorSignature& input : signature.inputs) {
      if (!item.input_data.contains(input.name)) {
        rest_.push_back(&input);
      }
    }
  }

  Result<DataSet> Read() {
    HEADRACE_RETURN_IF_ERROR(CheckNames());
    std::vector<std::string> sources = item_.data;
    if (sources.empty()) {
      // Where every input has a source of its own, one empty step takes them all.
      sources.emplace_back(rest_.empty() ? kZero : kRandom);
    }
    DataSet set;
    for (const std::string& source : sources) {
      HEADRACE_ASSIGN_OR_RETURN(DataSet more, ReadSource(source));
      set.Append(std::move(more));
    }
    for (const auto& [name, source] : item_.input_data) {
      HEADRACE_RETURN_IF_ERROR(SetInput(*signature_.Input(name), source, set));
    }
    return set;
  }

 private:
  Status CheckNames() const {
    for (const auto& [name, source] : item_.input_data) {
      if (signature_.Input(name) == nullptr) {
        return InvalidArgument("--input-data {}={}: the model '{}' has no such input; it has {}",
                               name, source, signature_.model, signature_.InputNames());
      }
    }
    return OkStatus();
  }

  Result<DataSet> ReadSource(const std::string& source) {
    if (source == kRandom || source == kZero) {
      return Generate(source == kRandom);
    }
    switch (KindOf(source)) {
      case PathKind::kDirectory:
        return ReadDirectory(source);
      case PathKind::kFile:
        break;
      default:
        return NotFound(
            "--input-data {}: there is no such file or directory (and it is neither \"random\" nor "
            "\"zero\")",
            source);
    }
    if (ExtensionOf(source) == "json") {
      return ReadDataFile(source, signature_, item_.input_data);
    }
    if (rest_.size() != 1) {
      return InvalidArgument(
          "--input-data {}: a single file is one input, and the model '{}' takes {}; use NAME=FILE "
          "for each, a directory with a file for each, or JSON",
          source, signature_.model, signature_.InputNames());
    }
    return OneFile(*rest_.front(), source);
  }

  Result<DataSet> Generate(bool at_random) {
    DataSet set;
    std::size_t byte_size = 0;
    const int count = at_random ? std::max(1, item_.random_count) : 1;
    for (int i = 0; i < count && (i == 0 || byte_size + byte_size / i <= kRandomByteSizeMax); ++i) {
      Step step;
      step.where = at_random ? kRandom : kZero;
      for (const TensorSignature* input : rest_) {
        if (input->optional) {
          continue;
        }
        HEADRACE_ASSIGN_OR_RETURN(step.inputs[input->name], GenerateRow(*input, at_random));
        byte_size += step.inputs[input->name].bytes->size();
      }
      set.steps.push_back(std::move(step));
    }
    return set;
  }

  Result<Row> GenerateRow(const TensorSignature& input, bool at_random) {
    HEADRACE_ASSIGN_OR_RETURN(const std::vector<std::int64_t> dims, KnownDims(input));
    const auto count = ElementCount(dims);
    const std::size_t element = std::max<std::size_t>(DataTypeByteSize(input.data_type),
                                                      input.data_type == DataType::kBytes ? 4 : 1);
    if (!count || static_cast<std::uint64_t>(*count) > kInputFileByteSizeMax / element) {
      return InvalidArgument("input '{}' of the shape {} would be larger than {} bytes", input.name,
                             DimsText(dims), kInputFileByteSizeMax);
    }
    const auto elements = static_cast<std::size_t>(*count);
    return MakeRow(input,
                   at_random ? RandomElements(input.data_type, elements, strings_, random_)
                             : ZeroElements(input.data_type, elements, strings_),
                   dims, std::string(at_random ? kRandom : kZero));
  }

  // The bytes of a file as one inference's `input`.
  Result<Row> FileRow(const TensorSignature& input, const std::string& path) {
    HEADRACE_ASSIGN_OR_RETURN(std::string bytes, ReadFileBytes(path));
    if (bytes.empty()) {
      return InvalidArgument("{} is empty; it should hold the elements of input '{}'", path,
                             input.name);
    }
    if (IsImageExtension(ExtensionOf(path))) {
      HEADRACE_ASSIGN_OR_RETURN(ImageElements image, ReadImage(bytes, input, item_.scaling, path));
      return MakeRow(input, std::move(image.bytes), std::move(image.dims), path);
    }
    if (input.data_type == DataType::kBytes) {
      bytes = PackText(bytes);
    }
    return MakeRow(input, std::move(bytes), std::nullopt,
                   fmt::format("{} (input '{}')", path, input.name));
  }

  Result<DataSet> OneFile(const TensorSignature& input, const std::string& path) {
    DataSet set;
    Step step;
    step.where = path;
    HEADRACE_ASSIGN_OR_RETURN(step.inputs[input.name], FileRow(input, path));
    set.steps.push_back(std::move(step));
    return set;
  }

  Result<DataSet> ReadDirectory(const std::string& directory) {
    HEADRACE_ASSIGN_OR_RETURN(const std::vector<std::string> files, ListFiles(directory));
    if (files.empty()) {
      return InvalidArgument(
          "{} is an empty directory; it should hold one file for each input ({}), or images",
          directory, signature_.InputNames());
    }
    const bool named = std::any_of(files.begin(), files.end(), [&](const std::string& file) {
      return signature_.Input(file) != nullptr;
    });
    return named ? ReadNamedFiles(directory, files) : ReadImages(directory, files);
  }

  Result<DataSet> ReadNamedFiles(const std::string& directory,
                                 const std::vector<std::string>& files) {
    DataSet set;
    Step step;
    step.where = directory;
    const auto has = [&](const std::string& name) {
      return std::binary_search(files.begin(), files.end(), name);
    };
    for (const TensorSignature* input : rest_) {
      if (!has(input->name)) {
        if (input->optional) {
          continue;
        }
        return InvalidArgument("{}/{} is missing: a directory holds one file for each input ({})",
                               directory, input->name, signature_.InputNames());
      }
      HEADRACE_ASSIGN_OR_RETURN(step.inputs[input->name],
                                FileRow(*input, directory + "/" + input->name));
    }
    for (const TensorSignature& output : signature_.outputs) {
      // A file of an input's name is the input's.
      if (has(output.name) && signature_.Input(output.name) == nullptr) {
        const std::string path = directory + "/" + output.name;
        HEADRACE_ASSIGN_OR_RETURN(std::string bytes, ReadFileBytes(path));
        if (output.data_type == DataType::kBytes) {
          bytes = PackText(bytes);
        }
        HEADRACE_ASSIGN_OR_RETURN(step.outputs[output.name],
                                  MakeOutputRow(output, std::move(bytes), std::nullopt, path));
      }
    }
    set.steps.push_back(std::move(step));
    return set;
  }

  Result<DataSet> ReadImages(const std::string& directory, const std::vector<std::string>& files) {
    DataSet set;
    for (const std::string& file : files) {
      if (!IsImageExtension(ExtensionOf(file))) {
        continue;
      }
      if (rest_.size() != 1) {
        return InvalidArgument(
            "{} holds images, which fill one input; the model '{}' takes {}: say of the others "
            "NAME=random, NAME=zero or NAME=FILE",
            directory, signature_.model, signature_.InputNames());
      }
      HEADRACE_ASSIGN_OR_RETURN(DataSet one, OneFile(*rest_.front(), directory + "/" + file));
      set.Append(std::move(one));
    }
    if (set.steps.empty()) {
      return InvalidArgument(
          "{} has no file that is named as an input ({}), and no image (jpg, png, webp)", directory,
          signature_.InputNames());
    }
    return set;
  }

  // One input of every step, from its own source.
  Status SetInput(const TensorSignature& input, const std::string& source, DataSet& set) {
    std::vector<Row> rows;
    if (source == kRandom || source == kZero) {
      const int count = source == kRandom ? std::max(1, item_.random_count) : 1;
      for (int i = 0; i < count; ++i) {
        HEADRACE_ASSIGN_OR_RETURN(Row row, GenerateRow(input, source == kRandom));
        rows.push_back(std::move(row));
      }
    } else {
      HEADRACE_ASSIGN_OR_RETURN(Row row, FileRow(input, source));
      rows.push_back(std::move(row));
    }
    // A single step without an answer of its own becomes as many as there are rows.
    if (set.steps.size() == 1 && set.steps[0].outputs.empty() && set.streams.empty()) {
      set.steps.resize(rows.size(), Step(set.steps[0]));
    }
    for (std::size_t i = 0; i < set.steps.size(); ++i) {
      set.steps[i].inputs[input.name] = rows[i % rows.size()];
    }
    return OkStatus();
  }

  const ItemSpec& item_;
  const Signature& signature_;
  Random& random_;
  const StringSpec strings_;
  std::vector<const TensorSignature*> rest_;  // inputs without a source of their own
};

}  // namespace

Result<DataSet> ReadSteps(const ItemSpec& item, const Signature& signature, Random& random) {
  return StepSource(item, signature, random).Read();
}

}  // namespace headrace::load
