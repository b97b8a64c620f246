# The target `check_headers`: every header of the project compiles alone, and twice in one file.
# A header whose own .cc includes it before anything else is proved by the normal build (its guard by tools/check_layers.py). The
# others get a source of their own, compiled with the include paths of their folder's own target.
add_custom_target(check_headers)

# Whether the first include of <header without .h>.cc is the header. (Its _test.cc proves nothing: precompiled headers come first there.)
function(headrace_is_first_in_own_source header result)
  set(${result} FALSE PARENT_SCOPE)
  get_filename_component(name "${header}" NAME)
  string(REGEX REPLACE "\\.h$" "" stem "${header}")
  if(EXISTS "${stem}.cc")
    file(STRINGS "${stem}.cc" includes REGEX "^#include" LIMIT_COUNT 1)
    if(includes MATCHES "[/\"]${name}\"$")
      set(${result} TRUE PARENT_SCOPE)
    endif()
  endif()
endfunction()

function(headrace_check_headers_of tree folder)
  file(GLOB_RECURSE headers CONFIGURE_DEPENDS "${CMAKE_SOURCE_DIR}/${tree}/${folder}/*.h")
  if(NOT headers)
    return()
  endif()
  # The folder's libraries; tests and custom targets say nothing about its headers.
  set(owners "")
  get_property(targets DIRECTORY "${CMAKE_SOURCE_DIR}/${tree}/${folder}" PROPERTY BUILDSYSTEM_TARGETS)
  foreach(target ${targets})
    get_target_property(type ${target} TYPE)
    if(type MATCHES "^(STATIC|SHARED|MODULE|OBJECT|INTERFACE)_LIBRARY$")
      list(APPEND owners ${target})
    endif()
  endforeach()

  # A backend that is left out for want of its runtime has headers that cannot be compiled.
  get_property(left_out DIRECTORY "${CMAKE_SOURCE_DIR}/${tree}/${folder}" PROPERTY HEADRACE_LEFT_OUT)
  if(left_out OR NOT owners)
    return()
  endif()

  set(sources "")
  foreach(header ${headers})
    headrace_is_first_in_own_source("${header}" proved)
    if(proved)
      continue()
    endif()
    file(RELATIVE_PATH name "${CMAKE_SOURCE_DIR}" "${header}")
    set(source "${CMAKE_BINARY_DIR}/check_headers/${name}.cc")
    set(text "#include \"${header}\"\n#include \"${header}\"\n")
    # Rewritten only when it differs, so that a configure run rebuilds nothing.
    file(CONFIGURE OUTPUT "${source}" CONTENT "${text}" @ONLY)
    list(APPEND sources "${source}")
  endforeach()

  if(NOT sources)
    return()
  endif()
  set(check check_headers_${tree}_${folder})
  add_library(${check} OBJECT EXCLUDE_FROM_ALL ${sources})
  # The normal build shows warnings; here they would also come from headers of libraries.
  target_compile_options(${check} PRIVATE -g0 -w)
  target_include_directories(${check} PRIVATE "${CMAKE_SOURCE_DIR}/${tree}")
  foreach(owner ${owners})
    # Headers that stay inside the folder may use its private dependencies, so its own properties count, not
    # only those it passes on. The expressions are evaluated where the owner is defined.
    set(kind "")
    get_target_property(type ${owner} TYPE)
    if(type STREQUAL "INTERFACE_LIBRARY")
      set(kind "INTERFACE_")
    endif()
    target_include_directories(${check} PRIVATE
      "$<TARGET_PROPERTY:${owner},${kind}INCLUDE_DIRECTORIES>")
    target_compile_definitions(${check} PRIVATE
      "$<TARGET_PROPERTY:${owner},${kind}COMPILE_DEFINITIONS>")
    # Generated headers exist once their owner's dependencies are built.
    add_dependencies(${check} ${owner})
  endforeach()
  add_dependencies(check_headers ${check})
endfunction()

foreach(tree src backends)
  file(GLOB folders CONFIGURE_DEPENDS RELATIVE "${CMAKE_SOURCE_DIR}/${tree}" "${CMAKE_SOURCE_DIR}/${tree}/*")
  foreach(folder ${folders})
    if(EXISTS "${CMAKE_SOURCE_DIR}/${tree}/${folder}/CMakeLists.txt")
      headrace_check_headers_of(${tree} ${folder})
    endif()
  endforeach()
endforeach()
