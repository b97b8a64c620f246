# Finds the optional inference runtimes in their wheels. The core program links none of them; a runtime
# that is missing leaves its backend out, and the summary says so.
if(NOT HEADRACE_SITE)
  file(GLOB _site "${HEADRACE_VENV}/lib/python3*/site-packages")
  list(APPEND _site "")
  list(GET _site 0 HEADRACE_SITE)
endif()

set(HEADRACE_RUNTIME_SUMMARY "")
# "onnxruntime=1.32.0,torch=2.15.0,": what variants of models are checked against (src/repository/variant_machine.h).
set(HEADRACE_RUNTIME_VERSIONS "")

file(GLOB _ort_lib "${HEADRACE_SITE}/onnxruntime/capi/libonnxruntime.so.*")
find_path(ORT_INCLUDE_DIR onnxruntime_c_api.h PATHS "${HEADRACE_DEPS}/usr/include/onnxruntime")
if(_ort_lib AND ORT_INCLUDE_DIR)
  list(GET _ort_lib 0 _ort_lib)
  # The wheel holds libonnxruntime.so.1.<minor>.<patch> only, whose SONAME is libonnxruntime.so.1: the
  # loader needs a file of that name in the run path.
  set(_ort_dir "${CMAKE_BINARY_DIR}/runtimes/onnxruntime")
  file(MAKE_DIRECTORY "${_ort_dir}")
  file(CREATE_LINK "${_ort_lib}" "${_ort_dir}/libonnxruntime.so.1" SYMBOLIC)
  # It looks for its providers, and they for what they need, beside the name that it was loaded by.
  file(GLOB _ort_providers "${HEADRACE_SITE}/onnxruntime/capi/lib*.so*")
  foreach(_provider ${_ort_providers})
    get_filename_component(_name "${_provider}" NAME)
    file(CREATE_LINK "${_provider}" "${_ort_dir}/${_name}" SYMBOLIC)
  endforeach()
  # The headers and the wheel are of different releases. The C API only grows, so a program may ask for
  # the older of the two versions: HEADRACE_ORT_API_VERSION.
  file(STRINGS "${ORT_INCLUDE_DIR}/onnxruntime_c_api.h" _ort_api REGEX "^#define ORT_API_VERSION [0-9]+")
  string(REGEX MATCH "[0-9]+" _ort_api "${_ort_api}")
  string(REGEX REPLACE ".*\\.so\\.1\\.([0-9]+).*" "\\1" _ort_minor "${_ort_lib}")
  string(REGEX REPLACE ".*\\.so\\." "" _ort_release "${_ort_lib}")
  string(APPEND HEADRACE_RUNTIME_VERSIONS "onnxruntime=${_ort_release},")
  if(_ort_minor LESS _ort_api)
    set(_ort_api "${_ort_minor}")
  endif()
  add_library(onnxruntime::onnxruntime SHARED IMPORTED)
  set_target_properties(onnxruntime::onnxruntime PROPERTIES
    IMPORTED_LOCATION "${_ort_dir}/libonnxruntime.so.1"
    INTERFACE_INCLUDE_DIRECTORIES "${ORT_INCLUDE_DIR}"
    INTERFACE_COMPILE_DEFINITIONS "HEADRACE_ORT_API_VERSION=${_ort_api}")
  set(HEADRACE_HAS_ONNXRUNTIME ON)
  list(APPEND HEADRACE_RUNTIME_SUMMARY "onnxruntime: ${_ort_lib}")
else()
  set(HEADRACE_HAS_ONNXRUNTIME OFF)
  list(APPEND HEADRACE_RUNTIME_SUMMARY "onnxruntime: not found, backend left out")
endif()

include(TorchRuntime)
if(HEADRACE_HAS_TORCH)
  string(APPEND HEADRACE_RUNTIME_VERSIONS "torch=${_torch_version},")
endif()

if(HEADRACE_SANITIZE AND EXISTS "${HEADRACE_SITE}/openvino")
  # It loads its thread library with RTLD_DEEPBIND, which the sanitizers end the process for.
  set(HEADRACE_HAS_OPENVINO OFF)
  list(APPEND HEADRACE_RUNTIME_SUMMARY "openvino: cannot run under sanitizers, backend left out")
elseif(EXISTS "${HEADRACE_SITE}/openvino/cmake/OpenVINOConfig.cmake")
  find_package(OpenVINO REQUIRED COMPONENTS Runtime PATHS "${HEADRACE_SITE}/openvino/cmake" NO_DEFAULT_PATH)
  set(HEADRACE_HAS_OPENVINO ON)
  string(APPEND HEADRACE_RUNTIME_VERSIONS "openvino=${OpenVINO_VERSION},")
  list(APPEND HEADRACE_RUNTIME_SUMMARY "openvino: ${HEADRACE_SITE}/openvino")
else()
  set(HEADRACE_HAS_OPENVINO OFF)
  list(APPEND HEADRACE_RUNTIME_SUMMARY "openvino: not found, backend left out")
endif()

foreach(_line ${HEADRACE_RUNTIME_SUMMARY})
  message(STATUS "runtime ${_line}")
endforeach()
