#include "load/http_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/ascii.h"
#include "load/http_body.h"

namespace headrace::load {
namespace {

// A request up to this size goes out as one piece: one copy before the run for less work in it.
constexpr std::size_t kJoinedByteSizeMax = 16 * 1024;
// The same for what is copied for each request, because it has fields.
constexpr std::size_t kCopiedByteSizeMax = 2 * 1024;

constexpr std::string_view kDigits = "0123456789abcdef";

// Everything but RFC 3986's unreserved bytes as %XX.
std::string PathSegment(std::string_view text) {
  std::string segment;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
        c == '.' || c == '_' || c == '~') {
      segment += c;
    } else {
      segment += fmt::format("%{:02X}", byte);
    }
  }
  return segment;
}

std::string TargetPath(const TargetSpec& target, const Item& item) {
  const std::string model = PathSegment(item.model);
  const std::string version = PathSegment(item.version);
  switch (target.protocol) {
    case Protocol::kV2Http:
      return version.empty() ? fmt::format("/v2/models/{}/infer", model)
                             : fmt::format("/v2/models/{}/versions/{}/infer", model, version);
    case Protocol::kTorchServe:
      return version.empty() ? fmt::format("/predictions/{}", model)
                             : fmt::format("/predictions/{}/{}", model, version);
    case Protocol::kV1:
      return fmt::format("/v1/models/{}:predict", model);
    case Protocol::kInvocations:
      return "/invocations";
    default:
      return target.path.empty() ? "/" : target.path;
  }
}

Result<HttpBody> PlainBody(const Content& content) {
  if (content.body == nullptr && !content.inputs.empty()) {
    return InvalidArgument("this protocol sends a body, and only tensors are given");
  }
  HttpBody body;
  body.content_type =
      content.content_type.empty() ? "application/octet-stream" : content.content_type;
  if (content.body != nullptr) {
    body.payload.push_back(content.body);
  }
  return body;
}

Result<HttpBody> BodyOf(const TargetSpec& target, const Item& item, const Content& content) {
  switch (target.protocol) {
    case Protocol::kV2Http:
      if (content.body == nullptr) {
        return V2Body(target, item, content);
      }
      return PlainBody(content);
    case Protocol::kV1:
      return V1Body(content);
    default:
      return PlainBody(content);
  }
}

bool Given(const TargetSpec& target, std::string_view name) {
  return std::any_of(target.headers.begin(), target.headers.end(),
                     [&](const auto& header) { return EqualsIgnoringCase(header.first, name); });
}

Status CheckHeaders(const TargetSpec& target) {
  for (const auto& [name, value] : target.headers) {
    const bool valued = std::none_of(value.begin(), value.end(), [](char c) {
      return c != '\t' && (static_cast<unsigned char>(c) < 0x20 || c == 0x7f);
    });
    if (!IsHeaderName(name) || !valued) {
      return InvalidArgument("the header '{}' has a name or a value that HTTP cannot carry", name);
    }
    const bool own = EqualsIgnoringCase(name, "Content-Length") ||
                     EqualsIgnoringCase(name, "Transfer-Encoding") ||
                     EqualsIgnoringCase(name, "Connection") ||
                     (target.protocol == Protocol::kV2Http &&
                      EqualsIgnoringCase(name, "Inference-Header-Content-Length"));
    if (own) {
      return InvalidArgument("the header '{}' is set by each request itself", name);
    }
  }
  for (const char c : target.path) {
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f) {
      return InvalidArgument("the path '{}' has blanks or control bytes; write them as %20",
                             target.path);
    }
  }
  return OkStatus();
}

std::string HostOf(const TargetSpec& target) {
  if (!target.unix_socket.empty()) {
    return "localhost";
  }
  const bool six = target.host.find(':') != std::string::npos;
  return fmt::format("{}{}{}:{}", six ? "[" : "", target.host, six ? "]" : "", target.port);
}

std::string HeadOf(const TargetSpec& target, const Item& item, const Content& content,
                   const HttpBody& body, std::vector<RequestField>& fields) {
  const bool get = target.protocol == Protocol::kRawHttp && content.body == nullptr;
  std::string head =
      fmt::format("{} {} HTTP/1.1\r\n", get ? "GET" : "POST", TargetPath(target, item));
  if (!Given(target, "Host")) {
    head += fmt::format("Host: {}\r\n", HostOf(target));
  }
  if (!get) {
    if (!Given(target, "Content-Type")) {
      head += fmt::format("Content-Type: {}\r\n", body.content_type);
    }
    head += fmt::format("Content-Length: {}\r\n", body.byte_size());
  }
  if (body.json_byte_size) {
    head += fmt::format("Inference-Header-Content-Length: {}\r\n", *body.json_byte_size);
  }
  for (const auto& [name, value] : target.headers) {
    head += fmt::format("{}: {}\r\n", name, value);
  }
  if (target.protocol != Protocol::kV2Http) {
    if (target.request_ids) {
      head += "X-Request-Id: ";
      fields.push_back({RequestField::Kind::kRequestId, head.size()});
      head += std::string(16, '0') + "\r\n";
    }
    if (item.sequences.concurrent > 0) {
      head += "ts_request_sequence_id: ";
      fields.push_back({RequestField::Kind::kSequenceId, head.size()});
      head += std::string(20, ' ') + "\r\n";
    }
  }
  return head + "\r\n";
}

// Puts head and body together: as few pieces as pay.
std::unique_ptr<EncodedRequest> Assemble(std::string head, std::vector<RequestField> fields,
                                         HttpBody body) {
  auto request = std::make_unique<EncodedRequest>();
  for (const RequestField& field : body.fields) {
    fields.push_back({field.kind, head.size() + field.offset});
  }
  request->byte_size = head.size() + body.byte_size();
  request->fields = std::move(fields);
  request->head = std::move(head);
  request->head += body.start;
  std::size_t payload_byte_size = 0;
  for (const auto& bytes : body.payload) {
    payload_byte_size += bytes->size();
  }
  const bool copied = !request->fields.empty();
  const std::size_t joined_max = copied ? kCopiedByteSizeMax : kJoinedByteSizeMax;
  if (!copied || request->head.size() + body.rest.size() <= joined_max) {
    request->head += body.rest;
  } else {
    request->rest = std::move(body.rest);
  }
  if (request->rest.empty() && request->head.size() + payload_byte_size <= joined_max) {
    for (const auto& bytes : body.payload) {
      request->head += *bytes;
    }
  } else {
    request->payload = std::move(body.payload);
  }
  request->pieces.emplace_back(request->head);
  if (!request->rest.empty()) {
    request->pieces.emplace_back(request->rest);
  }
  for (const auto& bytes : request->payload) {
    if (!bytes->empty()) {
      request->pieces.emplace_back(*bytes);
    }
  }
  return request;
}

}  // namespace

void FillFields(const std::vector<RequestField>& fields, const Outgoing& request,
                std::uint64_t request_id, std::string& piece) {
  const auto put_flag = [&](std::size_t offset, bool flag) {
    std::memcpy(piece.data() + offset, flag ? "true " : "false", 5);
  };
  for (const RequestField& field : fields) {
    switch (field.kind) {
      case RequestField::Kind::kRequestId:
        for (std::size_t i = 0; i < 16; ++i) {
          piece[field.offset + i] = kDigits[(request_id >> (60 - 4 * i)) & 15];
        }
        break;
      case RequestField::Kind::kSequenceId: {
        std::uint64_t id = request.sequence_id;
        for (std::size_t i = 20; i > 0; --i, id /= 10) {
          piece[field.offset + i - 1] = id != 0 || i == 20 ? kDigits[id % 10] : ' ';
        }
        break;
      }
      case RequestField::Kind::kSequenceStart:
        put_flag(field.offset, request.sequence_start);
        break;
      case RequestField::Kind::kSequenceEnd:
        put_flag(field.offset, request.sequence_end);
        break;
    }
  }
}

Result<std::unique_ptr<EncodedRequest>> EncodeHttpRequest(const TargetSpec& target,
                                                          const Item& item,
                                                          std::size_t content_index) {
  HEADRACE_RETURN_IF_ERROR(CheckHeaders(target));
  const Content& content = item.contents[content_index];
  auto body = BodyOf(target, item, content);
  if (!body.ok()) {
    return body.status().WithPrefix(
        fmt::format("item '{}', content {}: ", item.name, content_index));
  }
  if (body->content_type.find_first_of("\r\n") != std::string::npos) {
    return InvalidArgument("item '{}', content {}: the content type has a line end", item.name,
                           content_index);
  }
  std::vector<RequestField> fields;
  std::string head = HeadOf(target, item, content, *body, fields);
  auto request = Assemble(std::move(head), std::move(fields), std::move(*body));
  request->golden = content.golden ? &*content.golden : nullptr;
  return request;
}

}  // namespace headrace::load
