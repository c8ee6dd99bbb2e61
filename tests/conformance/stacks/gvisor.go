// gvisor.go
// gVisor's netstack. It takes segments and runs timers in goroutines of its own, so this looks at its states all the
// time.
//
// SPDX-License-Identifier: GPL-2.0-or-later

package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
	"gvisor.dev/gvisor/pkg/bufferv2"
	"gvisor.dev/gvisor/pkg/tcpip"
	"gvisor.dev/gvisor/pkg/tcpip/header"
	"gvisor.dev/gvisor/pkg/tcpip/link/channel"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv4"
	"gvisor.dev/gvisor/pkg/tcpip/network/ipv6"
	"gvisor.dev/gvisor/pkg/tcpip/stack"
	"gvisor.dev/gvisor/pkg/tcpip/transport/tcp"
	"gvisor.dev/gvisor/pkg/waiter"
)

const (
	wireFD    = 3
	nic       = 1
	mtu       = 1500
	lookEvery = time.Millisecond
	settles   = 200 * time.Microsecond // within this its goroutines have taken a segment, or begun what they were told
	gapTold   = 2 * time.Millisecond   // what lies between two looks at most, unless it is told
)

// wire sends what the stack has to send at once, not by way of channel's queue.
type wire struct{ *channel.Endpoint }

func (wire) WritePackets(packets stack.PacketBufferList) (int, tcpip.Error) {
	for _, packet := range packets.AsSlice() {
		view := packet.ToView()
		unix.Send(wireFD, view.AsSlice(), unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL) // where the wire is full, it is lost
		view.Release()
	}
	return packets.Len(), nil
}

// socket is one of the laboratory's, with the commands that wait for it.
type socket struct {
	number   uint
	endpoint tcpip.Endpoint
	waiting  map[string]func() bool // command to what asks again: whether it is answered
}

type driver struct {
	stack     *stack.Stack
	link      wire
	network   tcpip.NetworkProtocolNumber
	own, peer tcpip.Address
	sockets   map[uint]*socket
	told      map[stack.TransportEndpointID]string // state
	looked    time.Time
	line      string // what has come of a command
}

// ---------------------------------------------------------------- states

// RFC 9293's name of a state, or "" where there is no connection.
func stateName(state tcp.EndpointState) string {
	switch state {
	case tcp.StateFinWait1:
		return "FIN_WAIT_1"
	case tcp.StateFinWait2:
		return "FIN_WAIT_2"
	case tcp.StateSynSent, tcp.StateSynRecv, tcp.StateEstablished, tcp.StateCloseWait, tcp.StateClosing,
		tcp.StateLastAck, tcp.StateTimeWait:
		return strings.ReplaceAll(state.String(), "-", "_")
	}
	return ""
}

// end is an address and a port as one word.
func end(address tcpip.Address, port uint16) string {
	return net.JoinHostPort(address.String(), fmt.Sprint(port))
}

func tell(id stack.TransportEndpointID, state string) {
	now := time.Now()
	fmt.Printf("state %d.%06d %s %s %s\n", now.Unix(), now.Nanosecond()/1000, end(id.LocalAddress, id.LocalPort),
		end(id.RemoteAddress, id.RemotePort), state)
}

// look tells what has changed.
func (d *driver) look() {
	seen := map[stack.TransportEndpointID]string{}
	for _, endpoint := range append(d.stack.RegisteredEndpoints(), d.stack.CleanupEndpoints()...) {
		open, ok := endpoint.(tcpip.Endpoint)
		if !ok {
			continue
		}
		info, ok := open.Info().(*stack.TransportEndpointInfo)
		name := stateName(tcp.EndpointState(open.State()))
		if ok && name != "" {
			seen[info.ID] = name
		}
	}
	for id, name := range seen {
		if d.told[id] != name {
			tell(id, name)
		}
	}
	for id := range d.told {
		if seen[id] == "" {
			tell(id, "CLOSED")
		}
	}
	d.told = seen
	now := time.Now()
	if gap := now.Sub(d.looked); gap > gapTold {
		fmt.Printf("gap %.6f\n", gap.Seconds())
	}
	d.looked = now
}

// ---------------------------------------------------------------- commands

func (d *driver) answer(number uint, command string, err tcpip.Error, more ...interface{}) bool {
	d.look()
	if err != nil {
		fmt.Printf("error %d %s %s\n", number, command, err)
	} else {
		fmt.Println(append([]interface{}{"ok", number, command}, more...)...)
	}
	return true
}

func wouldBlock(err tcpip.Error) bool {
	_, blocks := err.(*tcpip.ErrWouldBlock)
	return blocks
}

func (d *driver) add(number uint, endpoint tcpip.Endpoint) *socket {
	endpoint.SocketOptions().SetDelayOption(false)
	d.sockets[number] = &socket{number, endpoint, map[string]func() bool{}}
	return d.sockets[number]
}

// bound makes an endpoint at a port.
func (d *driver) bound(port uint) (tcpip.Endpoint, tcpip.Error) {
	endpoint, err := d.stack.NewEndpoint(tcp.ProtocolNumber, d.network, &waiter.Queue{})
	if err != nil {
		return nil, err
	}
	endpoint.SocketOptions().SetReuseAddress(true)
	if err := endpoint.Bind(tcpip.FullAddress{NIC: nic, Addr: d.own, Port: uint16(port)}); err != nil {
		endpoint.Close()
		return nil, err
	}
	return endpoint, nil
}

func (d *driver) listen(number, port, backlog uint) bool {
	endpoint, err := d.bound(port)
	if err == nil {
		d.add(number, endpoint)
		err = endpoint.Listen(int(backlog))
	}
	return d.answer(number, "listen", err)
}

func (d *driver) connect(number, port, peerPort uint) {
	endpoint, err := d.bound(port)
	if err != nil {
		d.answer(number, "connect", err)
		return
	}
	s := d.add(number, endpoint)
	err = endpoint.Connect(tcpip.FullAddress{NIC: nic, Addr: d.peer, Port: uint16(peerPort)})
	if _, started := err.(*tcpip.ErrConnectStarted); err != nil && !started {
		d.answer(number, "connect", err)
		return
	}
	s.waiting["connect"] = func() bool {
		switch tcp.EndpointState(endpoint.State()) {
		case tcp.StateConnecting, tcp.StateSynSent, tcp.StateSynRecv:
			return false
		case tcp.StateError, tcp.StateClose:
			return d.answer(number, "connect", lastError(endpoint))
		}
		return d.answer(number, "connect", nil)
	}
}

// lastError is why an endpoint has failed.
func lastError(endpoint tcpip.Endpoint) tcpip.Error {
	if err := endpoint.LastError(); err != nil {
		return err
	}
	return &tcpip.ErrConnectionAborted{}
}

func (d *driver) accept(s *socket, number uint) bool {
	var peer tcpip.FullAddress
	endpoint, _, err := s.endpoint.Accept(&peer)
	if wouldBlock(err) {
		return false
	}
	if err != nil {
		return d.answer(number, "accept", err)
	}
	d.add(number, endpoint)
	return d.answer(number, "accept", nil, peer.Addr, peer.Port)
}

func (d *driver) send(s *socket, left *uint, all uint) bool {
	for *left > 0 {
		octets := make([]byte, 4096)
		if *left < uint(len(octets)) {
			octets = octets[:*left]
		}
		for i := range octets {
			octets[i] = 'x'
		}
		taken, err := s.endpoint.Write(bytes.NewReader(octets), tcpip.WriteOptions{})
		*left -= uint(taken)
		if wouldBlock(err) {
			return false
		}
		if err != nil {
			return d.answer(s.number, "send", err)
		}
	}
	return d.answer(s.number, "send", nil, all)
}

func (d *driver) receive(s *socket, most uint) bool {
	result, err := s.endpoint.Read(&tcpip.LimitedWriter{W: io.Discard, N: int64(most)}, tcpip.ReadOptions{})
	if wouldBlock(err) {
		return false
	}
	if _, finished := err.(*tcpip.ErrClosedForReceive); finished {
		return d.answer(s.number, "receive", nil, 0)
	}
	return d.answer(s.number, "receive", err, result.Count)
}

// close ends a socket, and what waits for it fails.
func (d *driver) close(s *socket, command string) {
	if command == "abort" {
		s.endpoint.SocketOptions().SetLinger(tcpip.LingerOption{Enabled: true})
	}
	s.endpoint.Close()
	time.Sleep(settles)
	for waits := range s.waiting {
		d.answer(s.number, waits, &tcpip.ErrAborted{})
	}
	delete(d.sockets, s.number)
	d.answer(s.number, command, nil)
}

func (d *driver) command(line string) {
	var name string
	var number, a, b uint
	first := "0"
	fmt.Sscan(line, &name, &first)
	if count, _ := fmt.Sscan(line, &name, &number, &a, &b); count < 2 || !strings.Contains(
		" listen connect accept send receive shut close abort ", " "+name+" ") {
		fmt.Println("unable", first, name, "unknown")
		return
	}
	switch name {
	case "listen":
		d.listen(number, a, b)
		return
	case "connect":
		d.connect(number, a, b)
		return
	}
	s := d.sockets[number]
	if s == nil {
		d.answer(number, name, &tcpip.ErrInvalidEndpointState{})
		return
	}
	switch name {
	case "accept":
		s.waiting[name] = func() bool { return d.accept(s, a) }
	case "send":
		left := a
		s.waiting[name] = func() bool { return d.send(s, &left, a) }
	case "receive":
		s.waiting[name] = func() bool { return d.receive(s, a) }
	case "shut":
		d.answer(number, name, s.endpoint.Shutdown(tcpip.ShutdownWrite))
	default:
		d.close(s, name)
	}
}

// progress asks for all commands that wait.
func (d *driver) progress() {
	for _, s := range d.sockets {
		for name, answered := range s.waiting {
			if answered() {
				delete(s.waiting, name)
			}
		}
	}
}

// ---------------------------------------------------------------- the wire

// takePackets hands over the packets that have come. False once the wire is gone.
func (d *driver) takePackets() bool {
	packet := make([]byte, 65536)
	taken := false
	for {
		length, _, err := unix.Recvfrom(wireFD, packet, unix.MSG_DONTWAIT)
		if err == unix.EAGAIN || err == unix.EINTR {
			break
		}
		if err != nil || length == 0 {
			return false
		}
		taken = true
		d.link.InjectInbound(d.network, stack.NewPacketBuffer(stack.PacketBufferOptions{
			Payload: bufferv2.MakeWithData(packet[:length])}))
	}
	if taken {
		time.Sleep(settles)
	}
	return true
}

// takeCommands carries out the commands that have come. False at the end of the input, or of the wire.
func (d *driver) takeCommands() bool {
	text := make([]byte, 4096)
	length, err := unix.Read(0, text)
	if err == unix.EINTR || err == unix.EAGAIN {
		return true
	}
	if err != nil || length == 0 {
		return false
	}
	lines := strings.Split(d.line+string(text[:length]), "\n")
	d.line = lines[len(lines)-1]
	for _, line := range lines[:len(lines)-1] {
		if !d.takePackets() { // what came before it
			return false
		}
		d.look()
		d.command(line)
		d.look()
		d.progress()
	}
	return true
}

func (d *driver) run() {
	d.looked = time.Now()
	for {
		every := unix.NsecToTimespec(lookEvery.Nanoseconds()) // which the call lowers
		fds := []unix.PollFd{{Fd: 0, Events: unix.POLLIN}, {Fd: wireFD, Events: unix.POLLIN}}
		if _, err := unix.Ppoll(fds, &every, nil); err != nil && err != unix.EINTR {
			return
		}
		if fds[1].Revents != 0 && !d.takePackets() {
			return
		}
		d.look()
		d.progress()
		if fds[0].Revents != 0 && !d.takeCommands() {
			return
		}
	}
}

// newDriver begins the stack. own, peer: both of IPv4, or both of IPv6.
func newDriver(own, peer tcpip.Address) (*driver, tcpip.Error) {
	network, subnet, prefix := ipv4.ProtocolNumber, header.IPv4EmptySubnet, 24
	if len(own) != header.IPv4AddressSize {
		network, subnet, prefix = ipv6.ProtocolNumber, header.IPv6EmptySubnet, 64
	}
	d := &driver{
		stack: stack.New(stack.Options{
			NetworkProtocols:   []stack.NetworkProtocolFactory{ipv4.NewProtocol, ipv6.NewProtocol},
			TransportProtocols: []stack.TransportProtocolFactory{tcp.NewProtocol},
		}),
		link: wire{channel.New(1, mtu, "")}, network: network, own: own, peer: peer,
		sockets: map[uint]*socket{}, told: map[stack.TransportEndpointID]string{},
	}
	if err := d.stack.CreateNIC(nic, d.link); err != nil {
		return nil, err
	}
	d.stack.SetRouteTable([]tcpip.Route{{Destination: subnet, NIC: nic}})
	return d, d.stack.AddProtocolAddress(nic, tcpip.ProtocolAddress{Protocol: network,
		AddressWithPrefix: tcpip.AddressWithPrefix{Address: own, PrefixLen: prefix}}, stack.AddressProperties{})
}

// address is one of IPv4 or IPv6 from its text, "" if there is none.
func address(text string) tcpip.Address {
	ip := net.ParseIP(text)
	if short := ip.To4(); short != nil {
		return tcpip.Address(short)
	}
	return tcpip.Address(ip)
}

// version is that of Debian's package, told when this is built: gVisor's has none of its own.
var version = "unknown"

func main() {
	if len(os.Args) != 3 || address(os.Args[1]) == "" || len(address(os.Args[1])) != len(address(os.Args[2])) {
		fmt.Fprintf(os.Stderr, "usage: %s ADDRESS PEER, for the conformance tests; the wire is descriptor 3\n", os.Args[0])
		os.Exit(2)
	}
	fmt.Println("stack gvisor", version)
	d, err := newDriver(address(os.Args[1]), address(os.Args[2]))
	if err != nil {
		fmt.Fprintln(os.Stderr, "gvisor:", err)
		os.Exit(1)
	}
	d.run()
}
