# Read by CPack as it starts. Time stamps in packages are SOURCE_DATE_EPOCH; where that is not set, the day of
# the newest dated heading of CHANGELOG.md, so that the same sources make the same bytes.

if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
    file(READ "${CPACK_TCPSTATE_SOURCE}/CHANGELOG.md" changes)
    string(REGEX MATCH "\n## [^\n]* ([0-9]+-[0-9]+-[0-9]+)\n" heading "${changes}")
    execute_process(COMMAND date --utc --date "${CMAKE_MATCH_1}" +%s
        OUTPUT_VARIABLE seconds OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed)
    if(NOT failed) # else a system whose `date` reads no dates: the files keep their own times
        set(ENV{SOURCE_DATE_EPOCH} "${seconds}")
    endif()
endif()
