# Read by CPack once a package is made. CPack's archive lists files as the file system does, with the owner of
# whoever builds: GNU tar makes it anew, the same everywhere.

find_program(gnu_tar tar)
if(CPACK_GENERATOR STREQUAL "TGZ" AND gnu_tar AND DEFINED ENV{SOURCE_DATE_EPOCH})
    execute_process(COMMAND "${gnu_tar}" --version OUTPUT_VARIABLE kind ERROR_QUIET)
    if(kind MATCHES "GNU tar")
        execute_process(
            COMMAND "${gnu_tar}" --create --sort=name --format=gnu --mtime=@$ENV{SOURCE_DATE_EPOCH}
                --owner=0 --group=0 --numeric-owner "--directory=${CPACK_TEMPORARY_INSTALL_DIRECTORY}" usr
            COMMAND gzip --best --no-name
            OUTPUT_FILE "${CPACK_PACKAGE_FILES}" COMMAND_ERROR_IS_FATAL ANY)
    endif()
endif()
