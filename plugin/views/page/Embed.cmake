# Writes the page's parts as a C header: page.html with style and script in it, cut where the data go.
# usage: cmake -DHTML=FILE -DSTYLE=FILE -DSCRIPTS=FILES -DOUTPUT=FILE -P Embed.cmake
#
# The browser runs the one script and uses the one style whose hashes stand in the Content-Security-Policy, and loads
# nothing else: so nothing in a capture can be run.

cmake_minimum_required(VERSION 3.25)

# Reads a text, with the ends of lines that the browser hashes.
function(read_text file variable)
    file(READ "${file}" text)
    string(REPLACE "\r" "" text "${text}")
    set(${variable} "${text}" PARENT_SCOPE)
endfunction()

# Sets variable to the SHA-256 of a text in base64, as the policy wants it: three hexadecimal digits are two of base64.
function(hash text variable)
    set(digits ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/)
    string(SHA256 hex "${text}")
    string(APPEND hex 00) # 256 bits are 42 2/3 digits of base64
    set(base64)
    foreach(at RANGE 0 63 3)
        string(SUBSTRING "${hex}" ${at} 3 three)
        math(EXPR high "0x${three} >> 6")
        math(EXPR low "0x${three} & 63")
        foreach(value ${high} ${low})
            string(SUBSTRING "${digits}" ${value} 1 digit)
            string(APPEND base64 "${digit}")
        endforeach()
    endforeach()
    string(SUBSTRING "${base64}" 0 43 base64)
    set(${variable} "sha256-${base64}=" PARENT_SCOPE)
endfunction()

# Appends an array of a text's octets to the header.
function(add_array name text)
    file(WRITE "${OUTPUT}.text" "${text}")
    file(READ "${OUTPUT}.text" hex HEX)
    file(REMOVE "${OUTPUT}.text")
    string(REGEX REPLACE "(................................................)" "\\1\n" hex "${hex}") # lines of 24 octets
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "'\\\\x\\1'," octets "${hex}")
    file(APPEND "${OUTPUT}.new" "static const char ${name}[] = {\n${octets}\n};\n")
endfunction()

read_text("${HTML}" html)
read_text("${STYLE}" style)
set(script)
foreach(file IN LISTS SCRIPTS)
    read_text("${file}" text)
    string(APPEND script "${text}")
endforeach()
set(style "\n${style}")
set(script "\n'use strict';\n${script}")
hash("${style}" style_hash)
hash("${script}" script_hash)

string(REPLACE "@STYLE_HASH@" "${style_hash}" html "${html}")
string(REPLACE "@SCRIPT_HASH@" "${script_hash}" html "${html}")
string(REPLACE "@STYLE@" "${style}" html "${html}")
string(REPLACE "@SCRIPT@" "${script}" html "${html}")
string(FIND "${html}" "@DATA@" at)
string(SUBSTRING "${html}" 0 ${at} before)
math(EXPR at "${at} + 6")
string(SUBSTRING "${html}" ${at} -1 after)

file(WRITE "${OUTPUT}.new" "/* Made by Embed.cmake of the files in views/page/. */\n")
add_array(page_before_data "${before}")
add_array(page_after_data "${after}")
file(RENAME "${OUTPUT}.new" "${OUTPUT}")
