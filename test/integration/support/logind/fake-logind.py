"""Stands in for systemd-logind on a bus of the tests' own: delay locks, the signal before a shutdown, one property.

Lines on standard input: `shutdown`, `cancel`. Lines on standard output: `ready`, `locked WHO MODE`, `released`, `hup`.
Real logind cannot run in a container; what it does is described in org.freedesktop.login1(5).
"""
import os
import signal
import sys

import dbus
import dbus.service
from dbus.mainloop.glib import DBusGMainLoop
from gi.repository import GLib

MANAGER = 'org.freedesktop.login1.Manager'


def say(*words):
    print(*words, flush=True)


class Manager(dbus.service.Object):
    def __init__(self, bus, delay_usec):
        super().__init__(bus, '/org/freedesktop/login1')
        self.delay_usec = delay_usec
        self.preparing = False

    @dbus.service.method(MANAGER, in_signature='ssss', out_signature='h')
    def Inhibit(self, what, who, why, mode):
        reader, writer = os.pipe()
        GLib.io_add_watch(reader, GLib.IO_HUP, self.released, reader)
        say('locked', what, who, mode)
        descriptor = dbus.types.UnixFd(writer)
        # The bus has its own copy; the client's is the last one that is open.
        os.close(writer)
        return descriptor

    def released(self, _source, _condition, reader):
        os.close(reader)
        say('released')
        return False

    @dbus.service.signal(MANAGER, signature='b')
    def PrepareForShutdown(self, start):
        self.preparing = start

    @dbus.service.method(dbus.PROPERTIES_IFACE, in_signature='ss', out_signature='v')
    def Get(self, _interface, name):
        if name == 'InhibitDelayMaxUSec':
            return dbus.UInt64(self.delay_usec)
        if name == 'PreparingForShutdown':
            return dbus.Boolean(self.preparing)
        raise dbus.exceptions.DBusException('no such property', name='org.freedesktop.DBus.Error.UnknownProperty')


def main():
    DBusGMainLoop(set_as_default=True)
    bus = dbus.SystemBus()
    manager = Manager(bus, int(sys.argv[1]))
    name = dbus.service.BusName('org.freedesktop.login1', bus)
    loop = GLib.MainLoop()

    def command(source, _condition):
        line = source.readline().strip()
        if line == 'shutdown':
            manager.PrepareForShutdown(True)
        elif line == 'cancel':
            manager.PrepareForShutdown(False)
        elif line == '':
            loop.quit()
            return False
        return True

    GLib.io_add_watch(sys.stdin, GLib.IO_IN | GLib.IO_HUP, command)
    signal.signal(signal.SIGHUP, lambda *_: say('hup'))
    say('ready')
    loop.run()
    del name


main()
