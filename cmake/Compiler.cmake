# Warnings, hardening and sanitizers for every target.
add_compile_options(-Wall -Wextra -Werror -Wno-unused-parameter -Wshadow
                    $<$<COMPILE_LANGUAGE:CXX>:-Wnon-virtual-dtor>)
add_compile_options(-fvisibility=hidden)
if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
  # gcc 12 reports these for its own std::string and std::vector when it optimises.
  add_compile_options(-Wno-stringop-overflow -Wno-restrict)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  set(CMAKE_C_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${CCACHE_PROGRAM}")
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
