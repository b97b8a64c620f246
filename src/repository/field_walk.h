// Visits what is set in a configuration message, by reflection. Only for .cc files of this folder:
// needs protobuf.
#ifndef HEADRACE_REPOSITORY_FIELD_WALK_H_
#define HEADRACE_REPOSITORY_FIELD_WALK_H_

#include <functional>
#include <string>

namespace google::protobuf {
class Message;
class FieldDescriptor;
}  // namespace google::protobuf

namespace headrace::repository {

// Called for each field that is set: a message that is present, a list or map that is not empty, a
// scalar that is not its default. `path` is like "input.reshape.shape", without indices; the
// entries of a map count as its values. True = go on into the field's own fields. A repeated field
// is visited once for each element.
using FieldVisitor =
    std::function<bool(const std::string& path, const google::protobuf::FieldDescriptor& field)>;
void WalkSetFields(const google::protobuf::Message& message, const FieldVisitor& visitor);

// Every string value in the message, keys of maps included.
void WalkStrings(
    const google::protobuf::Message& message,
    const std::function<void(const std::string& path, const std::string& value)>& visitor);

}  // namespace headrace::repository

#endif  // HEADRACE_REPOSITORY_FIELD_WALK_H_
