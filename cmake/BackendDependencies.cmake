# What backends are built with: two header libraries, the generator's Python, and the optional inference runtimes.
find_package(fmt REQUIRED)
if(HEADRACE_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

find_program(HEADRACE_PYTHON NAMES python python3 PATHS "${HEADRACE_VENV}/bin" NO_DEFAULT_PATH)
if(NOT HEADRACE_PYTHON)
  find_program(HEADRACE_PYTHON NAMES python3 REQUIRED)
endif()

include(Runtimes)
