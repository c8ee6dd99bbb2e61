#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Reads `tshark -T json -Y tcpstate.transition` as pyshark and the like do: each change of state, an end a line."""

import json
import sys

for packet in json.load(sys.stdin):
    layers = packet["_source"]["layers"]
    for end in "local", "remote":
        fields = layers["tcpstate"].get(f"tcpstate.{end}_tree", {})
        if f"tcpstate.{end}.entered" in fields:
            print(layers["frame"]["frame.number"], end, fields[f"tcpstate.{end}.str"])
