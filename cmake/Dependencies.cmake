# Libraries that the program links.
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Protobuf REQUIRED)
find_package(spdlog REQUIRED)
find_package(simdjson REQUIRED)
find_package(yaml-cpp REQUIRED)
find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)
find_library(XXHASH_LIBRARY NAMES libxxhash.a xxhash REQUIRED)
add_library(xxhash::xxhash STATIC IMPORTED)
set_target_properties(xxhash::xxhash PROPERTIES IMPORTED_LOCATION "${XXHASH_LIBRARY}"
                      INTERFACE_INCLUDE_DIRECTORIES "${XXHASH_INCLUDE_DIR}")
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
include(BackendDependencies)
