#include "cli/optimize.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <system_error>

#include "server/process.h"

namespace headrace::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kPackage[] = "headrace_optimize";
constexpr char kPythonFlag[] = "--python";

const char* OrEmpty(const char* text) { return text == nullptr ? "" : text; }

bool IsProgram(const std::string& path) { return access(path.c_str(), X_OK) == 0; }

int Fail(int code, const std::string& text) {
  std::fprintf(stderr, "headrace optimize: %s\n", text.c_str());
  return code;
}

// Takes --python out of the arguments. False if it lacks its value.
bool TakePython(std::vector<std::string>& arguments, std::string& python) {
  const std::string with_value = std::string(kPythonFlag) + "=";
  for (auto argument = arguments.begin(); argument != arguments.end(); ++argument) {
    if (argument->starts_with(with_value)) {
      python = argument->substr(with_value.size());
      arguments.erase(argument);
      return !python.empty();
    }
    if (*argument == kPythonFlag) {
      if (argument + 1 == arguments.end()) {
        return false;
      }
      python = *(argument + 1);
      arguments.erase(argument, argument + 2);
      return !python.empty();
    }
  }
  return true;
}

// Beside the program, as an installation has it, or in the source tree that it was built in.
std::string PackageDirectory(const std::string& program_directory) {
  std::error_code error;
  for (const char* place : {"python", "../../python", "../python", "../lib/headrace/python"}) {
    const fs::path directory = fs::path(program_directory) / place;
    if (fs::is_directory(directory / kPackage, error)) {
      return fs::weakly_canonical(directory, error).string();
    }
  }
  return "";
}

}  // namespace

std::vector<std::string> Interpreters(const InterpreterSearch& search) {
  for (const std::string& named : {search.said, search.environment}) {
    if (!named.empty()) {
      return {named};
    }
  }
  std::vector<std::string> found;
  for (const char* place : {"venv", "../venv", "../../build/venv", ".venv", "../.venv"}) {
    std::string path = search.program_directory + "/" + place + "/bin/python3";
    if (search.is_program(path)) {
      found.push_back(std::move(path));
    }
  }
  found.emplace_back("python3");
  return found;
}

int Optimize(std::vector<std::string> arguments) {
  const std::string program_directory = server::ProgramDirectory();
  InterpreterSearch search{.said = {},
                           .environment = OrEmpty(std::getenv("HEADRACE_PYTHON")),
                           .program_directory = program_directory,
                           .is_program = IsProgram};
  if (!TakePython(arguments, search.said)) {
    return Fail(1, "--python needs the path of an interpreter");
  }
  const std::string package = PackageDirectory(program_directory);
  if (package.empty()) {
    return Fail(2, "the Python package headrace_optimize is not beside the program ('" +
                       program_directory + "/python')");
  }
  const std::string before = OrEmpty(std::getenv("PYTHONPATH"));
  setenv("PYTHONPATH", (before.empty() ? package : package + ":" + before).c_str(), 1);
  setenv("HEADRACE_BINARY", (program_directory + "/headrace").c_str(), 1);
  setenv("HEADRACE_VERSION", HEADRACE_VERSION, 1);
  setenv("PYTHONDONTWRITEBYTECODE", "1", 0);
  std::string tried;
  for (const std::string& interpreter : Interpreters(search)) {
    std::vector<std::string> words = {interpreter, "-m", kPackage};
    words.insert(words.end(), arguments.begin(), arguments.end());
    std::vector<char*> pointers;
    for (std::string& word : words) {
      pointers.push_back(word.data());
    }
    pointers.push_back(nullptr);
    execvp(interpreter.c_str(), pointers.data());
    tried += (tried.empty() ? "" : ", ") + interpreter + " (" + std::strerror(errno) + ")";
  }
  return Fail(2, "no Python interpreter runs: " + tried +
                     "; name one by --python or HEADRACE_PYTHON (Python 3.11 with numpy)");
}

}  // namespace headrace::cli
