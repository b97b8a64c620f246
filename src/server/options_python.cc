#include "server/option_rows.h"

namespace headrace::server {

void AppendPythonOptions(std::vector<Option>& options) {
  options.push_back(Text("python-directory", "Models", &ServerConfig::python_directory, "DIRECTORY",
                         "Where the runtime of Python models is (headrace_worker/ and what models "
                         "import); empty: python/ beside the program."));
}

}  // namespace headrace::server
