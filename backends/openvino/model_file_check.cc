#include "openvino/model_file_check.h"

#include <array>
#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "common/onnx_file.h"
#include "common/protobuf_reader.h"

namespace headrace::backend {
namespace {

// Each rules ONNX out: as protobuf, '<' and 'T' end a group that has not begun.
struct Mark {
  std::string_view extension;
  std::uint64_t offset;
  std::string_view bytes;
  std::string_view format;
};
constexpr std::array<Mark, 2> kMarks = {{
    {".xml", 0, "<", "an OpenVINO IR file"},
    {".tflite", 4, "TFL3", "a TensorFlow Lite file"},
}};

Error CheckMark(const Mark& mark, const std::string& path) {
  ProtobufReader reader;
  HEADRACE_BACKEND_RETURN_IF_ERROR(reader.Open(path));
  std::string found(mark.bytes.size(), '\0');
  if (!reader.Read(mark.offset, found.size(), found.data()).ok() || found != mark.bytes) {
    return InvalidArgument("'{}' is not {}: it has no '{}' at byte {}", path, mark.format,
                           mark.bytes, mark.offset);
  }
  return {};
}

// GraphDef has nodes, a library of functions and versions; a model of ONNX has its graph behind
// them.
Error CheckFrozenGraph(const std::string& path) {
  constexpr std::uint32_t kFieldMax = 5;
  ProtobufReader reader;
  HEADRACE_BACKEND_RETURN_IF_ERROR(reader.Open(path));
  if (reader.byte_size() == 0) {
    return InvalidArgument("'{}' is empty", path);
  }
  for (std::uint64_t offset = 0; offset < reader.byte_size();) {
    ProtobufField field;
    Error error = reader.Next(&offset, reader.byte_size(), &field);
    if (error.ok() && field.number > kFieldMax) {
      error = InvalidArgument("a graph has no field {}", field.number);
    }
    if (!error.ok()) {
      return InvalidArgument("'{}' is not a frozen graph of TensorFlow: {}", path, error.message());
    }
  }
  return {};
}

}  // namespace

Error CheckModelFile(const ModelSource& source) {
  const std::string& path = source.path;
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return {};
  }
  for (const Mark& mark : kMarks) {
    if (path.ends_with(mark.extension)) {
      return CheckMark(mark, path);
    }
  }
  if (path.ends_with(".pb") || path.ends_with(".graphdef")) {
    return CheckFrozenGraph(path);
  }
  if (path.ends_with(".onnx")) {
    std::vector<ExternalFile> external_files;
    return InspectOnnxFile(path, source.model_directory, &external_files);
  }
  return InvalidArgument(
      "'{}' is called like no model: its name must end with .xml, .onnx, .tflite, .pb or .graphdef",
      path);
}

}  // namespace headrace::backend
