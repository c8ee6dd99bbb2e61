# `install` goes to Wireshark's global plugin folder, `install-user` to that of the user alone;
# `uninstall` and `uninstall-user` undo just that.

set(TCPSTATE_GLOBAL_DIR "${Wireshark_PLUGIN_INSTALL_DIR}/epan")
install(TARGETS tcpstate LIBRARY DESTINATION "${TCPSTATE_GLOBAL_DIR}")
add_custom_target(uninstall
    COMMAND ${CMAKE_COMMAND} -E rm -f "$ENV{DESTDIR}${TCPSTATE_GLOBAL_DIR}/tcpstate.so"
    COMMENT "Removing $ENV{DESTDIR}${TCPSTATE_GLOBAL_DIR}/tcpstate.so"
    VERBATIM)

set(TCPSTATE_USER_DIR "${TCPSTATE_USER_PLUGINS}/epan" CACHE PATH
    "The user's own plugin folder, as Help > About Wireshark > Folders names it")
add_custom_target(install-user
    COMMAND ${CMAKE_COMMAND} -E make_directory "${TCPSTATE_USER_DIR}"
    COMMAND ${CMAKE_COMMAND} -E copy "$<TARGET_FILE:tcpstate>" "${TCPSTATE_USER_DIR}"
    COMMENT "Installing into ${TCPSTATE_USER_DIR}"
    VERBATIM)
add_dependencies(install-user tcpstate)
add_custom_target(uninstall-user
    COMMAND ${CMAKE_COMMAND} -E rm -f "${TCPSTATE_USER_DIR}/tcpstate.so"
    COMMENT "Removing ${TCPSTATE_USER_DIR}/tcpstate.so"
    VERBATIM)
