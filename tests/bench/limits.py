# SPDX-License-Identifier: MIT
"""The rows about what popsync itself needs: memory, recovery after a crash, system calls. Some rivals stand beside it for the scale."""
import dataclasses
import json
import os
import re
import sqlite3
import subprocess
import time

from rows import Line, ManyAccounts, Row, ROUND_TRIP_MS, medians, met, peak_line
from world import Failed, delivered


class GiantMessage(Row):
    """One message of 1 GiB: memory must not depend on a message's size."""
    name = "giant"
    rivals = ("popsync", "mpop")
    megabytes_max = 32

    def maildrops(self):
        return {}, {"giant": 0}

    def begin(self):
        super().begin()
        line = b"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWZnaGlqa2xtbm9wcXJzdHV2d3h5ejAxMjM0NTY3\n"
        block = line * 10_000
        path = os.path.join(self.world.maildrops, "giant", "new", "1700000000.giant.test")
        with open(path, "wb") as file:
            file.write(b"From: ada@example.org\nSubject: giant\n\n")
            for _ in range(self.size.giant // len(block) + 1):
                file.write(block)
        self.world.give(path)
        self.world.warm("giant")

    def sample(self, program, seconds_max):
        home, accounts = self.new_home(program, "giant")
        cost = self.fetch(program, home, accounts, seconds_max)
        if cost:
            self.expect(program, home, 1)
        self.world.fresh_home()  # a gibibyte
        return cost

    def lines(self, results):
        return [peak_line(f"peak memory, one message of {self.size.giant >> 20} MiB", results, self.megabytes_max)]


class ManySessions(Row):
    """32 sessions at once, each fetching, over a line slow enough that they all overlap."""
    name = "sessions"
    runs = 1
    rivals = ("popsync",)
    round_trip_ms = ROUND_TRIP_MS
    sessions = 32
    messages = 300
    megabytes_max = 96

    def users(self):
        return [f"session{number:02}" for number in range(self.sessions)]

    def maildrops(self):
        first, *others = self.users()
        return {first: self.messages}, {user: 0 for user in others}

    def begin(self):
        super().begin()
        first, *others = self.users()
        source = os.path.join(self.world.maildrops, first, "new")
        for user in others:
            for name in os.listdir(source):
                os.link(os.path.join(source, name), os.path.join(self.world.maildrops, user, "new", name))
        for user in self.users():
            self.world.warm(user)

    def sample(self, program, seconds_max):
        home = self.world.fresh_home()
        accounts = self.accounts_of(home, self.users())
        program.configure(home, accounts)
        self.world.give(home)
        cost = self.fetch(program, home, accounts, seconds_max)
        for account in accounts:
            found = len(os.listdir(account.maildir + "/new"))
            if cost and found != self.messages:
                raise Failed(f"{account.name} has {found} messages; {self.world.last_words()}")
        return cost

    def lines(self, results):
        return [peak_line(f"peak memory, {self.sessions} sessions at once", results, self.megabytes_max)]


@dataclasses.dataclass
class Idleness:
    seconds: float
    resident_mb: float
    wakeups: float  # a second


class Daemon(ManyAccounts):
    """A row about popsync run."""
    runs = 1
    rivals = ("popsync",)
    round_trip_ms = 0

    def prepare(self, program):
        pass

    def sample(self, program, seconds_max):
        home = self.world.fresh_home()
        program.configure(home, self.accounts(home), defaults=f'interval = "{self.interval()}s"\n')
        self.world.give(home)
        place = ["-c", home + "/popsync.toml", "--state-dir", home + "/state"]
        daemon = subprocess.Popen([*self.world.as_user, self.world.program("popsync"), "run", *place], stdin=subprocess.DEVNULL, stdout=self.world.log,
                                  stderr=self.world.log, cwd=home)
        try:
            return self.watch(daemon, place, seconds_max)
        finally:
            daemon.terminate()
            daemon.wait()


class IdleDaemon(Daemon):
    """The daemon with 100 accounts, between two polls."""
    name = "idle"
    watched_s = 10
    megabytes_max = 24

    def note(self, sample):
        return f"{sample.wakeups:.1f} wake-ups a second, {sample.resident_mb:.1f} MB"

    def users(self):
        return super().users()[:100]

    def interval(self):
        return 3600

    def watch(self, daemon, place, seconds_max):
        began = time.monotonic()
        while not self.all_synced(place):
            if time.monotonic() - began > seconds_max or daemon.poll() is not None:
                raise Failed(f"the daemon has not synced all accounts; {self.world.last_words()}")
            time.sleep(0.5)
        time.sleep(3)  # for what is done behind the last session
        before = switches(daemon.pid)
        time.sleep(self.watched_s)
        wakeups = (switches(daemon.pid) - before) / self.watched_s
        return Idleness(seconds=time.monotonic() - began, resident_mb=resident_mb(daemon.pid), wakeups=wakeups)

    def all_synced(self, place):
        told = subprocess.run([*self.world.as_user, self.world.program("popsync"), "status", "--json", *place], capture_output=True, text=True, check=False)
        if told.returncode != 0:
            return False
        accounts = json.loads(told.stdout)["accounts"]
        return len(accounts) == len(self.users()) and all(account["last_success"] for account in accounts)

    def lines(self, results):
        resident = medians(results, "resident_mb")
        wakeups = medians(results, "wakeups")
        return [
            Line(f"daemon between polls, {len(self.users())} accounts: memory", resident, lambda value: f"{value:.1f} MB", f"< {self.megabytes_max} MB",
                 met(resident, lambda value: value < self.megabytes_max)),
            Line("  its wake-ups a second", wakeups, lambda value: f"{value:.2f}", "none", met(wakeups, lambda value: value == 0)),
        ]


@dataclasses.dataclass
class Schedule:
    seconds: float
    cores: float     # processor time a second
    first: float     # the same from its start on, while every account is new
    gap: float       # longest time from one login of an account to its next, in intervals
    resident_mb: float


class KeptSchedule(Daemon):
    """10,000 accounts at five minutes each, all new when the daemon starts. The first interval is theirs, the second is watched. Whether the
    schedule is kept is for the server to say: its log has every login."""
    intervals = 2
    name = "schedule"
    cores_max = 0.25
    jitter = 0.05
    margin_s = 3  # a login's time is told in whole seconds, and a session takes its time

    def note(self, sample):
        return (f"{sample.cores:.3f} of a core ({sample.first:.3f} in the first interval), {sample.gap:.3f} intervals from one login to the next at most, "
                f"{sample.resident_mb:.1f} MB")

    def users(self):
        return [f"scheduled{number:05}" for number in range(self.size.scheduled)]

    def interval(self):
        return self.size.interval

    def watch(self, daemon, place, seconds_max):
        log = self.world.path("server", "dovecot.log")
        behind = os.path.getsize(log)
        began = time.monotonic()
        self.wait(daemon, began + self.interval())
        first = processor_seconds(daemon.pid) / self.interval()
        before = processor_seconds(daemon.pid)
        self.wait(daemon, began + self.intervals * self.interval())
        cores = (processor_seconds(daemon.pid) - before) / self.interval()
        return Schedule(seconds=time.monotonic() - began, cores=cores, first=first, gap=self.longest_gap(log, behind) / self.interval(),
                        resident_mb=resident_mb(daemon.pid))

    def wait(self, daemon, until):
        while time.monotonic() < until:
            if daemon.poll() is not None:
                raise Failed(f"the daemon ended; {self.world.last_words()}")
            time.sleep(min(1, max(0.0, until - time.monotonic())))

    def longest_gap(self, log, behind):
        """Also from the start to the first login, and from the last one until now."""
        now = time.time()
        logins = {user: [now - self.intervals * self.interval()] for user in self.users()}
        with open(log, encoding="utf-8", errors="replace") as file:
            file.seek(behind)
            for line in file:
                told = re.match(r"(\w+ \d+ [\d:]+) pop3-login: Info: Login: user=<([^>]*)>", line)
                if told and told[2] in logins:
                    logins[told[2]].append(time.mktime(time.strptime(time.strftime("%Y ") + told[1], "%Y %b %d %H:%M:%S")))
        return max(later - earlier for times in logins.values() for earlier, later in zip(times, times[1:] + [now]))

    def lines(self, results):
        title = f"{self.size.scheduled} accounts every {self.interval()} s, one daemon"
        gap_max = 1 + self.jitter + self.margin_s / self.interval()
        cores, gap = medians(results, "cores"), medians(results, "gap")
        return [
            Line(title + ": processor time", cores, lambda value: f"{value:.1%} of a core", f"< {self.cores_max:.0%}",
                 met(cores, lambda value: value < self.cores_max)),
            Line("  in the first interval, all new", medians(results, "first"), lambda value: f"{value:.1%} of a core"),
            Line("  longest time between two logins", gap, lambda value: f"{value:.3f} intervals", f"<= {gap_max:.2f}",
                 met(gap, lambda value: value <= gap_max)),
            Line("  its memory", medians(results, "resident_mb"), lambda value: f"{value:.1f} MB"),
        ]


def processor_seconds(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def switches(pid):
    total = 0
    for task in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{task}/status", encoding="ascii") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("voluntary_ctxt_switches"))
    return total


def resident_mb(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return next(int(line.split()[1]) / 1024 for line in file if line.startswith("VmRSS"))


class Recovery(Row):
    """The sync after a crash that left every message of a first sync staged. No crash leaves more than some batches, so the state is made: the rows of
    a finished sync are called staged again, and the files go back to staging."""
    name = "recovery"
    rivals = ("popsync",)
    through_relay = True
    seconds_max = 2

    def maildrops(self):
        return {"big": self.size.messages}, {}

    def sample(self, program, seconds_max):
        home, accounts = self.new_home(program, "big")
        if self.fetch(program, home, accounts, self.size.patience_prepare) is None:
            raise Failed("too slow to prepare")
        unpublish(home)
        cost = self.fetch(program, home, accounts, seconds_max)
        if cost:
            self.expect(program, home, self.size.messages)
            if cost.octets > 100 * self.size.messages:
                raise Failed("the messages were fetched again")
        return cost

    def lines(self, results):
        values = medians(results, "seconds")
        return [Line(f"recovery of {self.size.messages} staged rows, and a poll", values, lambda value: f"{value:.2f} s", f"< {self.seconds_max} s",
                     met(values, lambda value: value < self.seconds_max))]


def unpublish(home):
    database = sqlite3.connect(home + "/state/state.db")
    with database:
        database.execute("UPDATE message SET state = 0 WHERE state = 1")
        names = [name for name, in database.execute("SELECT name FROM message")]
    database.close()
    staging = next(folder for folder, _, files in os.walk(home + "/mail/tmp/.popsync") if any(name.startswith("gen.") for name in files))
    for name in names:
        os.rename(f"{home}/mail/new/{name}", f"{staging}/{name}")


@dataclasses.dataclass
class Calls:
    seconds: float
    counts: dict  # by system call
    commits: int


def log_syncs(trace):
    """Syncs of SQLite's log; 0 if its name cannot be read: popsync hides its memory from all but root."""
    count, log = 0, None
    for line in trace.split("\n"):
        opened = re.search(r'openat\(.*"([^"]*)".* = (\d+)$', line)
        if opened and opened[1].endswith("state.db-wal"):
            log = opened[2]
        if re.search(rf"fdatasync\({log}\b", line):
            count += 1
    return count


class SystemCalls(Row):
    """What a message of a first sync costs in calls, from strace."""
    name = "calls"
    rivals = ("wire limit", "popsync", "mpop", "fdm")
    runs = 1
    groups = {
        "file syncs": ("fsync", "fdatasync", "syncfs", "sync_file_range"),
        "reads": ("read", "pread64", "readv", "recvfrom", "recvmsg"),
        "writes": ("write", "pwrite64", "writev", "sendto", "sendmsg"),
    }

    def maildrops(self):
        return {"traced": self.size.traced}, {}

    def begin(self):
        super().begin()
        self.world.warm("traced")

    def sample(self, program, seconds_max):
        counted = self.traced(program, seconds_max, ["-c", "-U", "name,calls"])
        synced = self.traced(program, seconds_max, ["-e", "trace=openat,fdatasync"]) if counted else None
        if not synced:
            return None
        seconds, text = counted
        counts = {name: int(number) for name, number in re.findall(r"^(\w+) +(\d+)$", text, re.MULTILINE)}
        return Calls(seconds, counts, log_syncs(synced[1]))

    def traced(self, program, seconds_max, options):
        program.first = 1
        home, accounts = self.new_home(program, "traced")
        tracer = ["strace", "-f", "-o", home + "/strace", *options]
        cost = self.world.run(program.command(home, accounts), home, seconds_max, ok=program.ok, tracer=tracer)
        if cost is None:
            return None
        if program.name != "wire limit" and delivered(home) != self.size.traced:
            raise Failed(f"{delivered(home)} messages are here; {self.world.last_words()}")
        with open(home + "/strace", encoding="utf-8", errors="replace") as file:
            return cost.seconds, file.read()

    def lines(self, results):
        lines = []
        for title, names in self.groups.items():
            values = {program: sum(samples[0].counts.get(name, 0) for name in names) / self.size.traced for program, samples in results.items()}
            lines.append(Line(f"{title} a message, first sync of {self.size.traced}", values, lambda value: f"{value:.2f}"))
        values = {program: samples[0].counts.get("total", 0) / self.size.traced for program, samples in results.items()}
        lines.append(Line("all system calls a message", values, lambda value: f"{value:.2f}"))
        commits = {program: samples[0].commits * 1000 / self.size.traced for program, samples in results.items() if samples[0].commits}
        lines.append(Line("commits (syncs of SQLite's log) per 1,000 messages", commits, lambda value: f"{value:.1f}"))
        return lines


ALL = (GiantMessage, ManySessions, IdleDaemon, KeptSchedule, Recovery, SystemCalls)
