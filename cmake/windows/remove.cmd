@echo off
rem Removes what install.cmd put there, and nothing else. Close Wireshark first.
setlocal
set "to=%APPDATA%\Wireshark"
set "profile=%to%\profiles\TCP State"
del /q "%to%\plugins\@SERIES@\epan\tcpstate.dll" @PROFILE@ 2>nul
if exist "%to%\plugins\@SERIES@\epan\tcpstate.dll" goto failed
rem Without /s, a folder that holds anything else stays.
rd "%profile%" 2>nul
rd "%to%\plugins\@SERIES@\epan" 2>nul
rd "%to%\plugins\@SERIES@" 2>nul
echo Removed from %to%.
pause
exit /b 0

:failed
echo Not removed. Is Wireshark still running? It keeps the plugin open.
pause
exit /b 1
