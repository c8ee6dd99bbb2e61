@echo off
rem Removes what install.cmd put there, and nothing else. Close Wireshark first.
setlocal
set "to=%APPDATA%\Wireshark"
set "profile=%to%\profiles\TCP State"
for %%f in ("%to%\plugins\@SERIES@\epan\tcpstate.dll" @PROFILE@) do if exist %%f del %%f
if exist "%to%\plugins\@SERIES@\epan\tcpstate.dll" goto failed
rem Without /s, a folder that holds anything else stays.
for %%d in ("%profile%" "%to%\plugins\@SERIES@\epan" "%to%\plugins\@SERIES@") do rd %%d 2>nul
echo Removed from %to%.
pause
exit /b 0

:failed
echo Not removed. Is Wireshark still running? It keeps the plugin open.
pause
exit /b 1
