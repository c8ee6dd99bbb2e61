# `install` goes to Wireshark's global folders, `install-user` to those of the user alone: the plugin, the profile
# "TCP State", the schema of what -z tcpstate,json prints, and the programs that split a capture. `uninstall` and
# `uninstall-user` undo just that.

set(TCPSTATE_FILE "$<TARGET_FILE_NAME:tcpstate>")
set(TCPSTATE_PROFILE "TCP State")
set(TCPSTATE_PROFILE_SOURCE "${PROJECT_SOURCE_DIR}/plugin/profile")
set(TCPSTATE_PROFILE_FILES colorfilters dfilter_buttons io_graphs preferences)
list(TRANSFORM TCPSTATE_PROFILE_FILES PREPEND "${TCPSTATE_PROFILE_SOURCE}/" OUTPUT_VARIABLE profile_paths)

set(TCPSTATE_SCHEMA connection.schema.json)
set(TCPSTATE_SCHEMA_SOURCE "${PROJECT_SOURCE_DIR}/plugin/views/${TCPSTATE_SCHEMA}")

set(TCPSTATE_TOOLS_SOURCE "${PROJECT_SOURCE_DIR}/plugin/tools")
set(TCPSTATE_TOOLS tcpstate-split tcpstate-merge)
set(tool_targets)
set(tool_paths)
if(TARGET tcpstate-split)
    set(tool_targets tcpstate-split)
    set(tool_paths "$<TARGET_FILE:tcpstate-split>" "${TCPSTATE_TOOLS_SOURCE}/tcpstate-merge")
endif()

# Adds the target `name` that removes the plugin, the profile and the schema, each from a folder, and further files.
function(tcpstate_add_removal name plugin_dir profile_dir schema_dir)
    add_custom_target(${name}
        COMMAND ${CMAKE_COMMAND} -E rm -f "${plugin_dir}/${TCPSTATE_FILE}" ${ARGN}
        COMMAND ${CMAKE_COMMAND} "-DFOLDER=${profile_dir}" "-DFILES=${TCPSTATE_PROFILE_FILES}"
            -P "${PROJECT_SOURCE_DIR}/cmake/RemoveProfile.cmake"
        COMMAND ${CMAKE_COMMAND} "-DFOLDER=${schema_dir}" "-DFILES=${TCPSTATE_SCHEMA}"
            -P "${PROJECT_SOURCE_DIR}/cmake/RemoveProfile.cmake"
        COMMENT "Removing ${plugin_dir}/${TCPSTATE_FILE}, ${profile_dir} and ${schema_dir}/${TCPSTATE_SCHEMA}"
        VERBATIM)
endfunction()

set(TCPSTATE_GLOBAL_DIR "${Wireshark_PLUGIN_INSTALL_DIR}/epan")
set(TCPSTATE_GLOBAL_PROFILE "${TCPSTATE_GLOBAL_FILES}/profiles/${TCPSTATE_PROFILE}")
set(TCPSTATE_GLOBAL_SCHEMA "${TCPSTATE_GLOBAL_FILES}/tcpstate")
install(TARGETS tcpstate LIBRARY DESTINATION "${TCPSTATE_GLOBAL_DIR}")
install(FILES ${profile_paths} DESTINATION "${TCPSTATE_GLOBAL_PROFILE}")
install(FILES "${TCPSTATE_SCHEMA_SOURCE}" DESTINATION "${TCPSTATE_GLOBAL_SCHEMA}")
set(removed)
if(tool_targets)
    set(TCPSTATE_GLOBAL_PROGRAMS "${Wireshark_INSTALL_PREFIX}/bin")
    set(TCPSTATE_GLOBAL_MANUAL "${Wireshark_INSTALL_PREFIX}/share/man/man1")
    install(TARGETS tcpstate-split RUNTIME DESTINATION "${TCPSTATE_GLOBAL_PROGRAMS}")
    install(PROGRAMS "${TCPSTATE_TOOLS_SOURCE}/tcpstate-merge" DESTINATION "${TCPSTATE_GLOBAL_PROGRAMS}")
    foreach(tool IN LISTS TCPSTATE_TOOLS)
        install(FILES "${TCPSTATE_TOOLS_SOURCE}/${tool}.1" DESTINATION "${TCPSTATE_GLOBAL_MANUAL}")
        list(APPEND removed "$ENV{DESTDIR}${TCPSTATE_GLOBAL_PROGRAMS}/${tool}"
            "$ENV{DESTDIR}${TCPSTATE_GLOBAL_MANUAL}/${tool}.1")
    endforeach()
endif()
tcpstate_add_removal(uninstall "$ENV{DESTDIR}${TCPSTATE_GLOBAL_DIR}" "$ENV{DESTDIR}${TCPSTATE_GLOBAL_PROFILE}"
    "$ENV{DESTDIR}${TCPSTATE_GLOBAL_SCHEMA}" ${removed})

set(TCPSTATE_USER_DIR "${TCPSTATE_USER_PLUGINS}/epan" CACHE PATH
    "The user's own plugin folder, as Help > About Wireshark > Folders names it")
set(TCPSTATE_USER_CONFIGURATION "${TCPSTATE_USER_FILES}" CACHE PATH
    "The user's own configuration folder, as Help > About Wireshark > Folders names it")
set(TCPSTATE_USER_PROFILE "${TCPSTATE_USER_CONFIGURATION}/profiles/${TCPSTATE_PROFILE}")
set(TCPSTATE_USER_SCHEMA "${TCPSTATE_USER_CONFIGURATION}/tcpstate")
set(TCPSTATE_USER_PROGRAMS "$ENV{HOME}/.local/bin" CACHE PATH "The user's own folder of programs")
set(copy_tools)
set(removed)
if(tool_targets)
    set(copy_tools COMMAND ${CMAKE_COMMAND} -E make_directory "${TCPSTATE_USER_PROGRAMS}"
        COMMAND ${CMAKE_COMMAND} -E copy ${tool_paths} "${TCPSTATE_USER_PROGRAMS}")
    list(TRANSFORM TCPSTATE_TOOLS PREPEND "${TCPSTATE_USER_PROGRAMS}/" OUTPUT_VARIABLE removed)
endif()
add_custom_target(install-user
    COMMAND ${CMAKE_COMMAND} -E make_directory "${TCPSTATE_USER_DIR}" "${TCPSTATE_USER_PROFILE}"
        "${TCPSTATE_USER_SCHEMA}"
    COMMAND ${CMAKE_COMMAND} -E copy "$<TARGET_FILE:tcpstate>" "${TCPSTATE_USER_DIR}"
    COMMAND ${CMAKE_COMMAND} -E copy ${profile_paths} "${TCPSTATE_USER_PROFILE}"
    COMMAND ${CMAKE_COMMAND} -E copy "${TCPSTATE_SCHEMA_SOURCE}" "${TCPSTATE_USER_SCHEMA}"
    ${copy_tools}
    COMMENT "Installing into ${TCPSTATE_USER_DIR}, ${TCPSTATE_USER_PROFILE} and ${TCPSTATE_USER_SCHEMA}"
    VERBATIM)
add_dependencies(install-user tcpstate ${tool_targets})
tcpstate_add_removal(uninstall-user "${TCPSTATE_USER_DIR}" "${TCPSTATE_USER_PROFILE}" "${TCPSTATE_USER_SCHEMA}" ${removed})
