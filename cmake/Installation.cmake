# `install` goes to Wireshark's global plugin folder, `install-user` to that of the user alone;
# `uninstall` and `uninstall-user` undo just that.

set(TCPSTATE_FILE "$<TARGET_FILE_NAME:tcpstate>")

set(TCPSTATE_GLOBAL_DIR "${Wireshark_PLUGIN_INSTALL_DIR}/epan")
install(TARGETS tcpstate LIBRARY DESTINATION "${TCPSTATE_GLOBAL_DIR}")
add_custom_target(uninstall
    COMMAND ${CMAKE_COMMAND} -E rm -f "$ENV{DESTDIR}${TCPSTATE_GLOBAL_DIR}/${TCPSTATE_FILE}"
    COMMENT "Removing $ENV{DESTDIR}${TCPSTATE_GLOBAL_DIR}/${TCPSTATE_FILE}"
    VERBATIM)

# Wireshark's own name for the series: 4.0, or 4-0 in an application bundle of macOS.
cmake_path(GET Wireshark_PLUGIN_INSTALL_DIR FILENAME TCPSTATE_SERIES_FOLDER)
if(WIN32)
    set(TCPSTATE_USER_PLUGINS "$ENV{APPDATA}/Wireshark/plugins")
else()
    set(TCPSTATE_USER_PLUGINS "$ENV{HOME}/.local/lib/wireshark/plugins")
endif()
set(TCPSTATE_USER_DIR "${TCPSTATE_USER_PLUGINS}/${TCPSTATE_SERIES_FOLDER}/epan" CACHE PATH
    "The user's own plugin folder, as Help > About Wireshark > Folders names it")
add_custom_target(install-user
    COMMAND ${CMAKE_COMMAND} -E make_directory "${TCPSTATE_USER_DIR}"
    COMMAND ${CMAKE_COMMAND} -E copy "$<TARGET_FILE:tcpstate>" "${TCPSTATE_USER_DIR}"
    COMMENT "Installing into ${TCPSTATE_USER_DIR}"
    VERBATIM)
add_dependencies(install-user tcpstate)
add_custom_target(uninstall-user
    COMMAND ${CMAKE_COMMAND} -E rm -f "${TCPSTATE_USER_DIR}/${TCPSTATE_FILE}"
    COMMENT "Removing ${TCPSTATE_USER_DIR}/${TCPSTATE_FILE}"
    VERBATIM)
