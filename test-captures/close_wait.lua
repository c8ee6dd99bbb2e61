-- SPDX-License-Identifier: GPL-2.0-or-later
-- Counts, by server, the connections of which an end entered CLOSE_WAIT: tshark -q -X lua_script:close_wait.lua -r …
local state = Field.new("tcpstate.dst.entered")
local port = Field.new("tcp.dstport")
local tap = Listener.new("tcp", "tcpstate.dst.entered == CLOSE_WAIT")
local count = {}

function tap.packet(pinfo)
    local server = string.format("%s:%d", pinfo.dst, port().value)
    count[server] = (count[server] or 0) + 1
end

function tap.draw()
    for server, number in pairs(count) do
        print(server, number)
    end
end
