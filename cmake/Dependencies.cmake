# Libraries that the program links, and the optional inference runtimes that only backends link.
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Protobuf REQUIRED)
find_package(spdlog REQUIRED)
find_package(fmt REQUIRED)
find_package(simdjson REQUIRED)
find_package(yaml-cpp REQUIRED)
if(HEADRACE_TESTS)
  find_package(GTest REQUIRED)
  include(GoogleTest)
endif()

find_program(HEADRACE_PYTHON NAMES python python3 PATHS "${HEADRACE_VENV}/bin" NO_DEFAULT_PATH)
if(NOT HEADRACE_PYTHON)
  find_program(HEADRACE_PYTHON NAMES python3 REQUIRED)
endif()

# llhttp: a static library of its own package; strict mode is its default.
find_path(LLHTTP_INCLUDE_DIR llhttp.h PATHS "${HEADRACE_DEPS}/usr/include")
find_library(LLHTTP_LIBRARY NAMES libllhttp.a llhttp PATHS "${HEADRACE_DEPS}/usr/lib/x86_64-linux-gnu"
             "${HEADRACE_DEPS}/usr/lib")
if(NOT LLHTTP_INCLUDE_DIR OR NOT LLHTTP_LIBRARY)
  message(FATAL_ERROR "llhttp not found; run tools/setup.sh (or `make build`), which unpacks it into ${HEADRACE_DEPS}")
endif()
add_library(llhttp::llhttp STATIC IMPORTED)
set_target_properties(llhttp::llhttp PROPERTIES IMPORTED_LOCATION "${LLHTTP_LIBRARY}"
                      INTERFACE_INCLUDE_DIRECTORIES "${LLHTTP_INCLUDE_DIR}")
include(Runtimes)
