# Finds libtorch in its wheel: the target torch::torch, HEADRACE_HAS_TORCH and a line for the summary. Only the CPU's
# libraries are linked; the backend loads those of CUDA by itself where there is a device for them, so that one build
# serves with the whole of PyTorch installed and with the torch wheel alone. TorchConfig.cmake is not used, because it
# wants a CUDA toolkit wherever the wheel was made with one.
set(HEADRACE_HAS_TORCH OFF)
set(_torch "${HEADRACE_SITE}/torch")
set(_torch_problem "")
if(NOT EXISTS "${_torch}/lib/libtorch_cpu.so")
  set(_torch_problem "not found")
else()
  file(STRINGS "${_torch}/version.py" _torch_version REGEX "^__version__ *= *'")
  string(REGEX REPLACE ".*'([0-9]+\\.[0-9]+\\.[0-9]+).*" "\\1" _torch_version "${_torch_version}")
  # Wheels before 2.7 use the C++ library's old string, and their packages of compiled models are another format.
  if(_torch_version VERSION_LESS 2.7)
    set(_torch_problem "${_torch_version} is too old, 2.7 is needed")
  endif()
endif()
if(_torch_problem STREQUAL "")
  add_library(torch::c10 SHARED IMPORTED)
  set_target_properties(torch::c10 PROPERTIES IMPORTED_LOCATION "${_torch}/lib/libc10.so")
  add_library(torch::torch SHARED IMPORTED)
  set_target_properties(torch::torch PROPERTIES
    IMPORTED_LOCATION "${_torch}/lib/libtorch_cpu.so"
    INTERFACE_INCLUDE_DIRECTORIES "${_torch}/include;${_torch}/include/torch/csrc/api/include"
    INTERFACE_LINK_LIBRARIES torch::c10)
  # Its own run path leads to what it links; the linker need not look for that.
  target_link_options(torch::torch INTERFACE -Wl,--allow-shlib-undefined)
  set(HEADRACE_TORCH_LIBRARY_DIRECTORY "${_torch}/lib")
  set(HEADRACE_HAS_TORCH ON)
  list(APPEND HEADRACE_RUNTIME_SUMMARY "torch: ${_torch} (${_torch_version})")
else()
  list(APPEND HEADRACE_RUNTIME_SUMMARY "torch: ${_torch_problem}, backend left out")
endif()
