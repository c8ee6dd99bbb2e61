# Wireshark's development files: the target `epan`, and where plugins go.

find_package(Wireshark CONFIG REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(GLIB REQUIRED IMPORTED_TARGET glib-2.0)
target_link_libraries(epan INTERFACE PkgConfig::GLIB)

set(TCPSTATE_SERIES "${Wireshark_MAJOR_VERSION}.${Wireshark_MINOR_VERSION}")
if(TCPSTATE_SERIES VERSION_LESS 4.0 OR TCPSTATE_SERIES VERSION_GREATER 4.6)
    message(FATAL_ERROR "Wireshark ${Wireshark_VERSION} is not supported: 4.0 to 4.6 are.")
elseif(NOT TCPSTATE_SERIES MATCHES "^4\\.[046]$")
    message(WARNING "Wireshark ${Wireshark_VERSION} was not tried: 4.0, 4.4 and 4.6 were.")
endif()

# Where Wireshark looks for what is installed for all and for the user alone. The folder of plugins is named as
# Wireshark names the series: 4.0, or 4-0 in a bundle of macOS.
cmake_path(GET Wireshark_PLUGIN_INSTALL_DIR FILENAME series_folder)
if(WIN32)
    set(TCPSTATE_GLOBAL_FILES "${Wireshark_INSTALL_PREFIX}")
    set(TCPSTATE_USER_FILES "$ENV{APPDATA}/Wireshark")
    set(TCPSTATE_USER_PLUGINS "${TCPSTATE_USER_FILES}/plugins/${series_folder}")
else()
    set(TCPSTATE_GLOBAL_FILES "${Wireshark_INSTALL_PREFIX}/share/wireshark")
    set(TCPSTATE_USER_FILES "$ENV{HOME}/.config/wireshark")
    if(DEFINED ENV{XDG_CONFIG_HOME})
        set(TCPSTATE_USER_FILES "$ENV{XDG_CONFIG_HOME}/wireshark")
    endif()
    set(TCPSTATE_USER_PLUGINS "$ENV{HOME}/.local/lib/wireshark/plugins/${series_folder}")
endif()
