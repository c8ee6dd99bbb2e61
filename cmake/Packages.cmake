# `cpack --preset release` makes a Debian package, where dpkg's tools are, and an archive to unpack at /.
#
# One package name for all series, the series as a part of its version: on a system that moves to a later
# series, the package for that one replaces this one whole. What it needs, dpkg-shlibdeps reads from the
# plugin: the libraries of just this series. Python is for tcpstate-merge alone.

set(CPACK_PACKAGE_NAME wireshark-tcpstate)
set(CPACK_PACKAGE_VENDOR "the tcpstate project")
set(TCPSTATE_PACKAGER "tcpstate <tcpstate@packages.invalid>" CACHE STRING
    "Name and address of who makes the packages")
set(CPACK_PACKAGE_CONTACT "${TCPSTATE_PACKAGER}")
set(CPACK_PACKAGE_FILE_NAME
    "${CPACK_PACKAGE_NAME}-${PROJECT_VERSION}-wireshark${TCPSTATE_SERIES}-${CMAKE_SYSTEM_NAME}-${CMAKE_SYSTEM_PROCESSOR}")
set(CPACK_STRIP_FILES ON)
set(CPACK_SET_DESTDIR ON) # Wireshark's folders are absolute
set(CPACK_INSTALL_PREFIX "${Wireshark_INSTALL_PREFIX}")
set(CPACK_INCLUDE_TOPLEVEL_DIRECTORY OFF)
set(CPACK_VERBATIM_VARIABLES ON)

set(CPACK_GENERATOR TGZ)
find_program(TCPSTATE_SHLIBDEPS dpkg-shlibdeps)
mark_as_advanced(TCPSTATE_SHLIBDEPS)
if(TCPSTATE_SHLIBDEPS)
    list(APPEND CPACK_GENERATOR DEB)
endif()
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_VERSION "${PROJECT_VERSION}+ws${TCPSTATE_SERIES}")
set(CPACK_DEBIAN_PACKAGE_RELEASE 1)
set(CPACK_DEBIAN_PACKAGE_SECTION net)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "tshark | wireshark") # the first is smaller, and installed where neither is
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS python3)
set(CPACK_DEBIAN_PACKAGE_SUGGESTS parallel)
set(CPACK_DEBIAN_PACKAGE_DESCRIPTION
"For Wireshark ${TCPSTATE_SERIES}: shows, on each TCP segment of a capture, the state that both
endpoints are in, one of the eleven of RFC 9293. It answers what people ask of
a connection that does not close: who closed first, which end leaks it, what
was lost; and it tells what is proved from what is assumed.

A filter finds the segments, for example tcpstate.remote==CLOSE_WAIT.")

# The scripts that CPack reads, and where they find the project.
set(CPACK_TCPSTATE_SOURCE "${PROJECT_SOURCE_DIR}")
set(CPACK_PROJECT_CONFIG_FILE "${PROJECT_SOURCE_DIR}/cmake/PackageDate.cmake")
set(CPACK_PRE_BUILD_SCRIPTS "${PROJECT_SOURCE_DIR}/cmake/PackageDocuments.cmake")
set(CPACK_POST_BUILD_SCRIPTS "${PROJECT_SOURCE_DIR}/cmake/PackageArchive.cmake")
include(CPack)
