# SPDX-License-Identifier: MIT
"""The programs that are compared, each with the configuration its manual shows for the purpose: mail stays on the server, nothing is tuned.

fetchmail has no delivery of its own: procmail gets each message, as in its manual. getmail6 now and then misses the end of its delivery process and
waits for "timeout": 20 seconds in place of 180.
"""
import dataclasses
import os
import shutil
import subprocess

from world import PASSWORD


@dataclasses.dataclass
class Account:
    name: str
    user: str
    port: int
    maildir: str
    tls: bool = False


def package_version(package):
    found = subprocess.run(["dpkg-query", "-W", "-f=${Version}", package], capture_output=True, text=True, check=False)
    return found.stdout or "of unknown version"


class Program:
    name = ""
    binary = ""
    ok = (0,)  # exit status
    first = 1  # the message-number that the wire client begins with

    def __init__(self, world):
        self.world = world

    def available(self):
        return shutil.which(self.binary) is not None

    def version(self):
        return f"{self.name} {package_version(self.binary)}"

    def write(self, home, name, text):
        path = os.path.join(home, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, 0o600)


class Built(Program):
    """Of this tree, so it is there."""

    def available(self):
        return True


class WireLimit(Built):
    name = "wire limit"

    def version(self):
        return "wire limit: tests/bench/wire_limit_main.cc"

    def configure(self, home, accounts):
        pass

    def command(self, home, accounts):
        return [self.world.program("wire_limit"), str(accounts[0].port), accounts[0].user, PASSWORD, "--from", str(self.first)]


class Popsync(Built):
    name = "popsync"

    def version(self):
        words = subprocess.run([self.world.program("popsync"), "--version"], capture_output=True, text=True, check=True).stdout.split("\n")[0]
        commit = subprocess.run(["git", "describe", "--always", "--dirty"], capture_output=True, text=True, check=False).stdout.strip()
        return f"{words} ({commit or 'no commit'})"

    def configure(self, home, accounts, defaults=""):
        text = "[daemon]\nmax_sessions = 64\nmax_sessions_per_host = 64\n\n[defaults]\nmax_message_size = \"2GiB\"\n" + defaults
        for account in accounts:
            how = f'tls = "implicit"\ntls_ca_file = "{self.world.ca_file}"' if account.tls else 'tls = "none"\nallow_insecure_auth = true'
            text += (f'\n[accounts.{account.name}]\nhost = "127.0.0.1"\nport = {account.port}\n{how}\nuser = "{account.user}"\n'
                     f'password = "{PASSWORD}"\nmaildir = "{account.maildir}"\n')
        self.write(home, "popsync.toml", text)

    def command(self, home, accounts):
        return [self.world.program("popsync"), "sync", "-c", home + "/popsync.toml", "--state-dir", home + "/state"]


class Mpop(Program):
    name = binary = "mpop"
    processes = 16

    def configure(self, home, accounts):
        text = ""
        for account in accounts:
            how = f"tls on\ntls_starttls off\ntls_trust_file {self.world.ca_file}" if account.tls else "tls off"
            text += (f"account {account.name}\nhost 127.0.0.1\nport {account.port}\n{how}\nauth user\nuser {account.user}\npassword {PASSWORD}\n"
                     f"keep on\ndelivery maildir {account.maildir}\nuidls_file {home}/uidls-{account.name}\n\n")
        self.write(home, "mpoprc", text)

    def command(self, home, accounts):
        if len(accounts) == 1:
            return ["mpop", f"--file={home}/mpoprc", "--quiet", accounts[0].name]
        names = " ".join(account.name for account in accounts)
        return ["sh", "-c", f"printf '%s\\n' {names} | xargs -P {self.processes} -n 1 mpop --file={home}/mpoprc --quiet"]


class Fdm(Program):
    name = binary = "fdm"

    def configure(self, home, accounts):
        [account] = accounts
        kind = "pop3s" if account.tls else "pop3"
        verify = " no-verify" if account.tls else ""
        self.write(home, "fdm.conf", f'set maximum-size 500M\nset lock-file "{home}/lock"\n'
                   f'account "{account.name}" {kind} server "127.0.0.1" port {account.port} user "{account.user}" pass "{PASSWORD}" '
                   f'new-only cache "{home}/cache"{verify} keep\n'
                   f'action "mail" maildir "{account.maildir}"\nmatch all action "mail"\n')

    def command(self, home, accounts):
        return ["fdm", "-q", "-f", home + "/fdm.conf", "fetch"]


class Fetchmail(Program):
    name = binary = "fetchmail"
    ok = (0, 1)  # 1: no mail

    def available(self):
        return super().available() and shutil.which("procmail") is not None

    def version(self):
        return f"fetchmail {package_version('fetchmail')} with procmail {package_version('procmail')}"

    def configure(self, home, accounts):
        [account] = accounts
        how = f'ssl sslcertfile "{self.world.ca_file}" no sslcertck' if account.tls else 'sslproto ""'
        self.write(home, "procmailrc", f"MAILDIR={home}\nDEFAULT={account.maildir}/\n")
        self.write(home, "fetchmailrc", f'poll 127.0.0.1 port {account.port} protocol POP3 uidl\n'
                   f'  user "{account.user}" password "{PASSWORD}" {how}\n  keep\n  mda "/usr/bin/procmail {home}/procmailrc"\n')

    def command(self, home, accounts):
        return ["fetchmail", "--fetchmailrc", home + "/fetchmailrc", "--silent"]


class Getmail(Program):
    name = "getmail6"
    binary = "getmail"

    def version(self):
        return f"getmail6 {package_version('getmail6')}"

    def configure(self, home, accounts):
        [account] = accounts
        kind = "SimplePOP3SSLRetriever" if account.tls else "SimplePOP3Retriever"
        self.write(home, "getmail/getmailrc", f"[retriever]\ntype = {kind}\nserver = 127.0.0.1\nport = {account.port}\nusername = {account.user}\n"
                   f"password = {PASSWORD}\ntimeout = 20\n[destination]\ntype = Maildir\npath = {account.maildir}/\n"
                   "[options]\nread_all = false\ndelete = false\n")

    def command(self, home, accounts):
        return ["getmail", f"--getmaildir={home}/getmail", "--rcfile=getmailrc", "--quiet"]


ALL = (WireLimit, Popsync, Mpop, Fdm, Fetchmail, Getmail)
