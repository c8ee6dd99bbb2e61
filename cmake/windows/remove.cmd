@echo off
rem Removes what install.cmd put there, and nothing else.
setlocal
set "to=%APPDATA%\Wireshark"
set "profile=%to%\profiles\TCP State"
del /q "%to%\plugins\@SERIES@\epan\tcpstate.dll" 2>nul
if exist "%to%\plugins\@SERIES@\epan\tcpstate.dll" goto failed
del /q @PROFILE@ "%to%\tcpstate\@SCHEMA@" 2>nul
rem Without /s, a folder that holds anything else stays.
rd "%profile%" 2>nul
rd "%to%\tcpstate" 2>nul
rd "%to%\plugins\@SERIES@\epan" 2>nul
rd "%to%\plugins\@SERIES@" 2>nul
echo Removed from "%to%".
pause
exit /b 0

:failed
echo Not removed. Close Wireshark, which keeps the plugin open.
pause
exit /b 1
