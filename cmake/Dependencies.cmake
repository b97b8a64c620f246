# Libraries that the program links.
find_package(Threads REQUIRED)
find_package(ZLIB REQUIRED)
find_package(Protobuf REQUIRED)
find_package(spdlog REQUIRED)
find_package(simdjson REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(CURL REQUIRED)
# HTTP/2 framing. Without the rate limit of resets and the limit of CONTINUATION frames it is too old to be let out.
find_package(PkgConfig REQUIRED)
pkg_check_modules(NGHTTP2 REQUIRED IMPORTED_TARGET libnghttp2>=1.52)
add_library(nghttp2::nghttp2 ALIAS PkgConfig::NGHTTP2)
find_path(XXHASH_INCLUDE_DIR xxhash.h REQUIRED)
find_library(XXHASH_LIBRARY NAMES libxxhash.a xxhash REQUIRED)
add_library(xxhash::xxhash STATIC IMPORTED)
set_target_properties(xxhash::xxhash PROPERTIES IMPORTED_LOCATION "${XXHASH_LIBRARY}"
                      INTERFACE_INCLUDE_DIRECTORIES "${XXHASH_INCLUDE_DIR}")
# Packed environments of Python models.
pkg_check_modules(LIBARCHIVE REQUIRED IMPORTED_TARGET libarchive>=3.4)
# Archives of models that `headrace tune` puts settings into.
pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip>=1.7)
# Images that native handlers decode.
pkg_check_modules(JPEG REQUIRED IMPORTED_TARGET libjpeg)
pkg_check_modules(PNG REQUIRED IMPORTED_TARGET libpng>=1.6.36)
pkg_check_modules(WEBP REQUIRED IMPORTED_TARGET libwebp>=1.0 libwebpdemux)
# llhttp: a static library of its own package; strict mode is its default.
find_path(LLHTTP_INCLUDE_DIR llhttp.h PATHS "${HEADRACE_DEPS}/usr/include")
find_library(LLHTTP_LIBRARY NAMES libllhttp.a llhttp PATHS "${HEADRACE_DEPS}/usr/lib/x86_64-linux-gnu"
             "${HEADRACE_DEPS}/usr/lib")
if(NOT LLHTTP_INCLUDE_DIR OR NOT LLHTTP_LIBRARY)
  message(FATAL_ERROR "llhttp not found; run tools/setup.sh (or `make build`), which unpacks it into ${HEADRACE_DEPS}")
endif()
# The archive is made for programs: one reference, to stderr in a function for debugging that nobody calls, cannot go into
# a shared object. For libtritonserver.so (src/capi) it gets a name that src/capi/llhttp_stderr.c defines.
set(LLHTTP_SHARED_LIBRARY "${CMAKE_BINARY_DIR}/libllhttp_for_shared.a")
if(NOT EXISTS "${LLHTTP_SHARED_LIBRARY}")
  execute_process(COMMAND "${CMAKE_OBJCOPY}" --redefine-sym stderr=headrace_llhttp_stderr
                          "${LLHTTP_LIBRARY}" "${LLHTTP_SHARED_LIBRARY}" COMMAND_ERROR_IS_FATAL ANY)
endif()
add_library(llhttp::llhttp INTERFACE IMPORTED)
set_target_properties(llhttp::llhttp PROPERTIES
  INTERFACE_LINK_LIBRARIES
  "$<IF:$<STREQUAL:$<TARGET_PROPERTY:TYPE>,SHARED_LIBRARY>,${LLHTTP_SHARED_LIBRARY},${LLHTTP_LIBRARY}>"
  INTERFACE_INCLUDE_DIRECTORIES "${LLHTTP_INCLUDE_DIR}")
include(BackendDependencies)
