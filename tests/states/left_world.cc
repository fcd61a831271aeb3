// SPDX-License-Identifier: MIT
#include "states/left_world.h"

#include <signal.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <stdexcept>

#include "crash/program/mail_target.h"
#include "crash/program/traced_run.h"
#include "support/message_corpus.h"

namespace popsync::test {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t kBigOctets = 3000;
constexpr const char* kLimit = "max_message_size = \"2kB\"";

// Those whose unique-id ends with "4" have no Message-ID.
std::string message(const std::string& account, const std::string& uid) {
  const std::size_t octets = uid.starts_with("big") ? kBigOctets : 100;
  std::string header =
      "From: bob@example.org\r\nTo: " + account + "@example.org\r\nDate: Sun, 29 Nov 2026 12:00:00 +0000\r\nSubject: " + uid + "\r\n";
  if (!uid.ends_with('4')) header += "Message-ID: <" + uid + "." + account + "@example.org>\r\n";
  return header + "\r\n" + std::string(octets, 'x') + "\r\nFrom here\r\n.\r\n";
}

void need(bool happened, const std::string& what) {
  if (!happened) throw std::runtime_error("popsync was to leave this and did not: " + what);
}

void write(const fs::path& file, const std::string& octets, std::ios::openmode mode = std::ios::trunc) {
  std::ofstream(file, std::ios::binary | mode) << octets;
}

}  // namespace

LeftWorld::LeftWorld()
    : accounts_{{"published", "maildir"},
                {"seeded", "maildir"},
                {"held", "maildir", {}, kLimit},
                {"skipped", "maildir", {}, kLimit},
                {"unconfirmed", "maildir"},
                {"undeleted", "maildir"},
                {"moved", "maildir"},
                {"adopted", "maildir"},
                {"shared_one", "maildir", mail("shared")},
                {"shared_two", "maildir", mail("shared")},
                {"box", "mbox"},
                {"staged", "maildir"},
                {"staged_box", "mbox"},
                {"torn_box", "mbox"}} {
  for (const Account& account : accounts_) server_.add_user(account.name, MaildropServer::kPassword);
  configure();
  leave_published();
  leave_seeded();
  leave_held_and_skipped();
  leave_deletions_in_doubt();
  leave_moved();
  leave_adopted();
  leave_two_in_one_maildir();
  leave_staged_in_maildir();
  leave_staged_behind_another_writer();
  leave_torn();
}

void LeftWorld::add(const std::string& account, const std::vector<std::string>& uids) {
  for (const std::string& uid : uids) server_.add_to(account, message(account, uid), uid);
}

void LeftWorld::configure(const std::string& leave_on_server) const {
  std::string text = "[defaults]\nleave_on_server = " + leave_on_server + "\n";
  for (const Account& account : accounts_) {
    text += "\n[accounts." + account.name + "]\nhost = \"127.0.0.1\"\nport = " + std::to_string(server_.port()) + "\ntls = \"none\"\n" +
            "allow_insecure_auth = true\nuser = \"" + account.name + "\"\npassword = \"" + MaildropServer::kPassword + "\"\n" + account.where +
            " = \"" + (account.path.empty() ? mail(account.name) : account.path) + "\"\n" + account.more + "\n";
  }
  home_.configure_with(text);
}

void LeftWorld::sync(const std::string& account, int status) const {
  const ProgramResult result = home_.run({"sync", account});
  need(result.status == status, "a sync of " + account + " with status " + std::to_string(status) + ": " + result.err);
}

void LeftWorld::kill_sync(const std::string& account, std::size_t nth_stop) const {
  const std::string box = mail(account);
  const auto publishes = [&](const FileCall& call) {
    return (call.name.starts_with("rename") && is_message_file(call.path)) || (call.name.starts_with("write") && call.path == box);
  };
  const TracedResult killed = run_and_strike({.nth = nth_stop, .counts = publishes}, home_.call({"sync", account}), {home_.folder().path()});
  need(killed.struck && killed.result.status == 128 + SIGKILL, "a killed sync of " + account);
}

// One was read, one was deleted elsewhere and is counted as absent.
void LeftWorld::leave_published() {
  add("published", {"p1", "p2", "p3", "p4", "p5", "p6"});
  sync("published");
  const fs::path read = message_files(mail("published")).front();
  fs::rename(read, fs::path(mail("published")) / "cur" / (read.filename().string() + ":2,S"));
  need(server_.remove("p2", "published"), "a message to remove");
  sync("published");
}

void LeftWorld::leave_seeded() {
  add("seeded", {"s1", "s2", "s3", "s4"});
  need(home_.run({"seed", "seeded"}).status == 0, "a seeded account");
  add("seeded", {"s5", "s6"});
  sync("seeded");
}

// Too big, and refused until it is not tried any more.
void LeftWorld::leave_held_and_skipped() {
  add("held", {"h1", "big2", "refused3"});
  server_.change([](MaildropKnobs& knobs) { knobs.faults = {{.verb = "RETR", .message = "refused3", .reply = "-ERR damaged"}}; });
  for (int tries = 1; tries <= 3; ++tries) sync("held");
  server_.set_knobs({});
  const std::string held = home_.run({"status", "held", "--json"}).out;
  need(json_at(held, "accounts[0].held[1].tries") == "3", "a message tried three times: " + held);
  add("skipped", {"k1", "big2"});
  sync("skipped");
  need(home_.run({"skip", "skipped", "big2"}).status == 0, "a skipped message");
}

// DELE was sent, and either nobody knows of QUIT or its +OK was no deletion.
void LeftWorld::leave_deletions_in_doubt() {
  configure("false");
  add("unconfirmed", {"u1", "u2", "u3"});
  server_.change([](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::drop_before_commit; });
  (void)home_.run({"sync", "unconfirmed"});
  need(server_.record().count("DELE") == 3, "three DELE");
  add("undeleted", {"d1", "d2"});
  server_.change([](MaildropKnobs& knobs) { knobs.quit = QuitBehaviour::ok_without_commit; });
  sync("undeleted");
  server_.set_knobs({});
  configure();
}

void LeftWorld::leave_moved() {
  add("moved", {"m1", "m2", "m3"});
  sync("moved");
  fs::rename(mail("moved"), mail("moved_here"));
  for (Account& account : accounts_) {
    if (account.name == "moved") account.path = mail("moved_here");
  }
  configure();
  add("moved", {"m4"});
  sync("moved");
}

// Another program has put them there, one of them with a field of its own: that one is not beyond doubt.
void LeftWorld::leave_adopted() {
  add("adopted", {"a1", "a2"});
  for (const char* part : {"tmp", "new", "cur"}) fs::create_directories(mail("adopted") + "/" + part);
  write(mail("adopted") + "/cur/1.1.host:2,S", octets_stored(message("adopted", "a1")));
  write(mail("adopted") + "/cur/2.1.host:2,S", "Received: by another program\n" + octets_stored(message("adopted", "a2")));
  const ProgramResult result = home_.run({"adopt", "adopted"});
  need(result.out.find("2 found") != std::string::npos, "two adopted messages: " + result.out + result.err);
}

void LeftWorld::leave_two_in_one_maildir() {
  add("shared_one", {"o1", "o2"});
  add("shared_two", {"w1", "w2"});
  sync("shared_one");
  sync("shared_two");
}

// Of three messages one is in new/ and two are in staging.
void LeftWorld::leave_staged_in_maildir() {
  add("staged", {"t1", "t2"});
  sync("staged");
  add("staged", {"t3", "t4", "t5"});
  kill_sync("staged", 3);
  need(message_files(mail("staged")).size() == 3 && staged_in(mail("staged")).size() == 2, "one message of three published");
}

// Killed before it appended; then somebody else's mail took the place.
void LeftWorld::leave_staged_behind_another_writer() {
  add("box", {"b1", "b2", "b3"});
  sync("box");
  add("staged_box", {"x1"});
  sync("staged_box");
  add("staged_box", {"x2", "x3"});
  kill_sync("staged_box", 1);
  write(mail("staged_box"), "From carol@example.org Sun Nov 29 20:00:00 2026\nSubject: from another program\n\nhello\n\n", std::ios::app);
}

// Killed in the midst of a write: the second of two entries is there in part.
void LeftWorld::leave_torn() {
  add("torn_box", {"y1"});
  sync("torn_box");
  const auto before = fs::file_size(mail("torn_box"));
  add("torn_box", {"y2", "y3"});
  kill_sync("torn_box", 2);
  const auto after = fs::file_size(mail("torn_box"));
  need(after > before, "an append");
  fs::resize_file(mail("torn_box"), after - (after - before) / 4);
  need(fs::file_size(home_.state_dir() + "/state.db-wal") > 0, "commits in the log of the database");
}

void LeftWorld::pack(const std::string& archive) {
  for (const Account& account : accounts_) {
    const fs::path folder = home_.folder().make("maildrops/" + account.name);
    const auto uids = server_.uids(account.name);
    const auto messages = server_.messages(account.name);
    for (std::size_t i = 0; i < uids.size(); ++i) write(folder / (std::to_string(100 + i) + "." + uids[i]), messages[i]);
  }
  const auto made = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  std::string origin = "folder " + home_.folder().path() + "\nport " + std::to_string(server_.port()) + "\nmade " + std::to_string(made) + "\n";
  for (const Account& account : accounts_) {
    const fs::path path = account.path.empty() ? mail(account.name) : account.path;
    origin += account.where + " " + account.name + " mail/" + path.filename().string() + "\n";
  }
  write(home_.folder() / "origin", origin);
  // Without the dot locks of the dead: their numbers may be those of others where it is unpacked. SQLite makes its index of the log anew.
  const ProgramResult packed =
      run_program({.arguments = {"-C", home_.folder().path(), "--sort=name", "--owner=0", "--group=0", "--numeric-owner", "--exclude=mail/*.lock",
                                 "--exclude=state/state.db-shm", "-czf", fs::absolute(archive), "origin", "config", "state", "mail", "maildrops"},
                   .program = "/bin/tar"});
  need(packed.status == 0, "an archive: " + packed.err);
}

}  // namespace popsync::test
