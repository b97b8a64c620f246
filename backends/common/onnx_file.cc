#include "common/onnx_file.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <filesystem>
#include <string_view>

#include "common/protobuf_reader.h"

namespace headrace::backend {
namespace {

namespace fs = std::filesystem;

// As deep as protobuf's own parsers go.
constexpr int kDepthMax = 100;
constexpr std::size_t kTextByteSizeMax = 4096;

// The messages of onnx.proto that tensors are found in.
enum class Message : std::uint8_t {
  kModel,
  kTraining,
  kFunction,
  kGraph,
  kNode,
  kAttribute,
  kSparseTensor,
  kTensor
};

struct Child {
  Message parent;
  std::uint32_t field;
  Message message;
};
constexpr auto kChildren = std::to_array<Child>({
    {Message::kModel, 7, Message::kGraph},
    {Message::kModel, 20, Message::kTraining},
    {Message::kModel, 25, Message::kFunction},
    {Message::kTraining, 1, Message::kGraph},
    {Message::kTraining, 2, Message::kGraph},
    {Message::kFunction, 7, Message::kNode},
    {Message::kFunction, 11, Message::kAttribute},
    {Message::kGraph, 1, Message::kNode},
    {Message::kGraph, 5, Message::kTensor},
    {Message::kGraph, 15, Message::kSparseTensor},
    {Message::kNode, 5, Message::kAttribute},
    {Message::kAttribute, 5, Message::kTensor},
    {Message::kAttribute, 6, Message::kGraph},
    {Message::kAttribute, 10, Message::kTensor},
    {Message::kAttribute, 11, Message::kGraph},
    {Message::kAttribute, 22, Message::kSparseTensor},
    {Message::kAttribute, 23, Message::kSparseTensor},
    {Message::kSparseTensor, 1, Message::kTensor},
    {Message::kSparseTensor, 2, Message::kTensor},
});

// Fields of TensorProto and of its external_data entries.
constexpr std::uint32_t kTensorName = 8;
constexpr std::uint32_t kTensorExternalData = 13;
constexpr std::uint32_t kTensorDataLocation = 14;
constexpr std::uint64_t kLocationExternal = 1;
constexpr std::uint32_t kEntryKey = 1;
constexpr std::uint32_t kEntryValue = 2;

const Message* FindChild(Message parent, std::uint32_t field) {
  const auto found = std::find_if(kChildren.begin(), kChildren.end(), [&](const Child& child) {
    return child.parent == parent && child.field == field;
  });
  return found == kChildren.end() ? nullptr : &found->message;
}

// What a tensor says about where its data lie.
struct TensorData {
  std::string name;
  bool external = false;
  std::string location;
  std::string offset;
  std::string length;
};

// Text of the file's for a message: short, and without what a terminal or a log would act on.
std::string Shown(const std::string& text) {
  constexpr std::size_t kShownMax = 128;
  std::string shown = text.substr(0, kShownMax);
  std::replace_if(
      shown.begin(), shown.end(),
      [](char c) { return static_cast<unsigned char>(c) < ' ' || c == '\x7f'; }, '?');
  return shown;
}

bool ReadNumber(const std::string& text, std::uint64_t* number) {
  const auto [stop, failure] = std::from_chars(text.data(), text.data() + text.size(), *number);
  return failure == std::errc() && stop == text.data() + text.size();
}

class OnnxWalk {
 public:
  OnnxWalk(ProtobufReader& reader, fs::path file_directory, fs::path model_directory,
           std::vector<ExternalFile>& found)
      : reader_(reader),
        file_directory_(std::move(file_directory)),
        model_directory_(std::move(model_directory)),
        found_(found) {}

  // Visits the message in [begin, end).
  Error Visit(Message message, std::uint64_t begin, std::uint64_t end, int depth) {
    if (depth > kDepthMax) {
      return InvalidArgument("its messages are nested more than {} deep", kDepthMax);
    }
    TensorData tensor;
    for (std::uint64_t offset = begin; offset < end;) {
      ProtobufField field;
      HEADRACE_BACKEND_RETURN_IF_ERROR(reader_.Next(&offset, end, &field));
      if (message == Message::kTensor) {
        HEADRACE_BACKEND_RETURN_IF_ERROR(ReadTensorField(field, &tensor));
      } else if (const Message* child = FindChild(message, field.number)) {
        if (field.wire != ProtobufField::Wire::kBytes) {
          return InvalidArgument("the field before byte {} is no message", field.end);
        }
        has_graph_ = has_graph_ || *child == Message::kGraph;
        HEADRACE_BACKEND_RETURN_IF_ERROR(Visit(*child, field.begin, field.end, depth + 1));
      }
    }
    return tensor.external ? CheckExternal(tensor) : Error();
  }

  bool has_graph() const { return has_graph_; }

 private:
  Error ReadTensorField(const ProtobufField& field, TensorData* tensor) {
    if (field.number == kTensorDataLocation) {
      tensor->external = field.value == kLocationExternal;
    } else if (field.number == kTensorName) {
      return reader_.Text(field, kTextByteSizeMax, &tensor->name);
    } else if (field.number == kTensorExternalData) {
      return ReadEntry(field, tensor);
    }
    return {};
  }

  Error ReadEntry(const ProtobufField& entry, TensorData* tensor) {
    std::string key;
    std::string value;
    for (std::uint64_t offset = entry.begin; offset < entry.end;) {
      ProtobufField field;
      HEADRACE_BACKEND_RETURN_IF_ERROR(reader_.Next(&offset, entry.end, &field));
      if (field.number == kEntryKey) {
        HEADRACE_BACKEND_RETURN_IF_ERROR(reader_.Text(field, kTextByteSizeMax, &key));
      } else if (field.number == kEntryValue) {
        HEADRACE_BACKEND_RETURN_IF_ERROR(reader_.Text(field, kTextByteSizeMax, &value));
      }
    }
    if (key == "location") {
      tensor->location = value;
    } else if (key == "offset") {
      tensor->offset = value;
    } else if (key == "length") {
      tensor->length = value;
    }
    return {};
  }

  Error CheckExternal(const TensorData& tensor) {
    ExternalFile file;
    HEADRACE_BACKEND_RETURN_IF_ERROR(Locate(tensor, &file));
    std::uint64_t offset = 0;
    if (!tensor.offset.empty() && !ReadNumber(tensor.offset, &offset)) {
      return InvalidArgument("tensor '{}': the offset '{}' of its external data is not a number",
                             Shown(tensor.name), Shown(tensor.offset));
    }
    std::uint64_t length = 0;
    if (!tensor.length.empty() && !ReadNumber(tensor.length, &length)) {
      return InvalidArgument("tensor '{}': the length '{}' of its external data is not a number",
                             Shown(tensor.name), Shown(tensor.length));
    }
    if (offset > file.byte_size || length > file.byte_size - offset) {
      return InvalidArgument(
          "tensor '{}': its external data, {} bytes at offset {}, reach past the end of '{}', "
          "which has {} bytes",
          Shown(tensor.name), length, offset, Shown(tensor.location), file.byte_size);
    }
    return {};
  }

  // Finds the file, checks where it is, and lists it.
  Error Locate(const TensorData& tensor, ExternalFile* file) {
    const auto listed = std::find_if(found_.begin(), found_.end(), [&](const ExternalFile& known) {
      return known.location == tensor.location;
    });
    if (listed != found_.end()) {
      *file = *listed;
      return {};
    }
    const fs::path location(tensor.location);
    if (tensor.location.empty() || location.is_absolute() ||
        tensor.location.find('\0') != std::string::npos ||
        std::find(location.begin(), location.end(), "..") != location.end()) {
      return InvalidArgument(
          "tensor '{}': the location '{}' of its external data is not a path below the model's "
          "directory",
          Shown(tensor.name), Shown(tensor.location));
    }
    const fs::path path = file_directory_ / location;
    std::error_code error;
    const fs::file_status status = fs::symlink_status(path, error);
    if (!fs::is_regular_file(status)) {
      return InvalidArgument("tensor '{}': its external data '{}' {}", Shown(tensor.name),
                             Shown(tensor.location),
                             fs::is_symlink(status) ? "is a symbolic link; put the file there"
                             : fs::exists(status)   ? "is not a regular file"
                                                    : "does not exist");
    }
    const fs::path canonical = fs::canonical(path, error);
    if (error || std::mismatch(model_directory_.begin(), model_directory_.end(), canonical.begin(),
                               canonical.end())
                         .first != model_directory_.end()) {
      return InvalidArgument(
          "tensor '{}': its external data '{}' are outside of the model's directory",
          Shown(tensor.name), Shown(tensor.location));
    }
    const std::uint64_t byte_size = fs::file_size(canonical, error);
    if (error) {
      return Unavailable("tensor '{}': its external data '{}': {}", Shown(tensor.name),
                         Shown(tensor.location), error.message());
    }
    *file = {tensor.location, canonical.string(), byte_size};
    found_.push_back(*file);
    return {};
  }

  ProtobufReader& reader_;
  const fs::path file_directory_;   // canonical
  const fs::path model_directory_;  // canonical
  std::vector<ExternalFile>& found_;
  bool has_graph_ = false;
};

bool IsRuntimeFormat(ProtobufReader& reader) {
  constexpr std::string_view kIdentifier = "ORTM";  // of the flat buffer, behind its root
  std::array<char, 8> head{};
  return reader.byte_size() >= head.size() && reader.Read(0, head.size(), head.data()).ok() &&
         std::memcmp(head.data() + 4, kIdentifier.data(), kIdentifier.size()) == 0;
}

}  // namespace

Error InspectOnnxFile(const std::string& path, const std::string& model_directory,
                      std::vector<ExternalFile>* external_files) {
  external_files->clear();
  ProtobufReader reader;
  HEADRACE_BACKEND_RETURN_IF_ERROR(reader.Open(path));
  if (reader.byte_size() == 0) {
    return InvalidArgument("'{}' is empty", path);
  }
  if (IsRuntimeFormat(reader)) {
    return {};
  }
  std::error_code ignored;
  OnnxWalk walk(reader, fs::canonical(path, ignored).parent_path(),
                fs::canonical(model_directory, ignored), *external_files);
  if (Error error = walk.Visit(Message::kModel, 0, reader.byte_size(), 0); !error.ok()) {
    return Error(error.code(), fmt::format("'{}' is not an ONNX model that can be served: {}", path,
                                           error.message()));
  }
  if (!walk.has_graph()) {
    return InvalidArgument("'{}' is not an ONNX model: it holds no graph", path);
  }
  return {};
}

}  // namespace headrace::backend
