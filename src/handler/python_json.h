// Writes JSON as Python's json.dumps(value, indent=2) does, which is how TorchServe sends what a
// handler returns.
#ifndef HEADRACE_HANDLER_PYTHON_JSON_H_
#define HEADRACE_HANDLER_PYTHON_JSON_H_

#include <string>
#include <string_view>

namespace headrace::handler {

// As repr(float) has it, with NaN, Infinity and -Infinity.
void AppendPythonFloat(double value, std::string& out);
// With all but ASCII escaped. `text` is UTF-8.
void AppendPythonString(std::string_view text, std::string& out);

// Lists and objects; the caller keeps begin and end in balance.
class PythonJsonWriter {
 public:
  explicit PythonJsonWriter(std::string& out) : out_(out) {}
  void BeginObject() { Begin('{'); }
  void EndObject() { End('}'); }
  void BeginArray() { Begin('['); }
  void EndArray() { End(']'); }
  void Key(std::string_view key);
  void Float(double value);

 private:
  void Begin(char bracket);
  void End(char bracket);
  // Before a value or a key: comma, new line and indentation, unless a key stands before it.
  void Separate();

  std::string& out_;
  int depth_ = 0;
  bool empty_ = true;  // the innermost list or object, so far
  bool after_key_ = false;
};

}  // namespace headrace::handler

#endif  // HEADRACE_HANDLER_PYTHON_JSON_H_
