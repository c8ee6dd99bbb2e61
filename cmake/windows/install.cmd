@echo off
rem Puts the plugin, its profile and the schema of its JSON where this user's Wireshark @SERIES@ looks.
setlocal
set "to=%APPDATA%\Wireshark"
for %%f in ("plugins\@SERIES@\epan" "profiles\TCP State" tcpstate) do (
    md "%to%\%%~f" 2>nul
    copy /y "%~dp0%%~f\*" "%to%\%%~f" >nul || goto failed
)
echo Installed in "%to%". Wireshark lists tcpstate.dll in Help, About Wireshark, Plugins.
pause
exit /b 0

:failed
echo Not installed. Unpack all files first; and close Wireshark, which keeps the plugin open.
pause
exit /b 1
