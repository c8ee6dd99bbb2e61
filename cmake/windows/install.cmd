@echo off
rem Puts the plugin and its profile where this user's Wireshark @SERIES@ looks. Close Wireshark first.
setlocal
set "to=%APPDATA%\Wireshark"
cd /d "%~dp0" || goto failed
xcopy /e /i /q /y plugins "%to%\plugins" || goto failed
xcopy /e /i /q /y profiles "%to%\profiles" || goto failed
echo Installed in %to%. Wireshark lists tcpstate.dll in Help, About Wireshark, Plugins.
pause
exit /b 0

:failed
echo Not installed. Is Wireshark still running? It keeps the plugin open.
pause
exit /b 1
