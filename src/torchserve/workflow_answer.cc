#include "torchserve/workflow_answer.h"

#include <simdjson.h>

#include <utility>

#include "protocol/json_writer.h"
#include "protocol/utf8.h"
#include "torchserve/api_replies.h"

namespace headrace::torchserve {
namespace {

std::string Joined(const std::vector<Buffer>& body) {
  std::string text;
  for (const Buffer& buffer : body) {
    text += buffer.view();
  }
  return text;
}

}  // namespace

Result<std::vector<Buffer>> WorkflowBody(std::vector<store::WorkflowOutcome::Leaf> leaves) {
  if (leaves.size() == 1) {
    return std::move(leaves.front().body);
  }
  std::string json = "{";
  simdjson::dom::parser parser;
  for (const store::WorkflowOutcome::Leaf& leaf : leaves) {
    json += json.size() > 1 ? "," : "";
    protocol::JsonWriter(json).String(leaf.name);
    json += ":";
    const std::string text = Joined(leaf.body);
    if (parser.parse(text).error() == simdjson::SUCCESS) {
      json += text;
    } else if (protocol::FindInvalidUtf8(text) == text.size()) {
      protocol::JsonWriter(json).String(text);
    } else {
      return Internal(
          "The node {} answered bytes that are neither JSON nor text, which cannot be joined with "
          "what other nodes answered",
          leaf.name);
    }
  }
  json += "}";
  std::vector<Buffer> body;
  body.push_back(Buffer::FromString(Indented(json)));
  return body;
}

}  // namespace headrace::torchserve
