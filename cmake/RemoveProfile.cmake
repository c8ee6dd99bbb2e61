# Removes installed files, the profile's or the schema; their folder stays if anything else is in it.
# usage: cmake -DFOLDER=... -DFILES=... -P RemoveProfile.cmake
foreach(file IN LISTS FILES)
    file(REMOVE "${FOLDER}/${file}")
endforeach()
file(GLOB others LIST_DIRECTORIES true "${FOLDER}/*" "${FOLDER}/.*")
if(NOT others)
    file(REMOVE_RECURSE "${FOLDER}")
endif()
