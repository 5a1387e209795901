# One static library a layer, named copal_<layer>; its sources are found by
# folder, so a new file needs no line here.

# The folder of jit/ that generates code for this host.
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64)$")
  set(COPAL_HOST x86_64)
else()
  set(COPAL_HOST none)
endif()

# copal_layer(name [USES layer...] [FOLDERS subfolder...] [LIBS target...])
# A layer without sources yet passes on what it would see.
function(copal_layer name)
  cmake_parse_arguments(ARG "" "" "USES;FOLDERS;LIBS" ${ARGN})
  set(patterns ${name}/*.c)
  foreach(folder IN LISTS ARG_FOLDERS)
    list(APPEND patterns ${name}/${folder}/*.c)
  endforeach()
  file(GLOB sources CONFIGURE_DEPENDS ${patterns})
  list(FILTER sources EXCLUDE REGEX "/main\\.c$")
  list(TRANSFORM ARG_USES PREPEND copal_)
  if(sources)
    add_library(copal_${name} STATIC ${sources})
    target_link_libraries(copal_${name} PUBLIC ${ARG_USES}
                          PRIVATE copal_flags ${ARG_LIBS})
    target_compile_options(copal_${name} PRIVATE ${COPAL_FRAME_LIMIT})
    set_property(GLOBAL APPEND PROPERTY COPAL_LIBRARIES copal_${name})
  else()
    add_library(copal_${name} INTERFACE)
    target_link_libraries(copal_${name} INTERFACE ${ARG_USES})
  endif()
endfunction()

# copal_program(name main.c USES layer): nothing until main.c exists.
function(copal_program name source)
  cmake_parse_arguments(ARG "" "" "USES" ${ARGN})
  file(GLOB found CONFIGURE_DEPENDS ${source})
  if(NOT found)
    return()
  endif()
  add_executable(${name} ${source})
  target_link_libraries(${name} PRIVATE copal_flags copal_${ARG_USES})
endfunction()
