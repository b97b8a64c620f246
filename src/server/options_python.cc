#include "server/option_rows.h"

namespace headrace::server {

void AppendPythonOptions(std::vector<Option>& options) {
  options.push_back(Text("python-directory", "Models", &ServerConfig::python_directory, "DIRECTORY",
                         "Where the runtime of Python models is (headrace_worker/ and what models "
                         "import); empty: python/ beside the program."));
  options.push_back(Text("debug-model", "Models", &ServerConfig::debug_model, "NAME",
                         "A Python model whose first worker keeps this terminal and has no time "
                         "limits, so that pdb works in its code."));
}

}  // namespace headrace::server
