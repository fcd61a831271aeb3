# SPDX-License-Identifier: MIT
"""The rows that compare programs: each prepares what is known beforehand, takes one sample at a time, and knows its target.

A row's samples come in turn (A B C A B C), so that what else the machine does meets all programs alike.
"""
import os
import shutil
import statistics

from programs import Account
from world import Failed, delivered

ROUND_TRIP_MS = 50
SYNC_MS = 5


class Line:
    """One line of the table."""

    def __init__(self, title, values, text, target="", met=None):
        self.title, self.values, self.text, self.target, self.met = title, values, text, target, met


def medians(results, field):
    """Of each program's samples, by the program's name."""
    return {name: statistics.median(getattr(sample, field) for sample in samples) for name, samples in results.items()}


def met(values, judge):
    """Does popsync's value meet the target? None if it was not measured."""
    return judge(values["popsync"]) if "popsync" in values else None


def peak_line(title, results, megabytes_max):
    peak = medians(results, "peak_mb")
    return Line(title, peak, lambda value: f"{value:.1f} MB", f"< {megabytes_max} MB", met(peak, lambda value: value < megabytes_max))


class Row:
    name = ""
    rivals = ("wire limit", "popsync", "mpop", "fdm", "fetchmail", "getmail6")
    round_trip_ms = 0
    sync_ms = 0
    tls = False
    through_relay = False
    runs = None  # as many as asked for

    def __init__(self, world, size):
        self.world, self.size = world, size
        self.relay = None

    def note(self, sample):
        return f"{sample.seconds:.3f}"

    def maildrops(self):
        """({user: realistic messages}, {user: small messages})"""
        return {}, {}

    def begin(self):
        if self.round_trip_ms or self.through_relay:
            self.relay = self.world.relay(self.round_trip_ms / 2, self.tls)

    def end(self):
        if self.relay:
            self.relay.stop()
            self.relay = None

    def port(self):
        if self.relay:
            return self.relay.port
        return self.world.tls_port if self.tls else self.world.port

    def account(self, home, user, name="test", mail="mail"):
        return Account(name=name, user=user, port=self.port(), maildir=os.path.join(home, mail), tls=self.tls)

    def prepare(self, program):
        pass

    def new_home(self, program, user):
        """A home with the program's configuration for one account, and that account in a list."""
        home = self.world.fresh_home()
        accounts = [self.account(home, user)]
        program.configure(home, accounts)
        self.world.give(home)
        return home, accounts

    def accounts_of(self, home, users):
        """An account for each, with a Maildir of its name."""
        return [self.account(home, user, name=user, mail=user) for user in users]

    def fetch_twice(self, program, home, accounts):
        for _ in range(2):
            if self.fetch(program, home, accounts, self.size.patience_prepare) is None:
                raise Failed(f"more than {self.size.patience_prepare} s to prepare")

    def fetch(self, program, home, accounts, seconds_max, sync_ms=0):
        cost = self.world.run(program.command(home, accounts), home, seconds_max, sync_ms, program.ok)
        if self.relay:
            octets = self.relay.octets()
            if cost:
                cost.octets = octets
        return cost

    def expect(self, program, home, count):
        if program.name != "wire limit" and delivered(home) != count:
            raise Failed(f"{delivered(home)} messages are here, {count} were expected; {self.world.last_words()}")

    def seconds_line(self, title, results, target, factor):
        values = medians(results, "seconds")
        limit = factor * values["wire limit"] if "wire limit" in values else None
        return Line(title, values, lambda value: f"{value:.2f} s", target, met(values, lambda value: value <= limit) if limit else None)


class FirstSync(Row):
    """Everything is new."""
    name = "first-sync"
    factor = 1.15

    def maildrops(self):
        return {"big": self.size.messages}, {}

    def begin(self):
        self.world.warm("big")
        super().begin()

    def sample(self, program, seconds_max):
        program.first = 1
        home, accounts = self.new_home(program, "big")
        cost = self.fetch(program, home, accounts, seconds_max, self.sync_ms)
        if cost:
            self.expect(program, home, self.size.messages)
        return cost

    def title(self):
        what = "TLS, " if self.tls else ""
        trip = f"round trip {self.round_trip_ms} ms, sync {self.sync_ms} ms" if self.sync_ms else "no round trip, free sync"
        return f"first sync, {self.size.messages} messages, {what}{trip}"

    def lines(self, results):
        cpu = medians(results, "cpu")
        cpu_met = met(cpu, lambda value: value <= cpu["mpop"]) if "mpop" in cpu else None
        return [
            self.seconds_line(self.title(), results, f"<= {self.factor} x wire limit", self.factor),
            Line("  its processor time", cpu, lambda value: f"{value:.2f} s", "<= mpop's", cpu_met),
            Line("  its peak memory", medians(results, "peak_mb"), lambda value: f"{value:.1f} MB"),
        ]


class FirstSyncFar(FirstSync):
    name = "first-sync-far"
    round_trip_ms = ROUND_TRIP_MS
    sync_ms = SYNC_MS
    factor = 1.2


class FirstSyncTls(FirstSync):
    name = "first-sync-tls"
    tls = True
    rivals = ("popsync", "mpop")

    def lines(self, results):
        lines = super().lines(results)
        lines[0].target, lines[0].met = "", None
        return lines


class Known(Row):
    """A server that was seen before: samples start from a home that one program has used already."""
    user = "few"
    count = 101

    def maildrops(self):
        return {"few": 101}, {}

    def hide(self):
        """Messages that are not there yet while the homes are made."""

    def show(self):
        pass

    def begin(self):
        super().begin()
        self.homes = {}
        self.hide()
        self.world.warm(self.user)

    def prepare(self, program):
        home, accounts = self.new_home(program, self.user)
        self.fetch_twice(program, home, accounts)
        self.homes[program.name] = home + "." + program.name.replace(" ", "-")
        shutil.move(home, self.homes[program.name])
        self.known = 0 if program.name == "wire limit" else delivered(self.homes[program.name])

    def sample(self, program, seconds_max):
        self.show()
        home = self.world.path("home")
        shutil.rmtree(home, ignore_errors=True)
        # The same files, not copies with other times: getmail6 and popsync look at them.
        os.rename(self.homes[program.name], home)
        try:
            before = delivered(home)
            cost = self.fetch(program, home, [self.account(home, self.user)], seconds_max)
            if cost:
                self.expect(program, home, before + self.new_messages())
            return cost
        finally:
            os.rename(home, self.homes[program.name])

    def new_messages(self):
        return 0

    def end(self):
        super().end()
        for home in self.homes.values():
            shutil.rmtree(home, ignore_errors=True)

    def trips(self, title, results, target, met_by):
        values = {name: seconds * 1000 / self.round_trip_ms for name, seconds in medians(results, "seconds").items()}
        return Line(title, values, lambda value: f"{value:.1f} RT", target, met(values, lambda _: met_by(values)))


class Hundred(Known):
    """100 new messages on a server that is known."""
    name = "hundred"
    round_trip_ms = ROUND_TRIP_MS

    hidden = ()

    def hide(self):
        self.world.warm(self.user)
        self.hidden = []
        folder = os.path.join(self.world.maildrops, self.user, "cur")
        kept, *others = sorted(os.listdir(folder))
        assert kept and len(others) == 100, folder
        for name in others:
            os.rename(os.path.join(folder, name), self.world.path("hidden." + name))
            self.hidden.append((self.world.path("hidden." + name), os.path.join(folder, name)))

    def show(self):
        for place, home in self.hidden:
            os.rename(place, home)
        if self.hidden:
            self.hidden = []
            self.world.warm(self.user)

    def sample(self, program, seconds_max):
        self.show()
        program.first = 2
        template = self.homes[program.name]
        kept = template + ".kept"
        copy_tree(template, kept)
        try:
            return super().sample(program, seconds_max)
        finally:
            shutil.rmtree(template)
            os.rename(kept, template)

    def end(self):
        self.show()
        super().end()

    def new_messages(self):
        return 100

    def lines(self, results):
        return [self.trips("100 messages, server known, in round trips", results, "<= wire limit + 1 RT",
                           lambda values: values["popsync"] <= values["wire limit"] + 1 if "wire limit" in values else None)]


class Poll(Known):
    name = "poll"
    round_trip_ms = ROUND_TRIP_MS
    rivals = ("popsync", "mpop", "fdm", "fetchmail", "getmail6")
    trips_max = 3.6

    def lines(self, results):
        how = "with TLS" if self.tls else "without TLS"
        return [self.trips(f"nothing new, {how}, in round trips", results, f"<= {self.trips_max} RT", lambda values: values["popsync"] <= self.trips_max)]


class PollTls(Poll):
    name = "poll-tls"
    tls = True
    trips_max = 4.6


class PollLarge(Known):
    name = "poll-large"
    user = "large"
    through_relay = True
    rivals = ("popsync", "mpop")
    octets_max = 2000

    def maildrops(self):
        return {}, {"large": self.size.large}

    def lines(self, results):
        octets = medians(results, "octets")
        return [
            Line(f"nothing new, {self.size.large} messages on the server", medians(results, "seconds"), lambda value: f"{value:.2f} s"),
            Line("  octets on the wire", octets, lambda value: f"{value / 1000:.1f} kB", "< 2 kB", met(octets, lambda value: value < self.octets_max)),
            Line("  its processor time", medians(results, "cpu"), lambda value: f"{value:.2f} s"),
        ]


class ManyAccounts(Known):
    """Accounts with one message each, all known."""
    name = "accounts"
    round_trip_ms = ROUND_TRIP_MS
    rivals = ("popsync", "mpop")
    seconds_max = 1.5

    def users(self):
        return [f"account{number:03}" for number in range(self.size.accounts)]

    def maildrops(self):
        return {}, {user: 1 for user in self.users()}

    def begin(self):
        Row.begin(self)
        self.homes = {}

    def accounts(self, home):
        return self.accounts_of(home, self.users())

    def prepare(self, program):
        home = self.world.fresh_home("accounts." + program.name)
        accounts = self.accounts(home)
        for account in accounts:
            for part in ("new", "cur", "tmp"):
                os.makedirs(os.path.join(account.maildir, part))
        program.configure(home, accounts)
        self.world.give(home)
        self.fetch_twice(program, home, accounts)
        self.homes[program.name] = home
        self.check(accounts)

    def check(self, accounts):
        for account in accounts:
            found = sum(len(os.listdir(os.path.join(account.maildir, part))) for part in ("new", "cur"))
            if found != 1:
                raise Failed(f"{account.name} has {found} messages; {self.world.last_words()}")

    def sample(self, program, seconds_max):
        home = self.homes[program.name]
        cost = self.fetch(program, home, self.accounts(home), seconds_max)
        self.check(self.accounts(home))
        return cost

    def lines(self, results):
        values = medians(results, "seconds")
        return [
            Line(f"{self.size.accounts} accounts, nothing new, {self.round_trip_ms} ms (mpop: 16 processes)", values,
                 lambda value: f"{value:.2f} s", f"<= {self.seconds_max} s", met(values, lambda value: value <= self.seconds_max)),
            Line("  its processor time", medians(results, "cpu"), lambda value: f"{value:.2f} s"),
        ]


def copy_tree(source, target):
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(source, target, symlinks=True, copy_function=copy_with_owner)
    for folder, _, _ in os.walk(source):
        copy_owner(folder, os.path.join(target, os.path.relpath(folder, source)))


def copy_with_owner(source, target):
    shutil.copy2(source, target)
    copy_owner(source, target)


def copy_owner(source, target):
    status = os.stat(source)
    os.chown(target, status.st_uid, status.st_gid)


ALL = (FirstSync, FirstSyncFar, FirstSyncTls, Hundred, Poll, PollTls, PollLarge, ManyAccounts)
