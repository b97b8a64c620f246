// `headrace optimize`: finds a Python interpreter and runs python/headrace_optimize with it
// (docs/optimize.md).
#ifndef HEADRACE_CLI_OPTIMIZE_H_
#define HEADRACE_CLI_OPTIMIZE_H_

#include <functional>
#include <string>
#include <vector>

namespace headrace::cli {

// What decides which interpreter runs. Plain values, so that it can be tested.
struct InterpreterSearch {
  std::string said;               // --python
  std::string environment;        // HEADRACE_PYTHON
  std::string program_directory;  // of this program
  std::function<bool(const std::string& path)> is_program;
};

// The interpreters to try, the best first: what was said, alone; else that of the environment,
// alone; else those of virtual environments beside the program (venv/, ../venv/, ../../build/venv/,
// .venv/), then python3 of PATH.
std::vector<std::string> Interpreters(const InterpreterSearch& search);

// Takes this process's place by the interpreter; returns an exit status only if that fails: 1 for a
// bad command line, 2 if there is no interpreter.
int Optimize(std::vector<std::string> arguments);

}  // namespace headrace::cli

#endif  // HEADRACE_CLI_OPTIMIZE_H_
