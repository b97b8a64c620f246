# Warnings, hardening and sanitizers for every target.
add_compile_options(-Wall -Wextra -Werror -Wno-unused-parameter -Wshadow
                    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>)
add_compile_options(-fvisibility=hidden)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # gcc 12 reports these for its own std::string and std::vector when it optimises.
  add_compile_options(-Wno-stringop-overflow -Wno-restrict)
endif()

# Objects of one checkout serve another: ccache is told to take paths relative to this one, and what it must know of precompiled
# headers (it looks at their content, so that times and macros of theirs say nothing more).
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(HEADRACE_LAUNCHER "${CMAKE_COMMAND}" -E env "CCACHE_BASEDIR=${CMAKE_SOURCE_DIR}" CCACHE_NOHASHDIR=1
      "CCACHE_SLOPPINESS=pch_defines,time_macros" "${CCACHE_PROGRAM}")
  set(CMAKE_C_COMPILER_LAUNCHER "${HEADRACE_LAUNCHER}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${HEADRACE_LAUNCHER}")
endif()

# A third of the time of linking the test programs.
find_program(MOLD_PROGRAM mold)
if(MOLD_PROGRAM)
  add_link_options(-fuse-ld=mold)
endif()

if(HEADRACE_SANITIZE)
  # -Og keeps the sanitizer suites fast enough for two cores.
  add_compile_options(-fsanitize=${HEADRACE_SANITIZE} -fno-omit-frame-pointer -Og -g1)
  add_link_options(-fsanitize=${HEADRACE_SANITIZE})
  if(HEADRACE_SANITIZE MATCHES "undefined")
    add_compile_options(-fno-sanitize-recover=undefined)
  endif()
else()
  # Hardening (D24): PIE, RELRO, stack protector, CET, zeroed automatics.
  add_compile_options(-fstack-protector-strong -fcf-protection=full -ftrivial-auto-var-init=zero)
  add_link_options(-Wl,-z,relro,-z,now,-z,noexecstack)
  if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
    add_compile_options(-g1)
    add_compile_definitions(_FORTIFY_SOURCE=2)
  endif()
endif()
