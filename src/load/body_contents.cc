#include "load/body_contents.h"

#include <algorithm>
#include <utility>

#include "load/file_bytes.h"
#include "load/input_signature.h"
#include "load/json_document.h"
#include "protocol/base64.h"
#include "protocol/json_writer.h"

namespace headrace::load {
namespace {

using protocol::JsonWriter;

constexpr std::string_view kJson = "application/json";
constexpr std::int64_t kInstanceElementCountMax = std::int64_t{1} << 26;

// One body, and the name by which its expected answer is found.
struct Body {
  std::string name, bytes, content_type;
};

class BodySource {
 public:
  BodySource(Protocol protocol, const ItemSpec& item, Random& random)
      : protocol_(protocol), item_(item), random_(random) {}

  Result<std::vector<Body>> Read() {
    std::vector<Body> bodies;
    for (const std::string& source : item_.data) {
      if (source == "random" || source == "zero") {
        HEADRACE_RETURN_IF_ERROR(Generate(source == "random", bodies));
      } else if (KindOf(source) == PathKind::kDirectory) {
        HEADRACE_RETURN_IF_ERROR(ReadDirectory(source, bodies));
      } else {
        HEADRACE_RETURN_IF_ERROR(ReadBody(source, bodies));
      }
    }
    if (item_.data.empty()) {
      HEADRACE_RETURN_IF_ERROR(Generate(true, bodies));
    }
    return bodies;
  }

 private:
  Status ReadDirectory(const std::string& directory, std::vector<Body>& bodies) {
    HEADRACE_ASSIGN_OR_RETURN(const std::vector<std::string> files, ListFiles(directory));
    if (files.empty()) {
      return InvalidArgument("{} is an empty directory; each file in it would be one request",
                             directory);
    }
    for (const std::string& file : files) {
      HEADRACE_RETURN_IF_ERROR(ReadBody(directory + "/" + file, bodies));
    }
    return OkStatus();
  }

  Status ReadBody(const std::string& path, std::vector<Body>& bodies) {
    HEADRACE_ASSIGN_OR_RETURN(std::string bytes, ReadFileBytes(path));
    const std::string extension = ExtensionOf(path);
    if (protocol_ == Protocol::kV1) {
      HEADRACE_ASSIGN_OR_RETURN(bytes, extension == "json" ? InstancesOfJson(bytes, path)
                                                           : Instances(EncodedInstance(bytes)));
      return Add(path, std::move(bytes), kJson, bodies);
    }
    if (extension == "json") {
      HEADRACE_ASSIGN_OR_RETURN(const bool listed, ReadList(bytes, path, bodies));
      if (listed) {
        return OkStatus();
      }
    }
    return Add(path, std::move(bytes), ContentTypeOf(extension), bodies);
  }

  Status Add(const std::string& name, std::string bytes, std::string_view content_type,
             std::vector<Body>& bodies) {
    bodies.push_back({name, std::move(bytes),
                      item_.content_type.empty() ? std::string(content_type) : item_.content_type});
    return OkStatus();
  }

  // perf_analyzer's way to name files: {"data": [{"TORCHSERVE_INPUT": ["a.jpg"]}, ...]}. False for
  // JSON that is a body itself.
  Result<bool> ReadList(const std::string& bytes, const std::string& path,
                        std::vector<Body>& bodies) {
    const auto document = JsonDocument::Parse(bytes, path);
    if (!document.ok() || !document->root().is_object()) {
      return false;  // whether it is good, the server says
    }
    const auto list = ArrayMember(document->root(), "data");
    if (!list || list->size() == 0 || !Member(list->at(0).value_unsafe(), "TORCHSERVE_INPUT")) {
      return false;
    }
    std::size_t index = 0;
    for (const JsonElement entry : *list) {
      const auto files = ArrayMember(entry, "TORCHSERVE_INPUT");
      std::string_view file;
      if (!files || files->size() != 1 || files->at(0).get(file) != simdjson::SUCCESS) {
        return InvalidArgument("{}: data[{}].TORCHSERVE_INPUT must be an array with one path", path,
                               index);
      }
      HEADRACE_RETURN_IF_ERROR(ReadBody(std::string(file), bodies)
                                   .WithPrefix(fmt::format("{}: data[{}]: ", path, index)));
      ++index;
    }
    return true;
  }

  std::string EncodedInstance(const std::string& bytes) const {
    std::string out;
    JsonWriter(out).BeginObject().Key("b64").String(protocol::EncodeBase64(bytes)).EndObject();
    return out;
  }

  // One instance as many times as the batch size says.
  std::string Instances(const std::string& instance) const {
    std::string out;
    JsonWriter json(out);
    json.BeginObject().Key("instances").BeginArray();
    for (std::int64_t i = 0; i < item_.batch_size; ++i) {
      json.Raw(instance);
    }
    json.EndArray().EndObject();
    return out;
  }

  Result<std::string> InstancesOfJson(const std::string& bytes, const std::string& path) const {
    HEADRACE_ASSIGN_OR_RETURN(const JsonDocument document, JsonDocument::Parse(bytes, path));
    if (Member(document.root(), "instances") || Member(document.root(), "inputs")) {
      return bytes;
    }
    if (document.root().is_array()) {
      std::string out;
      JsonWriter(out).BeginObject().Key("instances").Raw(bytes).EndObject();
      return out;
    }
    return Instances(bytes);
  }

  Status Generate(bool at_random, std::vector<Body>& bodies) {
    if (protocol_ == Protocol::kV1 && item_.shapes.size() == 1) {
      return GenerateInstances(at_random, item_.shapes.begin()->second, bodies);
    }
    if (item_.string_data) {
      const std::string quoted = [&] {
        std::string out;
        JsonWriter(out).String(*item_.string_data);
        return out;
      }();
      return protocol_ == Protocol::kV1 ? Add("text", Instances(quoted), kJson, bodies)
                                        : Add("text", *item_.string_data, "text/plain", bodies);
    }
    if (protocol_ == Protocol::kRawHttp) {
      bodies.push_back({"", "", item_.content_type});
      return OkStatus();
    }
    return InvalidArgument(
        "this protocol does not say what a model takes, so that no data can be made up; give "
        "--input-data FILE or DIRECTORY, or --string-data TEXT{}",
        protocol_ == Protocol::kV1 ? ", or the shape of an instance with --shape NAME:D,D" : "");
  }

  Status GenerateInstances(bool at_random, const std::vector<std::int64_t>& dims,
                           std::vector<Body>& bodies) {
    const auto count = ElementCount(dims);
    if (!count || *count > kInstanceElementCountMax / std::max<std::int64_t>(1, item_.batch_size)) {
      return InvalidArgument("instances of the shape {} are too large for JSON", DimsText(dims));
    }
    for (int i = 0; i < (at_random ? std::max(1, item_.random_count) : 1); ++i) {
      std::string out;
      JsonWriter json(out);
      json.BeginObject().Key("instances").BeginArray();
      for (std::int64_t instance = 0; instance < item_.batch_size; ++instance) {
        WriteArray(dims, at_random, json);
      }
      json.EndArray().EndObject();
      HEADRACE_RETURN_IF_ERROR(Add("random", std::move(out), kJson, bodies));
    }
    return OkStatus();
  }

  // As deep as --shape has dimensions, which are few (AddShape).
  void WriteArray(std::span<const std::int64_t> dims, bool at_random, JsonWriter& json) {
    if (dims.empty()) {
      json.Float(at_random ? static_cast<float>(random_.Uniform()) : 0);
      return;
    }
    json.BeginArray();
    for (std::int64_t i = 0; i < dims.front(); ++i) {
      WriteArray(dims.subspan(1), at_random, json);
    }
    json.EndArray();
  }

  const Protocol protocol_;
  const ItemSpec& item_;
  Random& random_;
};

// The expected answer to `body`: of its name in a directory, else the file.
Result<std::shared_ptr<const std::string>> GoldenBody(const ItemSpec& item, const Body& body) {
  std::string path = item.golden_file;
  if (KindOf(path) == PathKind::kDirectory) {
    path += body.name.substr(std::min(body.name.rfind('/'), body.name.size()));
  }
  HEADRACE_ASSIGN_OR_RETURN(std::string bytes, ReadFileBytes(path));
  return std::make_shared<const std::string>(std::move(bytes));
}

}  // namespace

Result<std::vector<Content>> MakeBodyContents(Protocol protocol, const ItemSpec& item,
                                              Random& random) {
  HEADRACE_ASSIGN_OR_RETURN(std::vector<Body> bodies, BodySource(protocol, item, random).Read());
  std::vector<Content> contents;
  for (Body& body : bodies) {
    Content content;
    if (item.compare_answers && !item.golden_file.empty()) {
      GoldenOutputs golden;
      golden.absolute_tolerance = item.absolute_tolerance;
      golden.relative_tolerance = item.relative_tolerance;
      HEADRACE_ASSIGN_OR_RETURN(golden.body, GoldenBody(item, body));
      content.golden = std::move(golden);
    }
    content.body = std::make_shared<const std::string>(std::move(body.bytes));
    content.content_type = std::move(body.content_type);
    contents.push_back(std::move(content));
  }
  return contents;
}

}  // namespace headrace::load
