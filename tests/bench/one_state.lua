-- one_state.lua
-- A yardstick for run.py: the least that a script can do, one state of each conversation, shown as one field.
-- SPDX-License-Identifier: GPL-2.0-or-later
local one_state = Proto("one_state", "One state")
local state = ProtoField.string("one_state.state", "State")
local stream, fin = Field.new("tcp.stream"), Field.new("tcp.flags.fin")
local closing = {}

one_state.fields = { state }

function one_state.init()
    closing = {}
end

function one_state.dissector(tvb, pinfo, tree)
    local number = stream()
    if not number then
        return
    end
    if fin().value then
        closing[number.value] = true
    end
    tree:add(state, closing[number.value] and "CLOSING" or "OPEN"):set_generated()
end

register_postdissector(one_state)
