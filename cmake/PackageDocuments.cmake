# Read by CPack once all is staged for one kind of package: adds the documents that this kind should hold, and
# lets all users read what it holds, whatever the umask.

set(documents "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/share/doc/${CPACK_PACKAGE_NAME}")
file(MAKE_DIRECTORY "${documents}")

# A file of the documents, compressed without a time stamp.
function(write_compressed name content)
    file(WRITE "${documents}/${name}" "${content}")
    execute_process(COMMAND gzip --best --no-name "${documents}/${name}" COMMAND_ERROR_IS_FATAL ANY)
endfunction()

if(CPACK_GENERATOR STREQUAL "DEB")
    set(version "${CPACK_DEBIAN_PACKAGE_VERSION}-${CPACK_DEBIAN_PACKAGE_RELEASE}")
    string(TIMESTAMP day "%a, %d %b %Y %H:%M:%S +0000" UTC)
    file(READ "${CPACK_TCPSTATE_SOURCE}/CHANGELOG.md" changes)
    write_compressed(changelog "${changes}")
    write_compressed(changelog.Debian
"${CPACK_PACKAGE_NAME} (${version}) unstable; urgency=medium

  * See changelog.gz for what is new.

 -- ${CPACK_PACKAGE_CONTACT}  ${day}
")
    file(WRITE "${documents}/copyright"
"Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
Upstream-Name: tcpstate

Files: *
Copyright: 2026, the contributors to tcpstate
License: GPL-2+
 On Debian systems the text of the GNU General Public License, version 2, is in
 /usr/share/common-licenses/GPL-2. You may also use any later version.
")
else()
    file(COPY "${CPACK_TCPSTATE_SOURCE}/CHANGELOG.md" "${CPACK_TCPSTATE_SOURCE}/LICENSE"
        "${CPACK_TCPSTATE_SOURCE}/README.md" DESTINATION "${documents}")
endif()

file(GLOB manual "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/share/man/man1/*.1")
execute_process(COMMAND gzip --best --no-name ${manual} COMMAND_ERROR_IS_FATAL ANY)

file(CHMOD_RECURSE "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr"
    FILE_PERMISSIONS OWNER_READ OWNER_WRITE GROUP_READ WORLD_READ
    DIRECTORY_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
file(CHMOD_RECURSE "${CPACK_TEMPORARY_INSTALL_DIRECTORY}/usr/bin"
    PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE GROUP_READ GROUP_EXECUTE WORLD_READ WORLD_EXECUTE)
