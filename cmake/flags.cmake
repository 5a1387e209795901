# Target copal_flags: how every file of the project is compiled.
#
# Warnings are errors.  Hardening is on in every build type; a flag that the
# compiler at hand lacks is left out.

include(CheckCCompilerFlag)

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_C_FLAGS_RELEASE "-O2 -DNDEBUG")
set(CMAKE_C_FLAGS_DEBUG "-O1 -g")

add_library(copal_flags INTERFACE)
target_include_directories(copal_flags INTERFACE ${PROJECT_SOURCE_DIR})
target_compile_definitions(copal_flags INTERFACE
  _GNU_SOURCE COPAL_VERSION="${PROJECT_VERSION}")

# copal_flag_if_known(flag...): what the compiler accepts without a murmur.
function(copal_flag_if_known)
  foreach(flag IN LISTS ARGN)
    string(MAKE_C_IDENTIFIER "HAS${flag}" known)
    check_c_compiler_flag("-Werror ${flag}" ${known})
    if(${known})
      separate_arguments(flag)
      target_compile_options(copal_flags INTERFACE ${flag})
    endif()
  endforeach()
endfunction()

target_compile_options(copal_flags INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wstrict-prototypes
  -Wmissing-prototypes -Wundef -Wvla -Werror)

# Position-independent as a program: as a library (CMake's own property), each
# call of a function of the same file could be intercepted and none inlined.
target_compile_options(copal_flags INTERFACE -fPIE)

# Where asserts are off, what only they use is unused.
target_compile_options(copal_flags INTERFACE $<$<CONFIG:Release>:
  -Wno-unused-function;-Wno-unused-variable;-Wno-unused-parameter>)

target_link_options(copal_flags INTERFACE
  -pie -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack)

# clang before 16 wants to be told that zero is meant.
set(zero_locals -ftrivial-auto-var-init=zero)
if(CMAKE_C_COMPILER_ID STREQUAL Clang AND
   CMAKE_C_COMPILER_VERSION VERSION_LESS 16)
  set(zero_locals "${zero_locals} -enable-trivial-auto-var-init-zero-knowing-\
it-will-be-removed-from-clang")
endif()

if(COPAL_SANITIZE)
  # A sanitizer widens stack frames and sees more than the hardening does.
  target_compile_options(copal_flags INTERFACE
    -fsanitize=${COPAL_SANITIZE} -fno-sanitize-recover=all
    -fno-omit-frame-pointer)
  target_link_options(copal_flags INTERFACE -fsanitize=${COPAL_SANITIZE})
else()
  target_compile_options(copal_flags INTERFACE
    -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3)
  # For the layers only: a test may keep a whole machine on its stack.
  set(COPAL_FRAME_LIMIT -Wframe-larger-than=4096)
  copal_flag_if_known(-fstack-protector-strong -fstack-clash-protection)
  copal_flag_if_known(${zero_locals})
endif()
