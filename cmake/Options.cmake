# How everything is compiled: one interface target, linked by each.

option(TCPSTATE_WERROR "Warnings are errors (for developers)" OFF)
option(TCPSTATE_SANITIZE "AddressSanitizer and UndefinedBehaviorSanitizer" OFF)

if(NOT CMAKE_BUILD_TYPE)
    set(CMAKE_BUILD_TYPE RelWithDebInfo)
endif()

# The machine, in a library of its own, is small and called for every segment: optimised as one with its caller.
include(CheckIPOSupported)
check_ipo_supported(RESULT TCPSTATE_IPO OUTPUT ipo_output)
if(TCPSTATE_IPO AND NOT TCPSTATE_SANITIZE)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION_RELEASE ON)
    set(CMAKE_INTERPROCEDURAL_OPTIMIZATION_RELWITHDEBINFO ON)
endif()

add_library(tcpstate_options INTERFACE)
target_compile_features(tcpstate_options INTERFACE c_std_11)
target_compile_options(tcpstate_options INTERFACE
    -fvisibility=hidden
    -Wall -Wextra -Wshadow -Wpointer-arith -Wstrict-prototypes -Wmissing-prototypes -Wwrite-strings -Wundef
    $<$<BOOL:${TCPSTATE_WERROR}>:-Werror>
    $<$<BOOL:${TCPSTATE_SANITIZE}>:-fsanitize=address,undefined>
    $<$<BOOL:${TCPSTATE_SANITIZE}>:-fno-omit-frame-pointer>
    $<$<BOOL:${TCPSTATE_SANITIZE}>:-fno-sanitize-recover=undefined>
)
target_link_options(tcpstate_options INTERFACE
    $<$<BOOL:${TCPSTATE_SANITIZE}>:-fsanitize=address,undefined>
)
