# SPDX-License-Identifier: MIT
"""The world a benchmark runs in: a private Dovecot with maildrops, relays that hold every octet for a while, and runs of programs whose cost is taken.

Everything lives in one folder on tmpfs, so that nothing of the real disk gets in; the folder and all processes are gone at the end.
"""
import dataclasses
import os
import shutil
import subprocess
import tempfile

PASSWORD = "open-sesame"
# A session is a process of Dovecot's: 200 accounts must wait neither for its limits nor for the start of 200 processes, so processes serve again.
DOVECOT_SETTINGS = [
    "default_process_limit = 1000",
    "default_client_limit = 4000",
    "mail_max_userip_connections = 1000",
    "service pop3 {",
    "service_count = 1000",
    "}",
]


class Failed(Exception):
    """A program that did not do what it was run for."""


@dataclasses.dataclass
class Cost:
    seconds: float
    cpu: float
    peak_mb: float
    status: int
    octets: int = 0


class Relay:
    def __init__(self, program, port, one_way_ms):
        self.process = subprocess.Popen([program, str(port), str(one_way_ms)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.port = int(read_facts(self.process)["PORT"])

    def octets(self):
        """What has passed since the last call, in both directions. Waits until no connection is left."""
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        facts = dict(fact.split("=") for fact in self.process.stdout.readline().split())
        return int(facts["UP"]) + int(facts["DOWN"])

    def stop(self):
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()


class World:
    def __init__(self, build):
        self.build = os.path.abspath(build)
        self.work = tempfile.mkdtemp(prefix="popsync-bench.", dir="/dev/shm")
        os.chmod(self.work, 0o755)
        self.server = None
        # getmail6 does not deliver as root, so all run as nobody then; and nobody may have no way into this tree.
        self.as_user = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"] if os.geteuid() == 0 else []
        self.programs = tempfile.mkdtemp(prefix="popsync-bench.")  # nothing may be executed on some machines' /dev/shm
        os.chmod(self.programs, 0o755)
        for file in ("popsync", "bench/slow_sync.so", "bench/wire_limit", "bench/measured_run"):
            shutil.copy(os.path.join(self.build, file), self.programs)
        self.log = open(self.path("log"), "a+", encoding="utf-8", errors="replace")

    def path(self, *parts):
        return os.path.join(self.work, *parts)

    def program(self, name):
        return os.path.join(self.programs, name)

    def start_server(self, realistic, small):
        arguments = []
        for option, drops in (("--realistic", realistic), ("--small", small)):
            for user, count in sorted(drops.items()):
                arguments += [option, user, str(count)]
        self.server = subprocess.Popen(
            [self.build + "/private_dovecot", self.path("server"), *arguments, "--", *DOVECOT_SETTINGS],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        facts = read_facts(self.server)
        self.port, self.tls_port = int(facts["PORT"]), int(facts["TLS_PORT"])
        self.maildrops = os.path.dirname(facts["MAILDIR"])
        self.ca_file = self.path("ca.pem")
        shutil.copy(facts["CA"], self.ca_file)

    def relay(self, one_way_ms, tls=False):
        return Relay(self.build + "/bench/relay", self.tls_port if tls else self.port, one_way_ms)

    def warm(self, user):
        """Dovecot learns a maildrop's sizes the first time; that is not what is measured."""
        self.run([self.program("wire_limit"), str(self.port), user, PASSWORD], self.work, 600)

    def fresh_home(self, name="home"):
        home = self.path(name)
        shutil.rmtree(home, ignore_errors=True)
        os.makedirs(home)
        for part in ("new", "cur", "tmp"):
            os.makedirs(os.path.join(home, "mail", part))
        return home

    def give(self, home):
        if self.as_user:
            subprocess.run(["chown", "-R", "nobody:nogroup", home], check=True)

    def run(self, command, home, seconds_max, sync_ms=0, ok=(0,), tracer=()):
        """Runs it to its end and returns what it cost; None if that took too long."""
        result = self.path("result")
        environment = {"PATH": os.environ["PATH"], "HOME": home, "LC_ALL": "C.UTF-8"}
        preload = []
        if sync_ms:
            # Through env, so that the measuring process itself is left alone.
            preload = ["env", "LD_PRELOAD=" + self.program("slow_sync.so"), f"BENCH_SYNC_MS={sync_ms}"]
        process = subprocess.Popen([self.program("measured_run"), result, str(seconds_max), *tracer, *self.as_user, *preload, *command],
                                   stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log, env=environment, cwd=home)
        try:
            process.wait()
        finally:
            process.terminate()  # if we were interrupted: it takes the program with it
            process.wait()
        with open(result, encoding="ascii") as file:
            seconds, cpu, peak_kib, status = file.read().split()
        cost = Cost(float(seconds), float(cpu), int(peak_kib) / 1024, int(status))
        if cost.status == 137 and cost.seconds >= seconds_max:
            return None
        if cost.status not in ok:
            raise Failed(f"status {cost.status}: {self.last_words()}")
        return cost

    def last_words(self):
        with open(self.log.name, encoding="utf-8", errors="replace") as log:
            return " ".join(log.read().split("\n")[-3:]).strip()[-300:]

    def close(self):
        if self.server:
            self.server.stdin.close()
            self.server.wait()
        self.log.close()
        shutil.rmtree(self.work, ignore_errors=True)
        shutil.rmtree(self.programs, ignore_errors=True)


def read_facts(process):
    """KEY=VALUE lines up to READY."""
    facts = {}
    for line in process.stdout:
        if line.strip() == "READY":
            return facts
        key, _, value = line.strip().partition("=")
        facts[key] = value
    raise Failed(f"{process.args[0]} did not start")


def delivered(home):
    return sum(len(os.listdir(os.path.join(home, "mail", part))) for part in ("new", "cur"))
